"""Predicted against measured: what is true passes, and every kind of wrong prediction is caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversite.domains import parse
from diversite.outcome import Outcome, predict
from diversite.plan import Plan
from diversite.processing import Interval
from diversite.recovery import Percentiles
from drills.comparison import (
    Instants,
    Measured,
    Safety,
    Trip,
    compare,
    entrances_serving,
    measure,
    noticed,
    orders_reordered,
    rerouted,
)
from drills.load import Line

BROKEN, HEALED = 100.0, 115.0
SAFE = Safety(heights=9, forks=(), missing=(), repeated=(), witnesses=("validator-par",))
ONE, TWO = ("http://a",), ("http://a", "http://b")
"""Entrances."""
INSTANTS = Instants(broken=BROKEN, held=HEALED, healed=HEALED, settled=BROKEN, resumed=115.4, converged=118.0)


@pytest.fixture(scope="module")
def continues(four: Plan) -> Outcome:
    """What the loss of a site does to it."""
    return predict(four, [parse("site:par", four)])


@pytest.fixture(scope="module")
def halts(four: Plan) -> Outcome:
    """What the loss of half of its power does to it."""
    return predict(four, [parse("provider:hetzner", four)])


def line(number: int, intended: float, latency: float, **change: Any) -> Line:
    """An acknowledged order."""
    good = Line(
        number=number,
        key=f"k{number}",
        client="ann",
        fate="acknowledged",
        entrance="http://a",
        attempts=1,
        intended_seconds=intended,
        settled_seconds=intended + latency,
    )
    return replace(good, **change)


def steady(start: float, end: float, latency: float = 0.2) -> list[Line]:
    """An order each 50 ms."""
    count = round((end - start) * 20)
    return [line(number, start + number / 20, latency) for number in range(count)]


def as_predicted(outcome: Outcome) -> Measured:
    """Figures in the middle of what was predicted."""
    middle: dict[str, Any] = {row.name: (row.low + row.high) / 2 for row in outcome.rows() if row.name != "orders_lost"}
    nothing = Measured(
        outcome=outcome.outcome,
        rto_seconds=None,
        gap_seconds=None,
        p50_ms=None,
        p99_ms=None,
        resume_seconds=2.0,
        heal_seconds=3.0,
        acknowledged=100,
        orders_lost=0,
        orders_duplicated=0,
        orders_reordered=0,
        forks=0,
        unlike_replay=0,
        entrances_serving=frozenset(number for number, it in enumerate(outcome.entrances.values()) if it.serves),
        asked=120,
    )
    return replace(nothing, **middle)


def wrong(predicted: Outcome, measured: Measured) -> set[str]:
    """What the comparison says is not true."""
    return {finding.name for finding in compare(predicted, measured) if not finding.is_true}


def test_what_is_as_predicted_is_true(continues: Outcome, halts: Outcome) -> None:
    """A venue that does what the model says raises no finding, whether it goes on or halts safely."""
    assert wrong(continues, as_predicted(continues)) == set()
    assert wrong(halts, as_predicted(halts)) == set()


PLANTED: dict[str, Callable[[Outcome], Outcome]] = {
    "outcome": lambda it: replace(it, outcome="halts_safely"),
    "rto_seconds": lambda it: replace(it, rto_seconds=Interval(5.0, 9.0)),
    "gap_seconds": lambda it: replace(it, gap_seconds=Interval(0.0, 0.01)),
    "p50_ms": lambda it: replace(it, latency=Percentiles(p50_ms=Interval(1, 2), p99_ms=Interval(1, 5_000))),
    "p99_ms": lambda it: replace(it, latency=Percentiles(p50_ms=Interval(1, 5_000), p99_ms=Interval(1, 2))),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_wrong_prediction_is_caught(name: str, continues: Outcome) -> None:
    """If the model says something else than what happened, that very figure is found wrong, and no other."""
    assert wrong(PLANTED[name](continues), as_predicted(continues)) == {name}


def test_a_planted_resume_time_is_caught(halts: Outcome) -> None:
    """If a halted venue takes longer to resume than the model says, the drill fails."""
    planted = replace(halts, resume_seconds=Interval(0.0, 0.5))
    assert wrong(planted, as_predicted(halts)) == {"resume_seconds"}


@pytest.mark.parametrize("name", ["rto_seconds", "gap_seconds", "p50_ms", "p99_ms"])
def test_a_figure_that_never_came_is_wrong(name: str, continues: Outcome) -> None:
    """Where the model predicts a figure and there is none, the prediction was wrong."""
    nothing: dict[str, Any] = {name: None}
    assert wrong(continues, replace(as_predicted(continues), **nothing)) == {name}


WORST = [{name: 1} for name in ("orders_lost", "orders_duplicated", "orders_reordered", "forks", "unlike_replay")] + [
    {"heal_seconds": None},
    {"asked": 0},
]


@pytest.mark.parametrize("change", WORST)
def test_what_must_never_be_is_always_wrong(change: dict[str, Any], halts: Outcome, continues: Outcome) -> None:
    """A lost or doubled order, a fork, or a venue that stays apart fails the drill whatever was predicted."""
    for predicted in (halts, continues):
        assert len(wrong(predicted, replace(as_predicted(predicted), **change))) == 1


def test_a_venue_that_goes_on_continues() -> None:
    """If an order sent after the fault is acknowledged before the heal, the venue continues."""
    found = measure(steady(95, 125), INSTANTS, SAFE, {0}, ONE)
    assert (found.outcome, found.rto_seconds) == ("continues", 0.2)
    assert found.heal_seconds == 3.0


def test_a_venue_that_answers_only_after_the_heal_halts() -> None:
    """An acknowledgement after the heal is no sign of going on, nor is one of an order sent before the fault."""
    late = [line(1, 99.9, 0.3), line(2, 101.0, 14.5)]
    found = measure(late, INSTANTS, SAFE, {0}, ONE)
    assert (found.outcome, found.rto_seconds, found.p50_ms) == ("halts_safely", None, None)


def test_a_lost_order_or_a_fork_is_the_worst_class() -> None:
    """Where an acknowledged order is gone or two truths stand, no speed of recovery counts."""
    for safety in (replace(SAFE, missing=("ann/k1",)), replace(SAFE, forks=("block at 7",))):
        assert measure(steady(95, 125), INSTANTS, safety, {0}, ONE).outcome == "could_lose_data"


def test_the_gap_spans_the_fault() -> None:
    """The gap begins at the last acknowledgement before the fault, and a silence up to the heal counts too."""
    lines = [*steady(95, 99.8), *steady(101, 103)]
    assert measure(lines, INSTANTS, SAFE, {0}, ONE).gap_seconds == pytest.approx(HEALED - 103.15, abs=0.01)
    lines = [*steady(95, 99.8), *steady(101, 115)]
    assert measure(lines, INSTANTS, SAFE, {0}, ONE).gap_seconds == pytest.approx(1.25, abs=0.01)


def test_percentiles_are_of_those_who_came_to_a_serving_entrance() -> None:
    """Clients of a dead entrance wait for their own patience, which says nothing about the venue."""
    lines = [replace(it, settled_seconds=it.intended_seconds + 0.2 + 2 * (it.number % 2)) for it in steady(100, 114)]
    assert measure(lines, INSTANTS, SAFE, {0}, TWO).p99_ms == pytest.approx(200)
    assert measure(lines, INSTANTS, SAFE, {0, 1}, TWO).p99_ms == pytest.approx(2200)


@given(st.floats(0.01, 10), st.floats(0.001, 2))
def test_recovery_is_never_shorter_than_the_first_new_order_took(pause: float, latency: float) -> None:
    """The recovery time is at least the latency of the first order that was sent after the fault."""
    found = measure(steady(BROKEN + pause, BROKEN + pause + 1, latency), INSTANTS, SAFE, {0}, ONE)
    assert found.rto_seconds is None or found.rto_seconds >= latency - 0.001


def test_an_entrance_that_serves_nobody_is_found(continues: Outcome) -> None:
    """If an entrance that should serve acknowledges nothing, or one that should not does, the drill fails."""
    for serving in (set(), {0}, {0, 1}):
        found = replace(as_predicted(continues), entrances_serving=frozenset(serving))
        assert wrong(continues, found) == {"entrances"}


def test_percentiles_begin_when_routes_have_settled() -> None:
    """What orders waited while routes moved is in the gap and the recovery, not in the degraded venue's percentiles."""
    moving = [line(number, BROKEN + 0.5 + number / 10, 0.9) for number in range(10)]
    after = [line(number, BROKEN + 3 + number / 10, 0.2) for number in range(10, 40)]
    settled = replace(INSTANTS, settled=BROKEN + 2.4)
    found = measure([*moving, *after], settled, SAFE, {0}, ONE)
    assert found.p99_ms == pytest.approx(200)
    assert found.rto_seconds == pytest.approx(1.4)
    assert measure([*moving, *after], INSTANTS, SAFE, {0}, ONE).p99_ms == pytest.approx(900)


def test_an_entrance_serves_that_acknowledges_in_the_degraded_time() -> None:
    """What an entrance acknowledged before the recovery, or only after the heal, is no service in between."""
    late = line(1, 105.0, 11.0, entrance="http://b")
    lines = [line(0, 105.0, 0.2), line(2, 99.0, 0.2, entrance="http://b"), late]
    assert entrances_serving(lines, INSTANTS, 0.5, TWO) == {0}
    assert entrances_serving(lines, INSTANTS, None, TWO) == frozenset()


def test_an_order_is_never_placed_before_what_was_acknowledged_first() -> None:
    """If an order was acknowledged before another was to be sent, it stands before it in the chain."""
    first, second = line(1, 100.0, 0.2, height=7, index=0), line(2, 100.3, 0.2, height=7, index=1)
    assert orders_reordered([first, second]) == 0
    assert orders_reordered([first, replace(second, height=6)]) == 1


def test_orders_at_the_same_time_have_no_order() -> None:
    """Of two orders that were under way together, either may come first."""
    first, second = line(1, 100.0, 0.5, height=8, index=0), line(2, 100.3, 0.2, height=7, index=1)
    assert orders_reordered([first, second]) == 0


def test_who_sees_nothing_fails_the_drill(continues: Outcome) -> None:
    """A fault that should be noticed and is not is a finding, however well the venue did."""
    assert not noticed(as_predicted(continues)).is_true
    assert noticed(replace(as_predicted(continues), detected_seconds=4.0)).is_true


def test_a_way_that_is_not_the_predicted_one_is_found() -> None:
    """A pair whose traffic takes another way than predicted, or none, is told with both figures."""
    good = Trip(between="par-nbg", predicted_ms=40.0, observed_ms=41.5)
    assert rerouted([good]).is_true
    for observed in (80.0, float("nan")):
        found = rerouted([good, replace(good, observed_ms=observed)])
        assert not found.is_true
        assert "par-nbg" in found.measured


def test_looking_for_evidence_is_no_gap() -> None:
    """What comes after the measured time, while signs are gathered, is not counted."""
    lines = steady(95, 110)
    assert measure(lines, replace(INSTANTS, held=110.0), SAFE, {0}, ONE).gap_seconds == pytest.approx(0.05, abs=0.02)
