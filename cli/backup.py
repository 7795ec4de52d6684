"""`diversite backup`: a backup of a running lab's store, now, and the log up to now; copied out of it if wished."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.stacks import lab_stack


def backup(
    stack: Annotated[str, typer.Argument(help="A topology in stacks/, or its lab's stack.")],
    full: Annotated[bool, typer.Option("--full", help="All of it, not what changed since the last.")] = False,
    to: Annotated[Path | None, typer.Option(metavar="DIRECTORY", help="Copy the repository to it.")] = None,
) -> None:
    """Back a lab's store up, and archive its log up to now.

    The keeper on the repository's host does this by itself, as the plan says; this is for before something risky, and
    `--to` for what must outlive the lab.
    """
    from cli.console import new_console
    from drills.observer import Observer
    from drills.state import repository
    from drills.state.keepers import Keepers

    console, venue = new_console(), lab_stack(stack)
    with Observer(venue.name, venue.plan) as observer:
        keepers = Keepers(venue.name, venue.plan, observer)
        repository.back_up(keepers, "full" if full else "incr")
        where = f"on {keepers.store.repository}"
        if to is not None:
            repository.copy_out(keepers, to)
            where = f"{where}, and a copy in {to}"
    console.print(f"store {keepers.store.name} is backed up {where}", highlight=False, soft_wrap=True)
