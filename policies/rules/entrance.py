"""Entrances: orders find an engine that could acknowledge them, soon after one dies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policies import tokens
from policies.declared import UNKNOWN, Resource
from policies.rule import Blocker, Settings, at_least, at_most, grouped, resource_rule, stack_rule
from policies.venue import Venue

SERVER = re.compile(r"^\s*server\s+\S+\s+([0-9.]+):\d+", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Where a balancer declares how often it checks and how many failures count, and what its cloud takes otherwise."""

    interval: tuple[str, ...]
    seconds: int
    failures: tuple[str, ...]
    count: int


_GOOGLES = Probe(interval=("checkIntervalSec",), seconds=5, failures=("unhealthyThreshold",), count=2)
PROBES: Mapping[str, Probe] = {
    tokens.AWS_LB_TARGET_GROUP: Probe(
        interval=("healthCheck", "interval"), seconds=30, failures=("healthCheck", "unhealthyThreshold"), count=3
    ),
    tokens.GCP_HEALTH_CHECK: _GOOGLES,
    tokens.GCP_REGION_HEALTH_CHECK: _GOOGLES,
    tokens.HCLOUD_LOAD_BALANCER_SERVICE: Probe(
        interval=("healthCheck", "interval"), seconds=15, failures=("healthCheck", "retries"), count=3
    ),
}


class Entrance(Settings):
    """Bounds of the entrances."""

    detection_ms_max: float = at_most(2000)
    """The longest time until an engine that died gets no more orders."""
    engine_sites_min: int = at_least(2)
    """Sites with engines that each entrance reaches."""


class Balancers(Settings):
    """Bounds of the clouds' own balancers, which check no faster than every 5 s (AWS)."""

    balancer_detection_seconds_max: float = at_most(10)
    """Interval times failures."""


@stack_rule(
    subject="entrance",
    severity="high",
    settings=Entrance,
    remedy="Let services.haproxy render the balancer's configuration from the plan.",
)
def health_checks_fast(venue: Venue, settings: Entrance) -> Iterator[Blocker]:
    """Every entrance checks its engines, fast enough for the recovery bound.

    Until a dead engine is noticed its share of the orders is lost time. Where an entrance's configuration is not known
    yet, the plan's health check is judged.
    """
    plan = venue.expected.plan
    rto_seconds = plan.topology.bounds.recovery.rto_seconds_max if plan else None
    most_ms = min(settings.detection_ms_max, (rto_seconds or float("inf")) * 1000)
    for host in venue.hosts("entry"):
        check = venue.checks.get(host.name)
        if check is None and venue.texts(host.name) and None not in venue.documents[host.name]:
            yield Blocker(cause=f"{host.name} declares no health check", urns=(host.urn,))
        elif check and check.detection_ms > most_ms:
            cause = f"{host.name} notices a dead engine after {check.detection_ms} ms; {most_ms:g} ms is the most"
            yield Blocker(cause=cause, urns=(host.urn,))


@stack_rule(
    subject="entrance",
    severity="high",
    settings=Entrance,
    remedy="List engines of other sites as backups.",
)
def reaches_two_sites(venue: Venue, settings: Entrance) -> Iterator[Blocker]:
    """No entrance stands in front of the engines of one site only.

    With that site it would stop taking orders, although it runs itself.
    """
    site_of = {host.address: host.site for host in venue.hosts("engine")}
    yield from grouped(
        (f"it reaches engines at {len(sites)} site(s); {settings.engine_sites_min} are needed", host.urn)
        for host in venue.hosts("entry")
        if (servers := [address for text in venue.texts(host.name) for address in SERVER.findall(text)])
        and len(sites := {site_of[address] for address in servers if address in site_of}) < settings.engine_sites_min
    )


@resource_rule(
    types=PROBES,
    subject="entrance",
    severity="high",
    settings=Balancers,
    remedy="Declare a shorter interval, or fewer failures, of the balancer's health check.",
)
def balancer_checks_fast(resource: Resource, settings: Balancers) -> Iterator[str]:
    """A cloud's balancer checks what is behind it, fast enough.

    The clouds' defaults take from ten seconds to a minute and a half.
    """
    probe = PROBES[resource.type]
    interval, failures = resource.get(*probe.interval), resource.get(*probe.failures)
    if interval is UNKNOWN or failures is UNKNOWN:
        yield "its health check is not known before the deployment"
        return
    seconds = float(interval or probe.seconds) * float(failures or probe.count)
    if seconds > settings.balancer_detection_seconds_max:
        yield f"it notices after {seconds:g} s; {settings.balancer_detection_seconds_max:g} s is the most"
