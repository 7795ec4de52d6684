"""`diversite drill`: break a running venue on purpose, time it, and compare with the prediction.

Ends 0 only if every fault bit, every prediction was true, and no acknowledged order was lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.lab.up import borrowed
from cli.stacks import FLAGSHIP, lab_stack, near
from diversite.errors import DiversiteError

if TYPE_CHECKING:
    from diversite.outcome import Outcome
    from drills.comparison import Finding
    from drills.drill import Report

FIGURES = {
    "outcome": "outcome",
    "detected_seconds": "noticed s",
    "gap_seconds": "longest gap s",
    "rto_seconds": "recovery s",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "resume_seconds": "resumes s",
}
"""What is predicted, and how its column is called."""


def drill(  # noqa: PLR0913, PLR0917  a parameter an option
    stack: Annotated[str, typer.Argument(help="A topology in stacks/, or its lab's stack.")] = FLAGSHIP,
    faults: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FAULT…]", help="`[WORD:]KIND:NAME`, such as kill:host:validator-par; none: the set."),
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="How often each fault.")] = 1,
    seed: Annotated[int, typer.Option(help="Decides the orders; repetition n has seed + n.")] = 7,
    hold: Annotated[float, typer.Option(min=3, help="How many seconds a fault lasts.")] = 20,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the lab running.")] = False,
    planted: Annotated[
        str | None, typer.Option(metavar="MISTAKE", help="Plant a mistake, or `all`, and see whether it is caught.")
    ] = None,
    operator: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The private key of one of the venue's operators, for remove.")
    ] = None,
    warnings: Annotated[
        bool, typer.Option("--warnings", help="Make things worse little by little: is somebody called in time?")
    ] = False,
) -> None:
    """Break a venue fault by fault under load, and print what was predicted against what was measured.

    A fault's words: kill, all-at-once, outage, pause, power-cut, disk-full, disk-slow, old-disk, clock-step,
    clock-back, clock-drift, bad-release, remove for hosts; cut-off, long-cut-off, power-off, part, ring, peak for
    sites; cut, one-way, flap, slow, loss, duplicate, reorder, corrupt for links; several domains at once are joined
    by +. `diversite whatif --list` names what can fail. Exit code 1: a prediction was wrong, a fault did not bite, or
    an order was lost; with --planted: a mistake escaped; with --warnings: an alert came too late.
    """
    if planted:
        from cli.planted import hunt

        raise typer.Exit(hunt(stack, planted, repeat, seed, hold))
    if warnings:
        from cli.early import warn

        raise typer.Exit(warn(stack, seed, keep))
    from cli.console import new_console
    from drills import course
    from drills.drill import Phases, calm_of
    from drills.faults import parse, standard_set
    from drills.faults.removal import Remove

    console = new_console()
    venue = lab_stack(stack)
    chosen = (
        [parse(text, venue.name, venue.plan) for text in faults] if faults else standard_set(venue.name, venue.plan)
    )
    for fault in chosen:
        if isinstance(fault, Remove):
            fault.operator_key = operator
    planned = course.Course(
        stack=venue.topology,
        lab=venue.name,
        plan=venue.plan,
        faults=tuple(chosen),
        repeat=repeat,
        seed=seed,
        phases=Phases(hold_seconds=hold),
    )
    with borrowed(venue, console, keep):
        directory = course.begin(planned)
        console.print(f"results in {near(directory)}; predictions are written there first", soft_wrap=True)
        with console.status("how fast are the nodes here?"):
            planned = course.calibrated(planned, directory)
        with console.status(f"{len(chosen)} faults, each {repeat} times") as status:
            reports = course.run(planned, directory, lambda report: status.console.print(_line(report), emoji=False))
    _tell(reports, calm_of(planned.plan), console)
    _draw(directory, console)
    raise typer.Exit(0 if course.passed(reports) else 1)


def _line(report: Report) -> str:
    wrong = [f"{it.name} {it.measured}, predicted {it.predicted}" for it in report.findings if not it.is_true]
    wrong += [f"did not bite: {it.what}" for it in report.evidence if not it.bit]
    if report.is_void:
        return f"[yellow]void[/yellow] {report.fault}: {', '.join(_untrue(report))}"
    return f"[green]✓[/green] {report.fault}" if report.passed else f"[red]✗[/red] {report.fault}: {'; '.join(wrong)}"


def _untrue(report: Report) -> list[str]:
    """What was not as planned, before the fault and while it lasted."""
    pairs = [(f"{it.a} - {it.b}", it.observed_ms, it.planned_ms) for it in report.untrue_pairs]
    links = [(it.link, it.observed_ms, it.planned_ms) for it in report.fidelity.untrue]
    slow = [("the p50 before the fault", report.calm_ms[0] or 0, report.calm_ms_max or 0)] * report.is_slow
    return [f"{name} {observed:.1f} ms for {planned:.1f}" for name, observed, planned in [*pairs, *links, *slow]]


def _tell(reports: Sequence[Report], calm: Outcome, console: Console) -> None:
    from cli.console import new_table

    rows = new_table(
        "fault", *FIGURES.values(), "whole s", "acknowledged", "lost", "twice", "reordered", "books", "bit"
    )
    for report in reports:
        _add(rows, report)
    console.print(rows)
    _tell_calm(reports, calm, console)
    counted = [report for report in reports if not report.is_void]
    true = sum(report.passed for report in counted)
    void = f"; {len(reports) - len(counted)} void" * (len(counted) < len(reports))
    console.print(
        f"{true} of {len(counted)} as predicted{void}", style="bold green" if true == len(counted) else "bold red"
    )


def _draw(directory: Path, console: Console) -> None:
    """Pictures beside the summary, where matplotlib is there to draw them."""
    from drills import plots, results

    try:
        drawn = plots.draw(directory)
    except DiversiteError as error:
        console.print(f"no pictures: {error}", style="dim", markup=False)
        return
    results.show(directory, drawn)


def _add(rows: Table, report: Report) -> None:
    from drills.comparison import told

    found = {finding.name: finding for finding in report.findings}
    measured = report.measured
    cells = [_cell(found[name]) if name in found else told(name, getattr(measured, name)) for name in FIGURES]
    whole = "[red]never[/red]" if measured.heal_seconds is None else f"{measured.heal_seconds:.1f}"
    counts = (measured.orders_lost, measured.orders_duplicated, measured.orders_reordered)
    rows.add_row(
        Text(report.fault),
        *cells,
        whole,
        str(measured.acknowledged),
        *(str(count) if not count else f"[red]{count}[/red]" for count in counts),
        "[red]differ[/red]" if report.safety.forks or report.safety.unlike_replay else "equal",
        "yes" if report.bit else "[red]no[/red]",
    )


def _cell(finding: Finding) -> str:
    """What was measured, below it what was predicted."""
    mark = finding.measured if finding.is_true else f"[red]✗ {finding.measured}[/red]"
    predicted = finding.predicted.replace("_", " ")
    return f"{mark.replace('_', ' ')}\n[dim]{predicted}[/dim]"


def _tell_calm(reports: Sequence[Report], calm: Outcome, console: Console) -> None:
    """How the venue did before each fault: where this differs, the failure is not to blame."""
    p50 = [report.calm_ms[0] for report in reports if report.calm_ms[0]]
    p99 = [report.calm_ms[1] for report in reports if report.calm_ms[1]]
    if p50 and p99 and calm.latency:
        console.print(
            f"before the faults: p50 {min(p50):.0f} to {max(p50):.0f} ms, predicted {calm.latency.p50_ms.low:.0f} to "
            f"{calm.latency.p50_ms.high:.0f}; p99 {min(p99):.0f} to {max(p99):.0f} ms, predicted "
            f"{calm.latency.p99_ms.low:.0f} to {calm.latency.p99_ms.high:.0f}"
        )
    shares = [report.pressure.share for report in reports if report.pressure.is_high and report.pressure.share]
    if shares:
        console.print(
            f"something waited for a core up to {max(shares):.0%} of the time: these times are the machine's too",
            style="yellow",
        )
