"""What a rehearsal calls true, equal and lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversite.errors import LabError
from diversite.plan import Plan
from drills.comparison import Safety
from drills.load import Fate, Line
from drills.observer import Observer
from drills.rehearsal import Books, Pair, Phases, Rehearsal, Survival
from tests.services.venues import europe


def pair(planned_ms: float, observed_ms: float) -> Pair:
    """A pair of sites whose round trip was measured."""
    return Pair(a="par", b="dub", catalogue_ms=planned_ms, planned_ms=planned_ms, observed_ms=observed_ms, via=())


@pytest.mark.parametrize(
    ("planned_ms", "observed_ms", "is_true"),
    [
        (10.0, 10.0, True),
        (10.0, 11.0, True),
        (10.0, 9.0, True),
        (10.0, 11.01, False),
        (10.0, 8.99, False),
        (40.0, 41.0, True),
        (40.0, 41.1, False),
        (100.0, 102.0, True),
        (100.0, 102.1, False),
        (100.0, 97.9, False),
        (0.0, 1.0, True),
    ],
)
def test_a_round_trip_is_true_within_its_bounds(planned_ms: float, observed_ms: float, is_true: bool) -> None:
    """A millisecond up to 40 ms, two per cent beyond, to either side."""
    assert pair(planned_ms, observed_ms).is_true is is_true


def test_a_round_trip_that_nothing_answered_is_not_true() -> None:
    """No answer is no measurement."""
    assert not pair(10.0, float("nan")).is_true


@given(planned_ms=st.floats(0, 500), error_ms=st.floats(-20, 20))
def test_the_bounds_only_widen_with_the_distance(planned_ms: float, error_ms: float) -> None:
    """An error that is true of a short way is true of a longer one."""
    if pair(planned_ms, planned_ms + error_ms).is_true:
        assert pair(planned_ms * 2 + 1, (planned_ms * 2 + 1) + error_ms * 0.999).is_true


@pytest.mark.parametrize(
    ("hashes", "are_equal"),
    [
        ({"a": "00", "b": "00"}, True),
        ({"a": "00", "b": "01"}, False),
        ({"a": "00", "b": None}, False),
        ({"a": None, "b": None}, False),
        ({}, False),
    ],
)
def test_books_are_equal_only_if_all_are_known(hashes: dict[str, str | None], are_equal: bool) -> None:
    """An engine that has not the height, or does not answer, is no engine that agrees."""
    assert Books(height=7, hashes=hashes).are_equal is are_equal


def test_clients_outlast_every_phase() -> None:
    """The end of the last phase ends the clients, not a clock that a slow step could overrun."""
    phases = Phases(calm_seconds=1, lost_seconds=2, back_seconds=3, return_seconds_max=60)
    assert phases.seconds_max > 1 + 2 + 3 + phases.return_seconds_max


class Engines:
    """An observer that knows only books by height."""

    def __init__(self, hashes: Mapping[str, str | None] | None = None, height: int | None = 7) -> None:
        self._hashes = hashes or {}
        self._height = height

    def statuses(self) -> Mapping[str, Any]:
        """Every engine at one height, or none that answers."""
        status = None if self._height is None else {"height": self._height}
        return {host.name: status for host in europe().of_role("engine")}

    def hashes(self, height: int) -> Mapping[str, str | None]:
        """The same of every engine but those of which something else was said."""
        return {host.name: self._hashes.get(host.name, "00") for host in europe().of_role("engine")}


def watching(engines: Engines) -> Rehearsal:
    """A rehearsal of the flagship that sees these engines instead of a lab."""
    return Rehearsal("lab", europe(), cast(Observer, engines))


def line(intended: float, settled: float, fate: Fate = "acknowledged") -> Line:
    """What became of an order."""
    return Line(
        number=0,
        key="k",
        client="c",
        fate=fate,
        entrance="",
        attempts=1,
        intended_seconds=intended,
        settled_seconds=settled,
    )


def survival(lines: list[Line], degraded_height: int = 20) -> Survival:
    """A site that began to go at 10 s, was gone at 11 s, and came back from 20 s on."""
    books = Books(height=10, hashes={"engine-dub": "00"})
    return Survival(
        site="par",
        lines=lines,
        began_seconds=10.0,
        lost_seconds=11.0,
        healed_seconds=20.0,
        returned_seconds=25.0,
        before=books,
        degraded=replace(books, height=degraded_height),
        after=replace(books, height=30),
        safety=Safety(heights=20, forks=(), missing=(), repeated=(), witnesses=("validator-dub",)),
        carried_bytes_per_second=0.0,
    )


def test_recovery_counts_orders_sent_after_the_loss() -> None:
    """What was sent while the site was going says nothing of the venue without it."""
    assert survival([line(10.5, 11.1), line(12.0, 12.5)]).recovery_seconds == 1.5


def test_a_venue_that_stood_still_until_the_heal_did_not_go_on() -> None:
    """An acknowledgement after the heal is no recovery without the site."""
    stuck = survival([line(12.0, 20.5), line(13.0, 21.0)])
    assert stuck.recovery_seconds is None
    assert not stuck.went_on


def test_a_venue_that_made_no_block_did_not_go_on() -> None:
    """The height before the loss is no progress."""
    assert not survival([line(12.0, 12.5)], degraded_height=10).went_on
    assert survival([line(12.0, 12.5)], degraded_height=11).went_on


def test_engines_that_do_not_answer_are_named() -> None:
    """Books that nobody tells are a fault with names, not an empty comparison."""
    with pytest.raises(LabError, match=r"none of engine-dub, .* answers"):
        watching(Engines(height=None)).books()


def test_books_without_a_site_leave_its_engines_out() -> None:
    """A lost site is not waited for."""
    books = watching(Engines({"engine-par": None})).books(without="par")
    assert "engine-par" not in books.hashes
    assert books.are_equal
    assert len(books.hashes) == 6


def test_books_that_never_come_are_an_error_with_a_next_step() -> None:
    """Waiting ends, and says what for and where to look."""
    with pytest.raises(LabError, match=r"lab lab: waited 0 s for every engine to reach height 7.*diversite lab status"):
        watching(Engines({"engine-par": None})).books(seconds_max=0)


def test_a_pair_tells_both_the_places_and_the_links() -> None:
    """Where traffic takes another way than the direct link, the catalogue's figure and the plan's differ."""
    rehearsal = watching(Engines())
    found = {names: rehearsal._pair(*names, 1.0) for names in (("par", "dub"), ("dub", "nbg"))}
    assert found["par", "dub"].via == ()
    assert found["par", "dub"].catalogue_ms == found["par", "dub"].planned_ms
    assert found["dub", "nbg"].via
    assert found["dub", "nbg"].planned_ms < found["dub", "nbg"].catalogue_ms


def test_a_lost_site_loses_its_links_and_its_clients() -> None:
    """Cutting a site off takes every link at it, and the way of clients to its entrance."""
    planned: Plan = europe()
    wires = watching(Engines())._wires("par")
    assert set(wires) == {link.name for link in planned.links.values() if "par" in link.sites} | {"entry-par-access"}


def test_sent_bytes_are_those_of_links_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a router sends into its own site costs no egress."""
    planned = europe()
    names = [here.interface for _, here, _ in planned.links_at("par")]
    told = [{"ifname": name, "stats64": {"tx": {"bytes": 10}}} for name in [*names, "lan0", "lo"]]
    answer = SimpleNamespace(stdout=json.dumps(told))
    monkeypatch.setattr("drills.rehearsal.control.run", lambda *_: answer)
    assert watching(Engines())._sent_bytes("par") == 10 * len(names)
