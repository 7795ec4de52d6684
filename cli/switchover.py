"""`diversite switchover`: a planned move of an active-passive engine, or of its store's primary, in a running lab.

The pause is measured on orders that it sends itself while it moves; every one that was confirmed must be there after.
"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from cli.stacks import PROJECT, lab_stack

CALM_SECONDS = 3.0
AFTER_SECONDS = 5.0


def switchover(
    stack: Annotated[str, typer.Argument(help="A topology in stacks/, or its lab's stack.")],
    engine: Annotated[str, typer.Argument(help="An active-passive engine of it.")],
    to: Annotated[str, typer.Option(metavar="MEMBER_OR_SITE", help="Who is to have it.")],
    store: Annotated[bool, typer.Option("--store", help="Move the primary of the engine's store.")] = False,
    seed: Annotated[int, typer.Option(help="Decides the orders that measure the pause.")] = 7,
) -> None:
    """Move an engine's work, or its store's primary, to another member, and measure the pause.

    Exit code 1: an order was lost or carried out twice.
    """
    from cli.console import new_console
    from drills import load
    from drills.observer import Observer
    from drills.state import drill, switching
    from drills.state.keepers import Keepers

    console, venue = new_console(), lab_stack(stack)
    log = PROJECT / ".state" / f"switchover-{venue.name}.jsonl"
    log.parent.mkdir(exist_ok=True)
    with Observer(venue.name, venue.plan) as observer:
        keepers = Keepers(venue.name, venue.plan, observer, engine)
        member = switching.member_of(keepers, to, store=store)
        with drill.clients(keepers, seed, log):
            time.sleep(CALM_SECONDS)
            moved = (switching.move_store if store else switching.move_engine)(keepers, member)
            time.sleep(AFTER_SECONDS)
        lines = load.read(log)
        wrong = drill.violations(keepers, lines)
    confirmed = [line for line in lines if line.fate == "acknowledged"]
    pause = load.longest_gap_seconds(confirmed)
    what = "primary of the store" if store else f"worker of {engine}"
    console.print(f"{what}: {moved.before} gave over to {moved.after} in {moved.seconds:.2f} s", highlight=False)
    console.print(
        f"longest silence {pause or 0:.2f} s; {len(confirmed)} of {len(lines)} orders confirmed",
        highlight=False,
    )
    for violation in wrong:
        console.print(violation, style="red", markup=False)
    raise typer.Exit(1 if wrong else 0)
