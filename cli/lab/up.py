"""`diversite lab up`: deploy a topology in the lab. Here is also what the other commands share: removing a venue, and
having one for as long as a command lasts.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.console import new_console
from cli.stacks import FLAGSHIP, PROJECT, LabStack, lab_stack
from diversite.errors import DiversiteError, OfflineError

if TYPE_CHECKING:
    from lab.supervision import Status


def up(
    topology: Annotated[str, typer.Argument(help="A topology in stacks/.")] = FLAGSHIP,
    at_once: Annotated[bool, typer.Option("--at-once", help="Even what stops a third of the power together.")] = False,
) -> None:
    """Deploy a topology in the lab; a second time changes only what differs.

    Exit code 1: it would stop too much of the running venue at once, which `diversite rollout` takes site by site.
    """
    deploy(lab_stack(topology), new_console(), at_once=at_once)


def deploy(stack: LabStack, console: Console, *, at_once: bool = False) -> float:
    """Deploy, telling every step; how many seconds it took. Ends the command where it fails or is refused."""
    import offline
    from cli.progress import Deployment

    planned = stack.plan  # a file with problems is told before anything starts
    console.print(
        f"[bold]{planned.venue}[/bold] as lab {stack.name}: {len(planned.sites)} sites, {len(planned.hosts)} hosts"
    )
    _forget_what_is_gone(stack, console)
    if not at_once:
        _refuse_too_much(stack, console)
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


def _refuse_too_much(stack: LabStack, console: Console) -> None:
    """Hosts that one `up` would stop together are a loss like any other."""
    import offline
    from cli import changes
    from lab import control, world

    if world.find(stack.name) is None:
        return
    previewed = offline.preview(offline.Project.load(PROJECT), stack.name, config=stack.config)
    down = [name for name, host in control.status(stack.name).hosts.items() if not _runs(host.services.values())]
    found = changes.of_lab(stack.name, previewed, stack.plan, down=down) if previewed.ok else None
    if found and not found.met:
        changes.tell(found, stack.name, console)
        console.print("nothing was changed; --at-once changes it all the same", highlight=False)
        raise typer.Exit(1)


def _runs(services: Iterable[Status]) -> bool:
    return any(service.up for service in services)


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
        try:
            outcome = destroy()
        except OfflineError:
            control.down(stack.name)
            console.print(f"the lab {stack.name} is ended; its state could not be brought up to date")
            raise
        control.down(stack.name)
        if not outcome.ok and not outcome.interrupted:
            outcome = destroy()
    if not outcome.ok:
        deployment.tell_failure(outcome.errors)
        raise typer.Exit(2)
    console.print(f"removed in {outcome.seconds:.1f} s: {sum(deployment.counts.values())} resources", highlight=False)


@contextmanager
def borrowed(stack: LabStack, console: Console, keep: bool) -> Iterator[None]:
    """A venue in the lab while a command breaks it: deployed before, removed after unless it was there or is kept.

    Raises:
        DiversiteError: another command has it.
    """
    from lab import world

    lock = PROJECT / ".state" / f"{stack.name}.borrowed"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DiversiteError(
                f"lab {stack.name}: another `show` or `drill` is breaking it. Wait for that, or use another checkout."
            ) from None
        was_there = world.find(stack.name) is not None
        try:
            deploy(stack, console)
            yield
        except DiversiteError as error:  # told before the lab and its logs are gone
            console.print(f"failed: {error}", style="red", markup=False, highlight=False)
            raise typer.Exit(2) from error
        finally:
            if keep or was_there:
                console.print(f"left running: diversite lab down {stack.topology} removes it", highlight=False)
            else:
                tear_down(stack, console)


def _forget_what_is_gone(stack: LabStack, console: Console) -> None:
    """After a reboot, or when the lab was ended by other hands, the state still tells of it."""
    import offline
    from lab import world

    project = offline.Project.load(PROJECT)
    if world.find(stack.name) is None and project.state_file(stack.name).exists():
        gone = offline.refresh(project, stack.name, config=stack.config).gone
        if gone:
            console.print(f"  {len(gone)} resources of the state are gone, and are made anew", highlight=False)
