"""`diversite lab status`: what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.console import new_console, new_table
from cli.stacks import lab_stack

if TYPE_CHECKING:
    from lab.control import LabStatus
    from lab.supervision import Status


def status(
    topology: Annotated[str | None, typer.Argument(help="A topology in stacks/; without it, every lab.")] = None,
) -> None:
    """Show the hosts of a lab, their services, and what its wires carry."""
    from lab import control

    console = new_console()
    if topology is None:
        found = control.labs()
        if not found:
            console.print("no lab here; `diversite lab up` starts the flagship")
        for lab in found:
            _show(lab, console)
    else:
        _show(control.status(lab_stack(topology).name), console)


def _show(lab: LabStatus, console: Console) -> None:
    state = "running" if lab.running else f"not running; `diversite lab down {lab.name}` clears what is left"
    console.print(f"[bold]{lab.name}[/bold] of {lab.owner}: {state}; wires by {lab.wire_kind}", highlight=False)
    if not lab.running:
        return
    hosts = new_table("site", "host", "services")
    for name, host in sorted(lab.hosts.items(), key=lambda item: (item[1].site, item[0])):
        services = [f"{each} {_since(told)}" for each, told in host.services.items()]
        hosts.add_row(host.site, name, ", ".join(services) or "-")
    console.print(hosts)
    cut = [f"{name} ({wire.cut})" for name, wire in lab.wires.items() if wire.cut]
    console.print(f"{len(lab.wires)} wires, cut: {', '.join(cut) or 'none'}", highlight=False)


def _since(told: Status) -> str:
    return f"[green]up[/green] {told.seconds} s" if told.up else f"[red]down[/red] {told.seconds} s"
