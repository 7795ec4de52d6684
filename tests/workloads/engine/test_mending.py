"""A validator that stands still is made to start anew, and one that works never is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workloads.engine.mending import Standstill

STALL, EVERY = 30.0, 120.0
LONG = STALL * 4 / 3 + 1


def test_a_validator_without_blocks_is_ended_once_and_again_later() -> None:
    """If no block comes, the validator is ended after the bound, left alone to start, and ended again much later."""
    watch = Standstill("par", STALL, EVERY, now=0.0)
    assert not watch.calls_for_an_end(STALL - 1, committed=0.0)
    assert watch.calls_for_an_end(LONG, committed=0.0)
    assert not watch.calls_for_an_end(LONG + EVERY - 1, committed=0.0)
    assert watch.calls_for_an_end(LONG + EVERY + 1, committed=0.0)


def test_an_engine_that_has_just_started_waits() -> None:
    """What was before an engine's start says nothing of its validator now."""
    watch = Standstill("par", STALL, EVERY, now=1000.0)
    assert not watch.calls_for_an_end(1000.0 + STALL - 1, committed=float("-inf"))
    assert watch.calls_for_an_end(1000.0 + LONG, committed=float("-inf"))


@given(st.lists(st.floats(0.1, STALL - 1), max_size=50))
def test_a_validator_that_works_is_never_ended(pauses: list[float]) -> None:
    """While blocks come within the bound, nothing is ended."""
    watch, now = Standstill("par", STALL, EVERY, now=0.0), 0.0
    for pause in pauses:
        assert not watch.calls_for_an_end(now + pause, committed=now)
        now += pause


def test_engines_do_not_end_all_validators_together() -> None:
    """In a halt of the whole venue the sites take turns."""
    sites = ["par", "dub", "nbg", "hel"]
    moments = {site: _first_end(Standstill(site, STALL, EVERY, now=0.0)) for site in sites}
    assert len(set(moments.values())) == len(sites)


def _first_end(watch: Standstill) -> int:
    return next(tenth for tenth in range(1000) if watch.calls_for_an_end(tenth / 10, committed=0.0))
