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
REROUTED_MS_MAX = 4.0
REROUTED_SHARE_MAX = 0.05


@dataclass(frozen=True, kw_only=True)
class Instants:
    """When things happened, in monotonic seconds."""

    broken: float
    """From here on it was broken as a whole."""
    held: float
    """The end of the time that is measured: after it, evidence is looked for, and that may take seconds."""
    healed: float
    """Mending began."""
    settled: float
    """From here on routes no longer move, and what is measured is the degraded venue and not its way there."""
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
    """Orders that were executed more than once, whether acknowledged or not."""
    witnesses: tuple[str, ...]
    """The validators whose chains were looked into."""
    replayed: int = 0
    """The height up to which the chain was carried out again from genesis; 0 where it was too long."""
    unlike_replay: tuple[str, ...] = ()
    """What is not as it follows from the blocks: hashes, acknowledged orders, books that are served."""


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
    orders_reordered: int
    """Acknowledged orders placed before one whose acknowledgement came before they were to be sent."""
    forks: int
    unlike_replay: int
    """Hashes, orders and books that do not follow from the blocks."""
    detected_seconds: float | None = None
    """To the first alert whose condition held; None where a monitor that watches saw nothing."""
    alarmed_seconds: float | None = None
    """To the first that fired."""
    entrances_serving: frozenset[int] = frozenset()
    """Numbers of the entrances that acknowledged orders in the degraded time."""
    asked: int = 0
    """How many orders were meant to be sent while it was broken: of a venue that nobody asked, silence says nothing."""

    @property
    def is_safe(self) -> bool:
        """Whether nothing came about that never may, however busy the machine is."""
        wrongs = (self.orders_lost, self.orders_duplicated, self.orders_reordered, self.forks, self.unlike_replay)
        return not any(wrongs)


@dataclass(frozen=True, kw_only=True)
class Trip:
    """A pair of sites whose traffic was to take another way, as pings over it found it; nan of no answer."""

    between: str
    predicted_ms: float
    observed_ms: float

    @property
    def is_true(self) -> bool:
        """Within the bound, which is wider than that of a link: several links, and clients at the same time."""
        return abs(self.observed_ms - self.predicted_ms) <= max(REROUTED_MS_MAX, REROUTED_SHARE_MAX * self.predicted_ms)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing compared."""

    name: str
    predicted: str
    measured: str
    is_true: bool


def measure(
    lines: Sequence[Line], instants: Instants, safety: Safety, serving: Collection[int], entrances: Sequence[str]
) -> Measured:
    """The figures of one fault.

    `entrances` are the addresses of all, in the order in which clients take them; `serving` are the numbers of those
    that the model says still serve: percentiles are of the orders that were sent there first.
    """
    rto = rto_seconds(lines, instants)
    degraded = _degraded(lines, instants, rto, serving, len(entrances))
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
        orders_reordered=orders_reordered(lines),
        forks=len(safety.forks),
        unlike_replay=len(safety.unlike_replay),
        entrances_serving=entrances_serving(lines, instants, rto, entrances),
        asked=len(load.between(lines, instants.broken, instants.healed)),
    )


def compare(predicted: Outcome, measured: Measured, *more: Finding) -> tuple[Finding, ...]:
    """Every figure beside its prediction, and what else was compared."""
    return (
        _finding("outcome", predicted.outcome, measured.outcome, predicted.outcome == measured.outcome),
        *(_row(row, getattr(measured, row.name)) for row in predicted.rows()),
        *_entrances(predicted, measured),
        *more,
        *_always(measured),
    )


def noticed(measured: Measured) -> Finding:
    """That some monitor saw it, for a fault that lasts long enough to be seen."""
    seen = measured.detected_seconds is not None
    return _finding("noticed", "yes", "yes" if seen else "no", seen)


def rerouted(trips: Sequence[Trip]) -> Finding:
    """Every pair of sites whose traffic takes another way has the round trip of that way."""
    true = sum(trip.is_true for trip in trips)
    wrong = ", ".join(
        f"{trip.between} {trip.observed_ms:.0f} for {trip.predicted_ms:.0f} ms" for trip in trips if not trip.is_true
    )
    return _finding(
        "reroutes", f"{len(trips)} pairs", f"{true} pairs" + f" ({wrong})" * bool(wrong), true == len(trips)
    )


def told(name: str, measured: float | None) -> str:
    """A figure as people read it: seconds to the hundredth, milliseconds and counts whole; `-` of what never came."""
    return "-" if measured is None else f"{measured:.{_digits(name)}f}"


def _digits(name: str) -> int:
    return 2 if name.endswith("_seconds") else 0


def _always(measured: Measured) -> Iterable[Finding]:
    never = {
        "orders_duplicated": measured.orders_duplicated,
        "orders_reordered": measured.orders_reordered,
        "forks": measured.forks,
        "unlike_replay": measured.unlike_replay,
    }
    yield from (_finding(name, "0", str(count), count == 0) for name, count in never.items())
    for name, true in {"asked": measured.asked > 0, "converges": measured.heal_seconds is not None}.items():
        yield _finding(name, "yes", "yes" if true else "no", true)


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
    """The longest time without an acknowledgement, from the last one before the fault to the end of the hold."""
    moments = sorted(line.settled_seconds for line in lines if line.fate == "acknowledged")
    before = [moment for moment in moments if moment <= instants.broken][-1:]
    during = [moment for moment in moments if instants.broken < moment < instants.held]
    if not during:
        return None
    whole = [*before, *during, instants.held]
    return round(max(b - a for a, b in pairwise(whole)), 3)


def orders_reordered(lines: Iterable[Line]) -> int:
    """How many acknowledged orders stand in the chain before one that was acknowledged before they were to be sent."""
    placed = [it for it in lines if it.fate == "acknowledged" and it.height is not None and it.index is not None]
    settled = sorted(placed, key=lambda line: line.settled_seconds)
    intended = sorted(placed, key=lambda line: line.intended_seconds)
    latest, count, known = (0, -1), 0, 0
    for line in intended:
        while known < len(settled) and settled[known].settled_seconds <= line.intended_seconds:
            latest = max(latest, _place(settled[known]))
            known += 1
        count += _place(line) < latest
    return count


def entrances_serving(
    lines: Iterable[Line], instants: Instants, rto: float | None, entrances: Sequence[str]
) -> frozenset[int]:
    """The numbers of the entrances that acknowledged orders which were meant to be sent in the degraded time."""
    if rto is None:
        return frozenset()
    within = load.between(lines, instants.broken + rto, instants.held - SETTLING_SECONDS)
    serving = {
        line.entrance for line in within if line.fate == "acknowledged" and line.settled_seconds < instants.healed
    }
    return frozenset(number for number, entrance in enumerate(entrances) if entrance in serving)


def _place(line: Line) -> tuple[int, int]:
    return line.height or 0, line.index or 0


def _entrances(predicted: Outcome, measured: Measured) -> Iterable[Finding]:
    """Which entrances serve, where the venue was to go on and did; figures of them are compared with those."""
    if predicted.latency is None or measured.outcome != "continues":
        return
    names = list(predicted.entrances)
    serving = [name for name, it in predicted.entrances.items() if it.serves]
    found = [name for number, name in enumerate(names) if number in measured.entrances_serving]
    yield _finding("entrances", ", ".join(serving), ", ".join(found), found == serving)


def _degraded(
    lines: Iterable[Line], instants: Instants, rto: float | None, serving: Collection[int], entrances: int
) -> list[Line]:
    if rto is None:
        return []
    within = load.between(lines, max(instants.broken + rto, instants.settled), instants.held - SETTLING_SECONDS)
    return [line for line in within if line.fate == "acknowledged" and line.number % entrances in serving]


def _since(start: float, end: float | None) -> float | None:
    return None if end is None else round(end - start, 3)
