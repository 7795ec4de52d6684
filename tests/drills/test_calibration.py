"""What the nodes of a lab take, from orders in calm weather."""

from __future__ import annotations

from dataclasses import replace

import pytest

from diversite.outcome import predict
from diversite.plan import Plan
from diversite.processing import ASSUMED, Interval
from drills import calibration
from drills.load import Line


def calm(*latencies_ms: float, rate: float = 20) -> list[Line]:
    """Acknowledged orders, one after the other, whose latencies come in turns, for as long as a calibration lasts."""
    return [
        Line(
            number=number,
            key=str(number),
            client="c",
            fate="acknowledged",
            entrance="e",
            attempts=1,
            intended_seconds=number / rate,
            settled_seconds=number / rate + latencies_ms[number % len(latencies_ms)] / 1000,
        )
        for number in range(round(calibration.CALM_SECONDS * rate))
    ]


def foretold(plan: Plan) -> tuple[Interval, Interval]:
    """What is predicted of the venue with nothing broken."""
    found = predict(plan, []).latency
    assert found is not None
    return found.p50_ms, found.p99_ms


@pytest.mark.parametrize("latency_ms", [150.0, 230.0, 700.0])
def test_what_was_measured_is_what_is_foretold(four: Plan, latency_ms: float) -> None:
    """With the nodes as slow as they were seen to be, the model says what was seen, and no more."""
    slow = replace(four, processing=calibration.processing(four, calm(latency_ms)))
    p50, _ = foretold(slow)
    assert p50.low < latency_ms
    assert p50.high == pytest.approx(latency_ms, abs=2)


def test_slow_blocks_are_told_apart(four: Plan) -> None:
    """One order in twenty that waits long makes the slow blocks slower, and leaves the others as they are."""
    even, uneven = calm(200.0), calm(*[200.0] * 19, 450.0)
    before, after = calibration.processing(four, even), calibration.processing(four, uneven)
    assert after.block_ms == before.block_ms
    assert after.slow_block_ms.high > before.slow_block_ms.high
    assert foretold(replace(four, processing=after))[1].high == pytest.approx(450, abs=2)


def test_fewer_nodes_may_be_faster(four: Plan) -> None:
    """The low end leaves room for what the others' absence saves, and never crosses the high one."""
    found = calibration.processing(four, calm(300.0))
    assert found.block_ms.low == pytest.approx(found.block_ms.high * calibration.FEWER_NODES)
    assert found.block_ms.low == found.slow_block_ms.low <= found.slow_block_ms.high


def test_a_venue_that_acknowledges_nothing_says_nothing(four: Plan) -> None:
    """Without orders in every part of the calm, what is assumed stays."""
    assert calibration.processing(four, []) == ASSUMED
    assert calibration.processing(four, calm(200.0)[: len(calm(200.0)) // 2]) == ASSUMED


def test_the_gap_grows_with_slow_blocks(four: Plan) -> None:
    """What a cut link may cost is bounded by the slowest blocks, not by those in the middle."""
    slow = replace(four, processing=replace(ASSUMED, slow_block_ms=Interval(20.0, 290.0)))
    before, after = predict(four, []).gap_seconds, predict(slow, []).gap_seconds
    assert before is not None
    assert after is not None
    assert after.high - before.high == pytest.approx(0.4)


def test_a_machine_is_as_fast_as_it_was_within_a_quarter(four: Plan) -> None:
    """Only who was measured can become slower."""
    slow = replace(four, processing=calibration.processing(four, calm(200.0)))
    assert calibration.calm_ms_max(slow) == pytest.approx(250, abs=2)
    assert calibration.calm_ms_max(four) is None
