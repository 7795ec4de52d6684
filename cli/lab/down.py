"""`diversite lab down`: remove a lab, however much of it there is."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.console import new_console
from cli.lab.up import tear_down
from cli.stacks import FLAGSHIP, LabStack, of_lab


def down(
    topology: Annotated[str, typer.Argument(help="A topology in stacks/.")] = FLAGSHIP,
    everything: Annotated[bool, typer.Option("--all", help="Every lab of this checkout.")] = False,
) -> None:
    """Remove a lab whole, whether its deployment ended or was killed half-way."""
    from lab import control

    console = new_console()
    names = [lab.name for lab in control.labs()] if everything else [LabStack(topology=topology).name]
    for name in names:
        tear_down(of_lab(name), console)
