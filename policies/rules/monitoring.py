"""Monitoring: every node is watched from elsewhere, alerts come before the failure, and silence is noticed too."""

from __future__ import annotations

import re
from collections.abc import Iterator

from policies import tokens
from policies.declared import UNKNOWN, Resource
from policies.rule import Blocker, Settings, grouped, resource_rule, stack_rule
from policies.venue import Venue

EARLY = {
    "a disk that fills": r"node_filesystem_avail_bytes|disk_used_percent",
    "a clock that drifts": r"node_timex_offset_seconds|engine_last_commit_timestamp_seconds",
    "peers that are lost": r"cometbft_p2p_peers",
    "blocks that a validator misses": r"validator_last_signed_height|validator_missed_blocks",
    "round trips that grow": r"probe_icmp_duration_seconds",
    "rounds that repeat": r"consensus_round_duration_seconds|consensus_rounds",
    "a certificate that ends": r"ssl_earliest_cert_expiry",
}
"""What must call a person before it is a failure, and the series that tell it."""
EXPRESSION = re.compile(r"^\s*-?\s*[\"']?expr[\"']?:.*(?:\n\s{6,}(?!\w+:).*)*", re.MULTILINE)
ADDRESS = re.compile(r"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9.])")
ALWAYS = re.compile(r"vector\(1\)")
WATCHDOG_ROUTE = re.compile(r"alertname=.{0,4}Watchdog")


@stack_rule(
    subject="monitoring",
    severity="high",
    settings=Settings,
    remedy="Let services.prometheus render every monitor's targets from the plan.",
)
def every_node_watched(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """Every host is watched by a monitor at another site.

    What only its neighbour watches fails unseen, with the neighbour. Monitors whose configuration is not known yet are
    taken to watch what the plan says.
    """
    monitors = [host for host in venue.hosts("monitor") if venue.texts(host.name)]
    if not monitors:
        return
    watched = {host.name: {it for text in venue.texts(host.name) for it in ADDRESS.findall(text)} for host in monitors}
    yield from grouped(
        ("no monitor at another site watches it", host.urn)
        for host in venue.hosts()
        if host.address and not any(it.site != host.site and host.address in watched[it.name] for it in monitors)
    )


@stack_rule(
    subject="monitoring",
    severity="high",
    settings=Settings,
    remedy="Let services.alerts render the monitors' rules from the plan.",
)
def alerts_before_failures(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """Every monitor warns of what becomes a failure: disks, clocks, peers, blocks, round trips, rounds, certificates.

    An alert of the failure itself comes too late to prevent it.
    """
    for host in venue.hosts("monitor"):
        found = "\n".join(match for text in venue.texts(host.name) for match in EXPRESSION.findall(text))
        missing = [what for what, series in EARLY.items() if not re.search(series, found)]
        if venue.texts(host.name) and missing:
            yield Blocker(cause=f"{host.name} does not warn of {', '.join(missing)}", urns=(host.urn,))


@stack_rule(
    subject="monitoring",
    severity="high",
    settings=Settings,
    remedy="Keep the alert Watchdog (vector(1)) and a route of its own to a receiver outside the venue.",
)
def dead_mans_switch(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """Every monitor has an alert that always fires, with a route of its own.

    Whoever stops hearing it knows that the monitor is dead; without it silence looks like health.
    """
    for host in venue.hosts("monitor"):
        text = "\n".join(venue.texts(host.name))
        if text and not ALWAYS.search(text):
            yield Blocker(cause=f"no alert of {host.name} always fires", urns=(host.urn,))
        elif text and not WATCHDOG_ROUTE.search(text):
            yield Blocker(cause=f"the alert of {host.name} that always fires has no route", urns=(host.urn,))


@resource_rule(
    types=(tokens.AWS_CLOUDWATCH_METRIC_ALARM,),
    subject="monitoring",
    severity="high",
    settings=Settings,
    remedy="Declare alarm_actions, and leave actions_enabled on.",
    benchmarks=("Security Hub CloudWatch.15", "Security Hub CloudWatch.17", "checkov CKV_AWS_319"),
)
def alarm_tells_somebody(resource: Resource, _settings: Settings) -> Iterator[str]:
    """A cloud's alarm has an action, and it is enabled.

    One without is a colour on a page that nobody looks at.
    """
    actions = resource.get("alarmActions")
    if actions is not UNKNOWN and not actions:
        yield "alarmActions is not declared"
    if resource.get("actionsEnabled") is False:
        yield "actionsEnabled is false"
