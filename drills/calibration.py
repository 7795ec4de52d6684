"""How long the nodes of this lab take beside its wires, from orders in calm weather: the model's one machine figure.

All hosts of a lab share a few cores, so a block takes longer there than in a venue. What it takes is solved from what
clients measured before anything is broken and before any prediction is written; everything else a prediction is made
of stays the plan's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from diversite.outcome import predict
from diversite.plan import Plan
from diversite.processing import ASSUMED, Interval, Processing
from diversite.recovery import latency
from diversite.standing import Survey
from drills import load
from drills.load import Line

SETTLED_SECONDS = 4.0
"""The first orders warm up connections, and do not count."""
WINDOW_SECONDS = 4.0
"""Parts of the calm, one from each second on, about as long as the shortest faults are measured: the machine is as fast
as in the best of them and as slow as in the worst."""
CALM_SECONDS = SETTLED_SECONDS + 24.0
FEWER_NODES = 0.5
"""With nodes gone, those that stay have more of the cores: a block may take as little as half."""
SLOWER = 1.25
"""By how much the middle of a few calm seconds may exceed the worst part of the calibration."""
BLOCK_MS_MAX = 5_000.0
SOLVED_MS = 0.5


def processing(plan: Plan, lines: Sequence[Line]) -> Processing:
    """From what became of calm orders, to what the nodes took; that of the plan where there are too few."""
    windows = _windows([line for line in lines if line.fate == "acknowledged"])
    if not all(windows):
        return plan.processing
    middle = [_solved(plan, 50, window) for window in windows]
    slow = [_solved(plan, 99, window) for window in windows]
    least = FEWER_NODES * min(middle)
    return replace(
        plan.processing,
        block_ms=Interval(least, max(middle)),
        slow_block_ms=Interval(least, max(*slow, *middle)),
    )


def calm_ms_max(plan: Plan) -> float | None:
    """The greatest p50 in calm weather of a machine that is still as fast as it was; None where nobody measured it."""
    calm = predict(plan, []).latency
    return None if plan.processing == ASSUMED or calm is None else SLOWER * calm.p50_ms.high


def _windows(lines: Sequence[Line]) -> list[list[Line]]:
    """The orders by the part of the calm in which they were meant to be sent, those of the first seconds left out."""
    began = min((line.intended_seconds for line in lines), default=0.0)
    starts = range(round(SETTLED_SECONDS), round(CALM_SECONDS - WINDOW_SECONDS) + 1)
    return [[line for line in lines if 0 <= line.intended_seconds - began - it < WINDOW_SECONDS] for it in starts]


def _solved(plan: Plan, percent: int, lines: Sequence[Line]) -> float:
    """The least that a block takes for the model to foretell this percentile: it foretells more for longer blocks."""
    measured = load.percentile(sorted(line.latency_ms for line in lines), percent) or 0.0
    low, high = 0.0, BLOCK_MS_MAX
    while high - low > SOLVED_MS:
        middle = (low + high) / 2
        low, high = (middle, high) if _foretold(plan, percent, middle) < measured else (low, middle)
    return high


def _foretold(plan: Plan, percent: int, block_ms: float) -> float:
    exactly = Interval(block_ms, block_ms)
    survey = Survey(replace(plan, processing=replace(plan.processing, block_ms=exactly, slow_block_ms=exactly)))
    calm = latency(survey, survey.standing(survey.loss([])))
    return (calm.p50_ms if percent == 50 else calm.p99_ms).high
