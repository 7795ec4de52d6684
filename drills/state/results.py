"""What a run of state drills leaves in its folder: every report as it comes, and how each fault's figures are spread.

drills/results/<time>-<stack>/      git-ignored
    versions.json                   what ran where
    reports.json                    every repetition
    repetitions.md                  a row for each fault
    <number>-<fault>.jsonl          what became of every order
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from drills import results
from drills.load import percentile

if TYPE_CHECKING:
    from drills.state.drill import Report

COLUMNS = (
    "fault",
    "repetitions",
    "as predicted",
    "silence s, at most",
    "p50",
    "p95",
    "max",
    "whole s, p50",
    "max",
    "confirmed",
    "wrong",
)


def write(directory: Path, reports: Sequence[Report]) -> None:
    """Write all that is known so far: a run that is ended early leaves what it has."""
    results.write(directory / "reports.json", reports)
    (directory / "repetitions.md").write_text("\n".join(table(reports)) + "\n", encoding="utf-8")


def table(reports: Iterable[Report]) -> Iterator[str]:
    """Markdown: a row for each fault, in the order of their first repetitions.

    The silence is the longest that began before the fault was healed, to its end; where there is none, orders went
    on only after it.
    """
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"| {' | '.join('---' for _ in COLUMNS)} |"
    groups: dict[str, list[Report]] = defaultdict(list)
    for report in reports:
        groups[report.fault].append(report)
    for fault, group in groups.items():
        yield f"| `{fault}` | {' | '.join(_cells(group))} |"


def _cells(group: Sequence[Report]) -> Iterator[str]:
    yield str(len(group))
    yield str(sum(report.bit and report.is_true for report in group))
    foretold = [report.predicted.recovery.high for report in group if report.predicted.recovery]
    yield f"{max(foretold):.1f}" if foretold else "halts"
    yield from _spread([report.recovery_seconds for report in group], 50, 95, 100)
    yield from _spread([report.whole_seconds for report in group], 50, 100)
    yield f"{sum(report.acknowledged for report in group)} of {sum(report.sent for report in group)}"
    yield str(sum(len(report.violations) for report in group))


def _spread(measured: Iterable[float | None], *percents: int) -> Iterator[str]:
    times = sorted(time for time in measured if time is not None)
    for percent in percents:
        found = percentile(times, percent)
        yield "-" if found is None else f"{found:.1f}"
