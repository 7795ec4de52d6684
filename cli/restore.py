"""`diversite restore`: a fresh lab whose store begins from backups that were copied out of another one.

Everything but the repository is new: disks, keys, etcd, the queue. docs/runbooks/restore.md is the same for a cloud.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cli.lab.up import deploy
from cli.stacks import lab_stack
from diversite.errors import DiversiteError

WHOLE_SECONDS_MAX = 180.0


def restore(
    stack: Annotated[str, typer.Argument(help="A topology in stacks/, or its lab's stack.")],
    source: Annotated[
        Path, typer.Option("--from", metavar="DIRECTORY", help="What `diversite backup --to` made.", exists=True)
    ],
    until: Annotated[
        str, typer.Option(metavar="TIME", help="RFC 3339 with its zone; what was confirmed later is left out.")
    ] = "latest",
) -> None:
    """Bring a fresh lab up whose store begins from a backup and the archived log.

    Exit code 1: the store, the queue and the engine were not whole in time.
    """
    from cli.console import new_console
    from drills.observer import Observer
    from drills.state import repository
    from drills.state.keepers import Keepers
    from lab import world

    console, venue = new_console(), replace(lab_stack(stack), restore=until)
    if world.find(venue.name) is not None:
        raise DiversiteError(f"lab {venue.name} runs, and a restore never overwrites: `diversite lab down` removes it")
    repository.require(source, venue.plan)
    deploy(venue, console)
    with Observer(venue.name, venue.plan) as observer:
        keepers = Keepers(venue.name, venue.plan, observer)
        repository.put_in(keepers, source)
        whole = world.wait_until(keepers.is_whole, WHOLE_SECONDS_MAX, 0.5)
    state = "it is whole" if whole else f"not whole after {WHOLE_SECONDS_MAX:.0f} s; see `diversite lab logs`"
    console.print(f"{keepers.store.name} from {source}, up to {until}: {state}", highlight=False, soft_wrap=True)
    raise typer.Exit(0 if whole else 1)
