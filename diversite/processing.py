"""What nodes take beside the wire: a property of the machines, so it is assumed of a venue and measured in a lab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Interval(NamedTuple):
    """From low to high, in the unit that the field's name ends with."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Processing:
    """Intervals that hold while a venue is whole and while a part of it is gone."""

    block_ms: Interval
    """Of a block in the middle."""
    slow_block_ms: Interval
    """Of the slowest blocks, which decide gaps and the 99th percentile."""
    hop_ms: Interval
    """Of one hop of gossip."""


ASSUMED = Processing(block_ms=Interval(20.0, 90.0), slow_block_ms=Interval(20.0, 90.0), hop_ms=Interval(0.0, 30.0))
"""Of machines that nobody measured. A block takes 27 ms for four nodes and 50 ms for seven with every wire at zero
(docs/measurements.md), and there is a margin; a hop is a third of a block, taken twice for the slow ones."""
