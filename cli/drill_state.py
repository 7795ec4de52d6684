"""`diversite drill-state`: break a venue's store, queue and active-passive engine on purpose, and check what is left.

Ends 0 only if every confirmed order was kept, once, and every prediction was true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.lab.up import borrowed
from cli.stacks import lab_stack, near

if TYPE_CHECKING:
    from drills.state.drill import Report

STACK = "passive"


def drill_state(
    stack: Annotated[str, typer.Argument(help="A topology in stacks/, or its lab's stack.")] = STACK,
    faults: Annotated[list[str] | None, typer.Argument(metavar="[FAULT…]", help="None: all.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="How often each fault.")] = 1,
    seed: Annotated[int, typer.Option(help="Decides the orders; repetition n has seed + n.")] = 7,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the lab running.")] = False,
) -> None:
    """Break a store, a queue and an active-passive engine fault by fault under load.

    Faults: primary-killed, engine-killed, primary-paused, engine-paused, site-cut, primary-off, standby-off,
    standbys-off, etcd-minority, etcd-majority, queue-leader-off, one-way, all-off, switch-in-switch. Exit code 1: a
    confirmed order was lost or carried out twice, a fenced member wrote, or a prediction was wrong.
    """
    from cli.console import new_console
    from drills import results
    from drills.observer import Observer
    from drills.state import faults as known
    from drills.state.drill import run
    from drills.state.keepers import Keepers
    from drills.state.results import table, write

    console = new_console()
    venue, kinds = lab_stack(stack), known.chosen(faults or ())
    reports: list[Report] = []
    with borrowed(venue, console, keep), Observer(venue.name, venue.plan) as observer:
        directory = results.begin(venue.topology, seed, {"faults": [it.word for it in kinds], "repeat": repeat})
        console.print(f"results in {near(directory)}", soft_wrap=True)
        keepers = Keepers(venue.name, venue.plan, observer)
        for number, kind in ((number, kind) for number in range(repeat) for kind in kinds):
            log = directory / f"{len(reports) + 1:03}-{kind.word}.jsonl"
            reports.append(run(keepers, kind, seed + number, log))
            console.print(told(reports[-1]), markup=False, highlight=False, soft_wrap=True)
            write(directory, reports)
    if repeat > 1:
        console.print("\n".join(table(reports)), markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if all(report.passed for report in reports) else 1)


def told(report: Report) -> str:
    """A report in a line, and a line for each violation."""
    foretold = report.predicted
    interval = f" within {foretold.recovery.high:.1f} s" if foretold.recovery else ""
    figures = {
        "recovery": report.recovery_seconds,
        "resumed": report.resume_seconds,
        "whole": report.whole_seconds,
    }
    said = ", ".join(f"{name} {'-' if value is None else f'{value:.1f} s'}" for name, value in figures.items())
    head = f"{'✓' if report.passed else '✗'} {report.fault} of {', '.join(report.struck)}: {report.outcome}, {said}"
    orders = f"{report.acknowledged} of {report.sent} orders confirmed"
    lines = [f"{head}; predicted {foretold.outcome}{interval}; {orders}", *(f"    {it}" for it in _wrong(report))]
    return "\n".join(lines)


def _wrong(report: Report) -> list[str]:
    unseen = [f"did not bite: {it.what}" for it in report.evidence if not it.bit]
    return [*unseen, *([] if report.evidence else ["nothing shows that it bit"]), *report.violations]
