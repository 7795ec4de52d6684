"""`diversite lab down`: remove a lab, however much of it there is."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.console import new_console
from cli.lab.up import tear_down
from cli.stacks import FLAGSHIP, lab_stack, of_lab


def down(
    topology: Annotated[str, typer.Argument(help="A topology in stacks/, or a lab by its name.")] = FLAGSHIP,
    everything: Annotated[bool, typer.Option("--all", help="Every lab of this checkout.")] = False,
) -> None:
    """Remove a lab whole, whether its deployment ended or was killed half-way."""
    from lab import control, world

    console = new_console()
    here = world.names()  # a lab outlives the stack file that it was made from
    if not everything:
        tear_down(of_lab(topology) if topology in here else lab_stack(topology), console)
        return
    for name in here:
        if of_lab(name).name == name:
            tear_down(of_lab(name), console)
        elif control.down(name):
            console.print(f"ended lab {name}, which is of no stack of this command", highlight=False)
