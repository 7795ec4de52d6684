"""`diversite rollout`: take images, releases and boot scripts through a running venue, site by site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from cli.stacks import PROJECT, LabStack, Target, target
from diversite.errors import RolloutError

if TYPE_CHECKING:
    from rich.console import Console

    from diversite.plan import Plan
    from diversite.rollout import Step
    from rollout.course import Hands
    from rollout.monitors import Monitors

FETCH_SECONDS_MAX = 10.0
OPENED_FIRST = frozenset({"gcp"})
"""Providers whose plugin deletes no machine that its state calls protected; the others' lift the lock by themselves."""
PROMETHEUS_OUTPUT = "monitors"
"""The stack's output that names its monitors."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a rollout is to do."""

    planned: Plan
    sites: Sequence[str]
    halted: bool
    at_height: int | None

    @property
    def config(self) -> dict[str, str]:
        """Settings beside the stack's own."""
        from rollout.rehearsed import HALT_HEIGHT

        return {HALT_HEIGHT: str(self.at_height)} if self.at_height else {}


def rollout(  # noqa: PLR0913, PLR0917  a parameter an option
    stack: Annotated[str, typer.Argument(help="A stack of the clouds, or a lab: lab, lab-<topology>.")],
    sites: Annotated[list[str] | None, typer.Option("--site", help="Only this site; may be said again.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the order, and change nothing.")] = False,
    halted: Annotated[bool, typer.Option("--halted", help="The venue is halted on purpose: do not wait.")] = False,
    at_height: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Take a halt after block N instead, for the next release.")
    ] = None,
    prometheus: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="Where a monitor answers; default: the stack's outputs.")
    ] = None,
) -> None:
    """Take a change that stops hosts site by site, each waited for until its validators sign again.

    It stops at the first trouble and says how to go on: the same command passes over what is done. Exit code 0: every
    site has the change; 1: `--dry-run` found a site that must not be taken; 2: it stopped, or could not begin.
    """
    from cli.console import new_console
    from diversite import stackfile
    from diversite.plan import plan

    wanted, console = target(stack), new_console()
    planned = plan(stackfile.load(wanted.file.path))
    if dry_run:
        raise typer.Exit(_tell_order(planned, sites or (), console))
    if at_height and halted:
        raise typer.BadParameter("a venue that is halted already makes no blocks up to there", param_hint="--at-height")
    asked = Asked(planned=planned, sites=sites or (), halted=halted, at_height=at_height)
    if wanted.is_lab:
        _in_lab(wanted, asked, console)
    else:
        _in_clouds(wanted, asked, prometheus or (), console)


def _tell_order(planned: Plan, sites: Sequence[str], console: Console) -> int:
    from cli.console import new_table
    from diversite.rollout import steps

    table, found = new_table("step", "site", "place", "power", "meanwhile"), steps(planned, sites)
    for number, step in enumerate(found, start=1):
        table.add_row(str(number), step.site, planned.sites[step.site].place.id, step.share, _meanwhile(step))
    console.print(table)
    return 1 if any(step.blockers for step in found) else 0


def _meanwhile(step: Step) -> str:
    went_on = step.outcome.rto_seconds
    if step.blockers or went_on is None:
        return f"must not be taken: {step.blockers[0] if step.blockers else step.outcome.reason}"
    return f"orders are acknowledged again after {went_on.low:.1f} to {went_on.high:.1f} s"


def _in_lab(wanted: Target, asked: Asked, console: Console) -> None:
    import offline
    from cli.progress import Deployment
    from drills.observer import Observer
    from lab import world
    from rollout.monitors import Monitors
    from rollout.rehearsed import Rehearsed

    lab, planned = LabStack(topology=wanted.file.name), asked.planned
    if world.find(lab.name) is None:
        raise RolloutError(f"lab {lab.name} does not run; `diversite lab up {lab.topology}` starts it")
    with Deployment(console, "taking") as deployment, Observer(lab.name, planned) as observer:
        project, config = offline.Project.load(PROJECT), {**lab.config, **asked.config}
        hands = Rehearsed(project, wanted.stack, config, planned.hosts, on_event=deployment.on_event)

        def fetch(url: str) -> str:
            (host,) = (it for it in planned.of_role("monitor") if str(it.address) == urlsplit(url).hostname)
            (answer,) = observer.ask([(host, url)])
            if not answer.ok:
                raise OSError(answer.error or f"status {answer.status}")
            return answer.body

        _run(asked, hands, Monitors(_validators(planned), _monitors(planned), fetch), wanted.stack, console)


def _in_clouds(wanted: Target, asked: Asked, prometheus: Sequence[str], console: Console) -> None:
    from rollout.engine import Engine
    from rollout.monitors import Monitors

    opened = [site for site, it in asked.planned.sites.items() if it.place.provider in OPENED_FIRST]
    hands = Engine(wanted.settings, wanted.stack, asked.planned.hosts, asked.config, opened)
    addresses = tuple(prometheus) or tuple(hands.output(PROMETHEUS_OUTPUT).values())
    _run(asked, hands, Monitors(_validators(asked.planned), addresses, _fetch), wanted.stack, console)


def _run(asked: Asked, hands: Hands, monitors: Monitors, stack: str, console: Console) -> None:
    from rollout.course import Course

    def tell(line: str) -> None:
        console.print(line, markup=False, highlight=False)

    done = Course(
        plan=asked.planned,
        hands=hands,
        monitors=monitors,
        tell=tell,
        sites=asked.sites,
        halted=asked.halted,
        at_height=asked.at_height,
    ).run()
    tell(f"{asked.planned.venue}: {', '.join(done)} taken" if done else f"{asked.planned.venue}: nothing differs")
    if asked.at_height:
        tell(f"after block {asked.at_height} it halts; then name the release in the stack file, and:")
        tell(f"  diversite rollout {stack} --halted")


def _fetch(url: str) -> str:
    from urllib.request import urlopen

    if not url.startswith(("http://", "https://")):
        raise RolloutError(f"{url}: a monitor is reached over http or https")
    with urlopen(url, timeout=FETCH_SECONDS_MAX) as answer:  # noqa: S310  checked above
        return str(answer.read().decode())


def _validators(planned: Plan) -> tuple[str, ...]:
    return tuple(host.name for host in planned.of_role("validator"))


def _monitors(planned: Plan) -> tuple[str, ...]:
    from diversite import ports

    return tuple(f"http://{host.address}:{ports.PROMETHEUS}" for host in planned.of_role("monitor"))
