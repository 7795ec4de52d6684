"""`diversite lab show`: the main job. Deploys the flagship, shows it, loses a site, heals it, removes it.

Ends 0 only if everything that it shows is true; each claim is a line with its own mark.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.console import new_console, new_table
from cli.lab.up import borrowed
from cli.stacks import FLAGSHIP, LabStack, lab_stack

if TYPE_CHECKING:
    from diversite.plan import Plan
    from drills.rehearsal import Books, Pair, Survival

READY_SECONDS_MAX = 60
FIRST_BLOCK_SECONDS_MAX = 15
"""On 2 cores, with the tools installed."""
SECONDS_PER_MONTH = 30 * 24 * 3600
BYTES_PER_TERABYTE = 10**12


class Claims:
    """What was shown, each with whether it is true."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.are_true = True

    def state(self, truth: bool, claim: str) -> None:
        """Print a claim with its mark."""
        self.are_true &= truth
        mark = "[green]  ✓[/green]" if truth else "[red]  ✗ NOT TRUE:[/red]"
        self._console.print(f"{mark} {claim}", highlight=False)


def show(
    topology: Annotated[str, typer.Argument(help="A topology in stacks/.")] = FLAGSHIP,
    lose: Annotated[str | None, typer.Option(help="The site to lose; without it, the first proposer's.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the lab running.")] = False,
) -> None:
    """Deploy a venue here, lose one of its sites under load, and show what that did."""
    console = new_console()
    stack = lab_stack(topology)
    site = lose or stack.plan.proposer_sites[0]
    if site not in stack.plan.sites:
        raise typer.BadParameter(f"{site!r} is no site of {topology}; it has {', '.join(stack.plan.sites)}")
    claims = Claims(console)
    began = time.monotonic()
    with borrowed(stack, console, keep):
        _rehearse(stack, site, began, console, claims)
    raise typer.Exit(0 if claims.are_true else 1)


def _rehearse(stack: LabStack, site: str, began: float, console: Console, claims: Claims) -> None:
    from drills.observer import Observer
    from drills.rehearsal import Phases, Rehearsal

    with Observer(stack.name, stack.plan) as observer:
        rehearsal = Rehearsal(stack.name, stack.plan, observer)
        rehearsal.await_blocks(READY_SECONDS_MAX)
        seconds = time.monotonic() - began
        claims.state(
            seconds <= FIRST_BLOCK_SECONDS_MAX,
            f"every engine has blocks and could acknowledge {seconds:.1f} s after the deployment began, "
            f"within {FIRST_BLOCK_SECONDS_MAX} s",
        )
        console.print(_sites(stack.plan, rehearsal.heights()))
        pairs = rehearsal.round_trips()
        console.print(_pairs(pairs))
        claims.state(all(pair.is_true for pair in pairs), _fidelity(pairs))
        phases = Phases()
        console.print(
            f"\n{phases.rate} orders a second over every entrance; {phases.calm_seconds:.0f} s on, {site} is lost"
        )
        with tempfile.TemporaryDirectory(prefix="diversite-") as directory, console.status("clients send orders"):
            found = rehearsal.survive(site, phases, Path(directory) / "orders.jsonl")
        console.print(_orders(found))
        _tell_limit(stack.plan, found, console)
        _claim(stack.plan, found, claims, console)


def _claim(planned: Plan, found: Survival, claims: Claims, console: Console) -> None:
    recovery, safety = found.recovery_seconds or 0.0, found.safety
    claims.state(found.before.are_equal, f"before, {_same(found.before)}")
    claims.state(
        found.went_on,
        f"without {found.site} the venue went on: an order sent after the loss was acknowledged {recovery:.2f} s "
        f"after it, and {found.degraded.height - found.before.height} blocks were made",
    )
    claims.state(found.degraded.are_equal, f"without {found.site}, {_same(found.degraded)}")
    if found.returned_seconds is not None:
        seconds = found.returned_seconds - found.healed_seconds
        claims.state(True, f"{found.site} could acknowledge again {seconds:.1f} s after it was given back")
    claims.state(found.after.are_equal, f"after, {_same(found.after)}")
    claims.state(
        not safety.forks, f"at each of {safety.heights} heights every engine and every validator tells the same"
    )
    claims.state(
        not safety.missing,
        f"all {found.acknowledged} acknowledged orders are in the blocks of {' and of '.join(safety.witnesses)}",
    )
    claims.state(not safety.repeated, "none of them was executed twice")
    if claims.are_true:
        place = planned.sites[found.site].place
        console.print(
            f"\n[bold]Shown: {planned.venue} went on without {found.site} ({place.provider}, {place.city}) after "
            f"{recovery:.2f} s; all {found.acknowledged} acknowledged orders are still there, "
            "the same on every book.[/bold]",
            highlight=False,
        )


def _tell_limit(planned: Plan, found: Survival, console: Console) -> None:
    terabytes = found.carried_bytes_per_second * SECONDS_PER_MONTH / BYTES_PER_TERABYTE
    console.print(
        f"the wire alone takes {planned.order_limit_ms:.0f} ms at the median in this placement; "
        f"the gossip that stays near it costs {terabytes:.1f} TB of egress a month over all sites",
        highlight=False,
    )


def _orders(found: Survival) -> Table:
    from drills import load

    phases = {
        "calm": (0.0, found.began_seconds),
        "site lost": (found.began_seconds, found.healed_seconds),
        "site back": (found.healed_seconds, float("inf")),
    }
    table = new_table("orders", "sent", "acknowledged", "p50 ms", "p99 ms", "longest gap ms")
    for name, (start, end) in phases.items():
        told = load.summary(load.between(found.lines, start, end))
        gap = told["longest_gap_seconds"]
        figures = (told["p50_ms"], told["p99_ms"], None if gap is None else gap * 1000)
        table.add_row(name, str(told["orders"]), str(told["acknowledged"]), *map(_ms, figures))
    return table


def _sites(planned: Plan, heights: Mapping[str, int | None]) -> Table:
    columns = ("site", "place", "city", "local grid", "synchronous area", "validator", "power", "height")
    table = new_table(*columns)
    for host in planned.of_role("validator"):
        place = planned.sites[host.site].place
        grids = (place.grid.local_grid or "unknown", place.grid.synchronous_area or "unknown")
        share = f"{host.voting_power / sum(planned.power_by_site.values()):.1%}"
        table.add_row(host.site, place.id, place.city, *grids, host.key, share, str(heights.get(host.site) or "-"))
    return table


def _pairs(pairs: tuple[Pair, ...]) -> Table:
    table = new_table("round trip", "catalogue ms", "planned ms", "observed ms", "by way of")
    for pair in pairs:
        mark = "" if pair.is_true else " ✗"
        figures = (_ms(pair.catalogue_ms), _ms(pair.planned_ms), f"{pair.observed_ms:.2f}{mark}")
        table.add_row(f"{pair.a} - {pair.b}", *figures, " ".join(pair.via) or "direct")
    return table


def _fidelity(pairs: tuple[Pair, ...]) -> str:
    worst = max(pairs, key=lambda pair: abs(pair.observed_ms - pair.planned_ms))
    return (
        f"{len(pairs)} round trips within 1 ms of the plan up to 40 ms, within 2 % beyond; "
        f"the worst, {worst.a} - {worst.b}, is off by {abs(worst.observed_ms - worst.planned_ms):.2f} ms"
    )


def _same(books: Books) -> str:
    first = next((value[:16] for value in books.hashes.values() if value), "none")
    return f"all {len(books.hashes)} books have the same hash at height {books.height}: {first}…"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
