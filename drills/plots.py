"""Pictures of a run: `python -m drills.plots drills/results/RUN` draws them into its folder. Needs the extra `report`.

latency.svg     every order of every repetition: when it was meant to be sent, and what it took
recovery.svg    each fault's recovery times over all repetitions, on the interval that was predicted
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diversite.errors import DiversiteError
from drills import load
from drills.results import Events

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LATENCY, RECOVERY = "latency.svg", "recovery.svg"
ROW_INCHES = 1.4
FATES = {"acknowledged": "tab:blue", "refused": "tab:orange", "indeterminate": "tab:red"}


def draw(run: Path) -> tuple[Path, ...]:
    """Draw a run's pictures; where they are. DiversiteError where matplotlib is not installed."""
    reports: list[Mapping[str, Any]] = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    repetitions = sorted(path.parent for path in run.glob("*/orders.jsonl"))
    figures = {LATENCY: _latencies(repetitions), RECOVERY: _recoveries(reports)}
    for name, figure in figures.items():
        figure.savefig(run / name, metadata={"Date": None})
    return tuple(run / name for name in figures)


def main() -> int:
    """Draw the run that is named."""
    parser = argparse.ArgumentParser(prog="python -m drills.plots", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("run", type=Path, help="a folder of drills/results/")
    for path in draw(parser.parse_args().run):
        print(path)
    return 0


def _latencies(repetitions: Sequence[Path]) -> Figure:
    figure, rows = _figure(len(repetitions))
    for axes, repetition in zip(rows, repetitions, strict=True):
        _latency(axes, repetition)
    rows[-1].set_xlabel("seconds from the fault")
    return figure


def _latency(axes: Axes, repetition: Path) -> None:
    events = {event["event"]: event for event in Events(repetition / "events.jsonl").read()}
    lines = load.read(repetition / "orders.jsonl")
    broken = events["broken"]["at"] if "broken" in events else lines[0].intended_seconds
    for fate, colour in FATES.items():
        found = [line for line in lines if line.fate == fate]
        sent = [line.intended_seconds - broken for line in found]
        axes.scatter(sent, [line.latency_ms for line in found], s=3, color=colour, label=fate)
    axes.axvline(0, color="black")
    if "healing began" in events:
        axes.axvline(events["healing began"]["at"] - broken, color="black", linestyle="dotted")
    axes.set_yscale("log")
    axes.set_title(repetition.name, fontsize="small", loc="left")
    axes.set_ylabel("ms")


def _recoveries(reports: Iterable[Mapping[str, Any]]) -> Figure:
    by_fault: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for report in reports:
        by_fault[report["fault"]].append(report)
    figure, rows = _figure(len(by_fault))
    for axes, (fault, group) in zip(rows, by_fault.items(), strict=True):
        _recovery(axes, fault, group)
    rows[-1].set_xlabel("seconds")
    return figure


def _recovery(axes: Axes, fault: str, group: Sequence[Mapping[str, Any]]) -> None:
    figures = {row["name"]: row for row in group[0]["predicted"]["figures"]}
    name = "rto_seconds" if "rto_seconds" in figures else "resume_seconds"
    if name in figures:
        axes.axvspan(figures[name]["low"], figures[name]["high"], color="tab:green", alpha=0.2)
    measured = [time for report in group if (time := report["measured"][name]) is not None]
    axes.plot(measured, range(len(measured)), "o", markersize=3)
    axes.set_yticks([])
    axes.set_xlim(left=0)
    axes.set_title(f"{fault}: {name.replace('_', ' ')}", fontsize="small", loc="left")


def _figure(rows: int) -> tuple[Figure, list[Axes]]:
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  only who draws needs it
    except ImportError:
        raise DiversiteError("pictures need matplotlib: install the extra, `pip install diversite[report]`") from None
    figure = Figure(figsize=(8, ROW_INCHES * max(1, rows) + 0.5), layout="constrained")
    made = figure.subplots(max(1, rows), 1, squeeze=False)
    return figure, [row[0] for row in made]


if __name__ == "__main__":
    raise SystemExit(main())
