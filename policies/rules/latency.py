"""Latency: the topology's bounds in time, and whether the figures behind them can be believed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

from diversite import consensus
from diversite.geography import great_circle_km
from policies.rule import Blocker, Settings, at_least, at_most, grouped, stack_rule
from policies.rules.judging import judged
from policies.venue import Venue

FLOOR_TOLERANCE_US = 1
"""A wire's delay is given in whole microseconds."""
TIME_OUT = re.compile(r'^timeout_(propose|prevote|precommit) = "(\d+(?:\.\d+)?)(ms|s)"', re.MULTILINE)
MS_PER = {"ms": 1, "s": 1000}


class Latency(Settings):
    """Bounds in time beside the topology's."""

    replica_rtt_ms_max: float = at_most(100)
    """The round trip from any engine to the nearest at another site, which could follow it synchronously."""


class Evidence(Settings):
    """What the figures must be worth."""

    metro_distance_km_min: float = at_least(40)
    """What is nearer than this is one event's reach, whatever the two metros are called."""


@stack_rule(
    subject="latency",
    severity="high",
    settings=Settings,
    remedy="Move the power nearer together, or raise the bound in the stack file.",
)
def quorum_latency(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """The slowest proposer hears from a quorum in time, with everything up and after each named loss.

    A block takes as long as its quorum.
    """
    yield from judged(venue, "bounds.quorum_rtt_ms_max", "bounds.quorum_rtt_after_loss_ms_max")


@stack_rule(
    subject="latency",
    severity="high",
    settings=Settings,
    remedy="Add a more direct link, or raise the bound in the stack file.",
)
def pair_latency(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """Any two sites reach each other in time over the declared links.

    The longest pair sets the consensus time-outs.
    """
    yield from judged(venue, "bounds.pair_rtt_ms_max")


@stack_rule(
    subject="latency",
    severity="high",
    settings=Settings,
    remedy="Detect faster (BFD, health checks), or raise the bound in the stack file.",
)
def recovery(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """The venue goes on in time after each named loss, without losing an acknowledged order.

    Judged with the detection timers that the hosts are really given.
    """
    yield from judged(venue, "bounds.recovery")


@stack_rule(
    subject="latency",
    severity="high",
    settings=Settings,
    remedy="Take the wire's delay from the plan: half of the catalogue's round trip.",
)
def above_the_floor(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """No link is declared faster than light in fibre between its ends.

    A rehearsal over such a wire proves nothing of the venue.
    """
    if venue.plan is None:
        return
    for name, fact in venue.facts.links.items():
        link = venue.plan.links.get(name)
        if link is None or fact.one_way_us is None:
            continue
        floor_us = link.rtt.floor_ms * 1000 / 2
        if fact.one_way_us < floor_us - FLOOR_TOLERANCE_US:
            yield Blocker(
                cause=f"{name} takes {fact.one_way_us} us one way; light in fibre takes {floor_us:.0f} us",
                urns=(fact.urn,),
            )


@stack_rule(
    subject="latency",
    severity="high",
    settings=Settings,
    remedy="Take the time-outs from the plan, which has them from the latency matrix.",
)
def time_outs_fit(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """Consensus time-outs fit the latency matrix of what is declared.

    Shorter ones give proposals up that are on their way: the venue halts without a failure. Where a validator's
    configuration is not known yet, the topology's time-outs are judged.
    """
    yield from judged(venue, "time-outs")
    if venue.plan is None:
        return
    needed = consensus.timing(venue.plan.one_way_ms, venue.plan.power_by_site)
    wanted = {"propose": needed.propose_ms, "prevote": needed.prevote_ms, "precommit": needed.precommit_ms}
    yield from grouped(
        (f"timeout_{name} is {found_ms:g} ms; the matrix needs {wanted[name]} ms", host.urn)
        for host in venue.hosts("validator")
        for name, found_ms in _time_outs_ms(venue, host.name)
        if found_ms < wanted[name]
    )


def _time_outs_ms(venue: Venue, host: str) -> Iterator[tuple[str, float]]:
    for text in venue.texts(host):
        for name, figure, unit in TIME_OUT.findall(text):
            yield name, float(figure) * MS_PER[unit]


@stack_rule(
    subject="latency",
    severity="medium",
    settings=Latency,
    remedy="Add an engine nearer by, at another site.",
)
def synchronous_replica(venue: Venue, settings: Latency) -> Iterator[Blocker]:
    """Every engine has another at a different site within the bound of a synchronous replica.

    One that is alone far away can be followed only with a lag, and takes its tail with it.
    """
    plan = venue.plan
    if plan is None:
        return
    sites = {host.site for host in venue.hosts("engine")}
    for host in venue.hosts("engine"):
        others = [route.rtt_ms for (a, b), route in plan.routes.items() if a == host.site and b in sites and b != a]
        if min(others, default=float("inf")) > settings.replica_rtt_ms_max:
            nearest = f"{min(others):.1f} ms away" if others else "out of reach"
            cause = f"the next engine of {host.name} is {nearest}; {settings.replica_rtt_ms_max:g} ms is the most"
            yield Blocker(cause=cause, urns=(host.urn,))


@stack_rule(
    subject="latency",
    severity="low",
    settings=Settings,
    mandatory=False,
    remedy="Measure it (a rehearsal does not: it replays the catalogue), and add it with its source.",
)
def evidence_good(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """Every link's round trip was measured, and not too long ago.

    Where nobody measured, bounds are kept on paper only.
    """
    links = venue.plan.links.values() if venue.plan else ()
    weak = [
        (link.name, "estimated" if link.rtt.basis == "estimated" else "measured too long ago")
        for link in links
        if link.rtt.old or link.rtt.basis == "estimated"
    ]
    yield from grouped((f"the round trip is {why}", venue.facts.links[name].urn) for name, why in weak)


@stack_rule(
    subject="latency",
    severity="medium",
    settings=Evidence,
    mandatory=False,
    remedy="Move one of the two farther away, or count both metros as one.",
)
def minimum_distance(venue: Venue, settings: Evidence) -> Iterator[Blocker]:
    """Validators in different metros are far enough apart not to fail in one event.

    A flood or a blackout knows no metro.
    """
    places = {place.id: place for host in venue.hosts("validator") if (place := venue.place(host))}
    for a, b in combinations(sorted(places), 2):
        here, there = places[a], places[b]
        distance_km = great_circle_km((here.latitude, here.longitude), (there.latitude, there.longitude))
        if here.metro != there.metro and distance_km < settings.metro_distance_km_min:
            cause = f"{a} and {b} are {distance_km:.0f} km apart; {settings.metro_distance_km_min:g} km are the least"
            yield Blocker(cause=cause, urns=tuple(h.urn for h in venue.hosts("validator") if h.place in (a, b)))
