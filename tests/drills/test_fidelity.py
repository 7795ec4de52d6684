"""A repetition counts only where the lab was the venue that was planned, before the fault and during it."""

from __future__ import annotations

import pytest

from drills.fidelity import Fidelity, Sampled


@pytest.mark.parametrize(
    ("planned", "observed", "is_true"),
    [(10.0, 10.9, True), (10.0, 11.2, False), (100.0, 101.9, True), (100.0, 102.5, False), (10.0, 8.5, False)],
)
def test_a_link_is_true_within_the_bound(planned: float, observed: float, is_true: bool) -> None:
    """Within 1 ms, or 2 % of long links, in either direction."""
    assert Sampled(link="a", planned_ms=planned, observed_ms=observed, samples=9).is_true == is_true


def test_one_sample_says_nothing() -> None:
    """A link that was hardly sampled does not void a repetition."""
    assert Sampled(link="a", planned_ms=10.0, observed_ms=30.0, samples=1).is_true


def test_the_untrue_links_are_told() -> None:
    """Whoever reads a void repetition learns which link was not the planned one."""
    good, bad = (
        Sampled(link=name, planned_ms=10.0, observed_ms=ms, samples=5) for name, ms in (("a", 10.1), ("b", 14))
    )
    assert Fidelity(links=(good, bad), pressures=()).untrue == (bad,)
