"""`diversite lab shell`: a shell on a host of the lab."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.stacks import FLAGSHIP, lab_stack


def shell(
    host: Annotated[str, typer.Argument(help="A host, as `diversite lab status` names it.")],
    command: Annotated[list[str] | None, typer.Argument(help="A command instead of a shell.")] = None,
    topology: Annotated[str, typer.Option(help="Which lab.")] = FLAGSHIP,
) -> None:
    """Open a shell, or run a command, in a host's network and with its disk."""
    from lab import control

    raise typer.Exit(control.shell(lab_stack(topology).name, host, command or ()))
