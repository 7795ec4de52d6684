"""`diversite lab logs`: what the services of a host say."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.console import new_console
from cli.stacks import FLAGSHIP, lab_stack


def logs(
    host: Annotated[str, typer.Argument(help="A host, as `diversite lab status` names it.")],
    service: Annotated[str | None, typer.Argument(help="One of its services; without it, all.")] = None,
    topology: Annotated[str, typer.Option(help="Which lab.")] = FLAGSHIP,
    lines: Annotated[int, typer.Option(help="How many of the newest lines.")] = 40,
) -> None:
    """Print the newest log lines of a host's services, and where the files are."""
    from lab import control

    console = new_console(soft_wrap=True)
    for name, path in control.logs(lab_stack(topology).name, host, service).items():
        console.print(f"[bold]{host} {name}[/bold]  {path}", highlight=False)
        text = path.read_text(errors="replace").splitlines() if path.exists() else []
        for line in text[-lines:] or ["(nothing yet)"]:
            console.print(f"  {line}", markup=False, highlight=False)
