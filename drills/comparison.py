"""What was predicted, what was measured, and whether the one is the other. Pure: instants and orders in, figures out.

A figure is compared only where the model predicts one; what must never be (a lost order, an order executed twice, two
truths at one height, a venue that does not come together again) is compared always.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from diversite.outcome import Class, Outcome, Row
from drills import load
from drills.load import Line

SETTLING_SECONDS = 1.0
"""Orders sent this shortly before the heal are left out of the percentiles: the heal may have answered them."""


@dataclass(frozen=True, kw_only=True)
class Instants:
    """When things happened, in monotonic seconds."""

    broken: float
    """From here on it was broken as a whole."""
    healed: float
    """Mending began."""
    resumed: float | None
    """The first block after it; None where none came within the bound."""
    converged: float | None
    """Every engine at the head, able to acknowledge, with the same books; None where that was not within the bound."""


@dataclass(frozen=True, kw_only=True)
class Safety:
    """What must hold whatever breaks."""

    heights: int
    """How many heights were compared, over all engines and all validators."""
    forks: tuple[str, ...]
    """Heights with two truths, each with who says what."""
    missing: tuple[str, ...]
    """Acknowledged orders that a chain looked into does not have."""
    repeated: tuple[str, ...]
    """Acknowledged orders that were executed more than once."""
    witnesses: tuple[str, ...]
    """The validators whose chains were looked into."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a fault did. None: it did not come to that."""

    outcome: Class
    rto_seconds: float | None
    gap_seconds: float | None
    p50_ms: float | None
    p99_ms: float | None
    resume_seconds: float | None
    """Of a venue that went on there is none."""
    heal_seconds: float | None
    acknowledged: int
    orders_lost: int
    orders_duplicated: int
    forks: int


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing compared."""

    name: str
    predicted: str
    measured: str
    is_true: bool


def measure(
    lines: Sequence[Line], instants: Instants, safety: Safety, serving: Collection[int], entrances: int
) -> Measured:
    """The figures of one fault.

    `serving` are the numbers of the entrances, of all `entrances`, that the model says still serve: percentiles are of
    the orders that were sent there first.
    """
    rto = rto_seconds(lines, instants)
    degraded = _degraded(lines, instants, rto, serving, entrances)
    latencies = sorted(line.latency_ms for line in degraded)
    lost = len(safety.missing)
    return Measured(
        outcome=_outcome(rto, lost + len(safety.forks)),
        rto_seconds=rto,
        gap_seconds=gap_seconds(lines, instants),
        p50_ms=load.percentile(latencies, 50),
        p99_ms=load.percentile(latencies, 99),
        resume_seconds=_since(instants.healed, instants.resumed) if rto is None else None,
        heal_seconds=_since(instants.healed, instants.converged),
        acknowledged=sum(line.fate == "acknowledged" for line in lines),
        orders_lost=lost,
        orders_duplicated=len(safety.repeated),
        forks=len(safety.forks),
    )


def compare(predicted: Outcome, measured: Measured) -> tuple[Finding, ...]:
    """Every figure beside its prediction."""
    return (
        _finding("outcome", predicted.outcome, measured.outcome, predicted.outcome == measured.outcome),
        *(_row(row, getattr(measured, row.name)) for row in predicted.rows()),
        *_always(measured),
    )


def told(name: str, measured: float | None) -> str:
    """A figure as people read it: seconds to the hundredth, milliseconds and counts whole; `-` of what never came."""
    return "-" if measured is None else f"{measured:.{_digits(name)}f}"


def _digits(name: str) -> int:
    return 2 if name.endswith("_seconds") else 0


def _always(measured: Measured) -> Iterable[Finding]:
    never = {"orders_duplicated": measured.orders_duplicated, "forks": measured.forks}
    yield from (_finding(name, "0", str(count), count == 0) for name, count in never.items())
    yield _finding(
        "converges", "yes", "yes" if measured.heal_seconds is not None else "no", measured.heal_seconds is not None
    )


def _row(row: Row, measured: float | None) -> Finding:
    digits = _digits(row.name)
    truth = measured is not None and row.contains(measured)
    return _finding(row.name, f"{row.low:.{digits}f} to {row.high:.{digits}f}", told(row.name, measured), truth)


def _finding(name: str, predicted: str, measured: str, is_true: bool) -> Finding:
    return Finding(name=name, predicted=predicted, measured=measured, is_true=is_true)


def _outcome(rto: float | None, wrongs: int) -> Class:
    if wrongs:
        return "could_lose_data"
    return "halts_safely" if rto is None else "continues"


def rto_seconds(lines: Iterable[Line], instants: Instants) -> float | None:
    """To the first acknowledgement, before the heal, of an order meant to be sent after the fault."""
    return load.recovery_seconds((it for it in lines if it.settled_seconds < instants.healed), instants.broken)


def gap_seconds(lines: Iterable[Line], instants: Instants) -> float | None:
    """The longest time without an acknowledgement, from the last one before the fault to the heal."""
    moments = sorted(line.settled_seconds for line in lines if line.fate == "acknowledged")
    before = [moment for moment in moments if moment <= instants.broken][-1:]
    during = [moment for moment in moments if instants.broken < moment < instants.healed]
    if not during:
        return None
    whole = [*before, *during, instants.healed]
    return round(max(b - a for a, b in pairwise(whole)), 3)


def _degraded(
    lines: Iterable[Line], instants: Instants, rto: float | None, serving: Collection[int], entrances: int
) -> list[Line]:
    if rto is None:
        return []
    within = load.between(lines, instants.broken + rto, instants.healed - SETTLING_SECONDS)
    return [line for line in within if line.fate == "acknowledged" and line.number % entrances in serving]


def _since(start: float, end: float | None) -> float | None:
    return None if end is None else round(end - start, 3)
