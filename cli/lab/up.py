"""`diversite lab up`: deploy a topology in the lab."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from cli.console import new_console
from cli.stacks import FLAGSHIP, PROJECT, LabStack, lab_stack


def up(topology: Annotated[str, typer.Argument(help="A topology in stacks/.")] = FLAGSHIP) -> None:
    """Deploy a topology in the lab; a second time changes only what differs."""
    stack = lab_stack(topology)
    deploy(stack, new_console())


def deploy(stack: LabStack, console: Console) -> float:
    """Deploy, telling every step; how many seconds it took. Ends the command where it fails."""
    import offline
    from cli.progress import Deployment

    planned = stack.plan  # a file with problems is told before anything starts
    console.print(
        f"[bold]{planned.venue}[/bold] as lab {stack.name}: {len(planned.sites)} sites, {len(planned.hosts)} hosts"
    )
    with Deployment(console, "deploying") as deployment:
        outcome = offline.up(
            offline.Project.load(PROJECT), stack.name, config=stack.config, on_event=deployment.on_event
        )
    if not outcome.ok:
        deployment.tell_failure(outcome.errors)
        raise typer.Exit(2)
    changed = ", ".join(f"{count} {step}d" for step, count in sorted(deployment.counts.items())) or "nothing changed"
    console.print(f"deployed in {outcome.seconds:.1f} s: {changed}", highlight=False)
    return outcome.seconds


def tear_down(stack: LabStack, console: Console) -> None:
    """Delete what was deployed, in the order of its dependencies; then the lab, whatever is left of it.

    Where a step fails (an earlier `up` was killed in the middle of one), the lab is ended as a whole, and its state
    then forgets what is gone.
    """
    import offline
    from cli.progress import Deployment
    from lab import control

    def destroy() -> offline.Outcome:
        project = offline.Project.load(PROJECT)
        return offline.destroy(project, stack.name, config=stack.config, on_event=deployment.on_event)

    with Deployment(console, "removing") as deployment:
        outcome = destroy()
        control.down(stack.name)
        if not outcome.ok and not outcome.interrupted:
            outcome = destroy()
    if not outcome.ok:
        deployment.tell_failure(outcome.errors)
        raise typer.Exit(2)
    console.print(f"removed in {outcome.seconds:.1f} s: {sum(deployment.counts.values())} resources", highlight=False)
