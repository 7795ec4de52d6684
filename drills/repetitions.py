"""A fault that was drilled many times: how its figures are spread, and how often the prediction was true."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from drills.comparison import told
from drills.load import percentile

if TYPE_CHECKING:
    from drills.drill import Report

FIGURES = {
    "rto_seconds": "recovery, s",
    "gap_seconds": "longest gap, s",
    "p50_ms": "p50 degraded, ms",
    "p99_ms": "p99 degraded, ms",
    "resume_seconds": "resumes, s",
}
COUNTS = {"acknowledged": "acknowledged", "orders_lost": "lost", "orders_duplicated": "twice"}


def table(reports: Iterable[Report]) -> Iterator[str]:
    """Markdown, a row for each fault and figure, then the counts of each fault; nothing where none was repeated.

    Void repetitions say nothing of times and are counted; of orders they say as much as others.
    """
    groups = _by_fault(reports)
    if all(len(group) == 1 for group in groups.values()):
        return
    yield "| fault | figure | predicted | p50 | p95 | max | inside |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for fault, group in groups.items():
        yield from (f"| `{fault}` | {row} |" for row in _figures(group))
    yield ""
    yield f"| fault | repetitions | void | outcome | bit | {' | '.join(COUNTS.values())} | whole p50, s | max, s |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for fault, group in groups.items():
        yield f"| `{fault}` | {_counts(group)} |"
    yield ""
    yield from _recoveries(groups.values())


def _by_fault(reports: Iterable[Report]) -> dict[str, list[Report]]:
    groups: dict[str, list[Report]] = defaultdict(list)
    for report in reports:
        groups[report.fault].append(report)
    return groups


def _figures(group: Sequence[Report]) -> Iterator[str]:
    for row in group[0].predicted.rows():
        if row.name in FIGURES:
            times, inside = _measured(group, row.name)
            spread = (told(row.name, percentile(times, share)) for share in (50, 95, 100))
            foretold = f"{told(row.name, row.low)} to {told(row.name, row.high)}"
            yield " | ".join((FIGURES[row.name], foretold, *spread, f"{inside} of {len(_true(group))}"))


def _counts(group: Sequence[Report]) -> str:
    whole = sorted(time for it in _true(group) if (time := it.measured.heal_seconds) is not None)
    right = sum(it.measured.outcome == it.predicted.outcome for it in _true(group))
    counts = [sum(getattr(it.measured, name) for it in group) for name in COUNTS]
    ends = [told("heal_seconds", percentile(whole, share)) for share in (50, 100)]
    bit = sum(it.bit for it in _true(group))
    return " | ".join(map(str, (len(_true(group)), len(group) - len(_true(group)), right, bit, *counts, *ends)))


def _recoveries(groups: Iterable[Sequence[Report]]) -> Iterator[str]:
    """How many recovery times were inside: from the fault, or from the heal where the venue was to halt.

    A fault of which the model foretells the class alone has none.
    """
    counted, inside = 0, 0
    for group in groups:
        name = "rto_seconds" if group[0].predicted.rto_seconds else "resume_seconds"
        if name in {row.name for row in group[0].predicted.rows()}:
            counted += len(_true(group))
            inside += _measured(group, name)[1]
    if counted:
        share = 100 * inside / counted
        yield f"{inside} of {counted} measured recovery times were inside their predicted interval ({share:.1f} %)."
        yield ""


def _measured(group: Sequence[Report], name: str) -> tuple[list[float], int]:
    """What was measured, ascending, and how often it was as predicted."""
    times = sorted(time for it in _true(group) if (time := getattr(it.measured, name)) is not None)
    return times, sum(finding.is_true for it in _true(group) for finding in it.findings if finding.name == name)


def _true(group: Sequence[Report]) -> list[Report]:
    return [report for report in group if not report.is_void]
