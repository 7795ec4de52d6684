"""A predicted outcome, told to a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from cli.console import new_table

if TYPE_CHECKING:
    from diversite.kept import Kept, Seconds
    from diversite.network import Route
    from diversite.outcome import Outcome
    from diversite.plan import Plan
    from diversite.processing import Interval
    from diversite.recovery import Term

STYLES = {"continues": "bold green", "halts_safely": "bold yellow", "could_lose_data": "bold red"}


def as_text(plan: Plan, outcome: Outcome, console: Console) -> None:
    """What continues, what does not, how soon, and what must be done."""
    lost = " and ".join(map(str, outcome.lost)) or "nothing"
    down = f", with {', '.join(sorted(outcome.down))} down before" if outcome.down else ""
    console.print(f"{plan.venue}: loses {lost}{down}", markup=False)
    console.print(f"the venue {outcome.outcome.replace('_', ' ')}", style=STYLES[outcome.outcome])
    for line in _lines(plan, outcome):
        console.print(f"  {line}", markup=False)
    _entrances(outcome, console)
    _reroutes(outcome, console)
    _recovery(outcome, console)
    for action in outcome.actions or ("nothing",):
        console.print(f"to do: {action}", style="bold" if outcome.actions else None, markup=False)


def _lines(plan: Plan, outcome: Outcome) -> Iterator[str]:
    yield f"consensus {outcome.consensus.replace('_', ' ')}: {outcome.reason}"
    yield f"engines: {_engines(outcome)}"
    yield f"monitoring: {_monitoring(outcome)}"
    yield f"links lost: {_listed(outcome.links_lost)} ({len(outcome.links_lost)} of {len(plan.links)})"
    yield f"acknowledged orders lost: {'any number may be' if outcome.orders_lost is None else outcome.orders_lost}"
    yield from _times(outcome)
    yield from (f"{item.name} {_kept(item)}" for item in outcome.kept)
    yield from (f"counted as lost because it is not known: {item.reason}" for item in outcome.unknown)


def _times(outcome: Outcome) -> Iterator[str]:
    if outcome.rto_seconds:
        yield f"first acknowledgement of a new order after {_span(outcome.rto_seconds)} s"
    else:
        yield "no order is acknowledged before a repair"
    if outcome.gap_seconds:
        yield f"longest gap between acknowledgements, over a rotation of proposers: {_span(outcome.gap_seconds)} s"
    if outcome.resume_seconds:
        yield f"from the repair to the next block: {_span(outcome.resume_seconds)} s"
    if outcome.latency:
        p50, p99 = outcome.latency.p50_ms, outcome.latency.p99_ms
        yield f"acknowledgements until the lost are back: p50 {_span(p50, 0)} ms, p99 {_span(p99, 0)} ms"


def _kept(item: Kept) -> str:
    if item.recovery is None:
        return f"{item.outcome.replace('_', ' ')} until it is repaired: {item.reason}"
    again = f", again after {_span(item.recovery, 1)} s" if item.recovery.high else ""
    return f"continues: {item.reason}{again}"


def _engines(outcome: Outcome) -> str:
    states: dict[str, list[str]] = defaultdict(list)
    for name, state in outcome.engines.items():
        states[state].append(name)
    return "; ".join(f"{state}: {_listed(names)}" for state, names in states.items())


def _monitoring(outcome: Outcome) -> str:
    unseen = f"; unseen sites: {_listed(outcome.monitoring.unseen_sites)}" * bool(outcome.monitoring.unseen_sites)
    return f"{_listed(outcome.monitoring.watching)} watch{unseen}"


def _entrances(outcome: Outcome, console: Console) -> None:
    rows = new_table("entrance", "serves", "engines at", "round trip, ms", "its clients go on after, s")
    for name, entrance in outcome.entrances.items():
        rtt = "-" if entrance.rtt_ms is None else f"{entrance.rtt_ms:.1f}"
        rto = _span(entrance.rto_seconds) if entrance.rto_seconds else "-"
        rows.add_row(name, "yes" if entrance.serves else "no", entrance.engine_site or "-", rtt, rto)
    console.print(rows)


def _reroutes(outcome: Outcome, console: Console) -> None:
    rows = new_table("rerouted", "was over", "ms", "is over", "ms")
    for reroute in outcome.reroutes:
        rows.add_row(" - ".join(reroute.sites), *_route(reroute.before), *_route(reroute.after))
    if rows.row_count:
        console.print(rows)


def _route(route: Route | None) -> tuple[str, str]:
    return ("nothing: cut off", "-") if route is None else (_listed(route.links), f"{route.rtt_ms:.1f}")


def _recovery(outcome: Outcome, console: Console) -> None:
    if outcome.recovery is None:
        return
    rows = new_table("part of the recovery", "at", "ms", "source")
    _terms(rows, "every order", outcome.recovery.terms)
    for entrance, terms in outcome.recovery.entrances.items():
        _terms(rows, entrance, terms)
    if rows.row_count:
        console.print(rows)


def _terms(rows: Table, where: str, terms: Iterable[Term]) -> None:
    for term in terms:
        rows.add_row(term.name, where, _span(term.ms, 0), term.source)


def _span(interval: Interval | Seconds, digits: int = 2) -> str:
    return f"{interval.low:.{digits}f} to {interval.high:.{digits}f}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
