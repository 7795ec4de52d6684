"""What Google's alarms look at, in Google's language: a metric or a log, and a filter.

Names of metrics and logs are Google's published ones (cloud.google.com/monitoring/api/metrics_gcp), as of 2026-11-22;
no interface tells before the alarm is made whether a name exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from diversite.plan import Plan
from diversite.underlay import regions, underlays

PROVIDER = "gcp"


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What an alarm looks at."""

    name: str
    says: str
    """What is wrong, and what to look at first."""
    filter: str
    """Of the series of a metric; of the entries of a log."""
    when: Literal["silent", "below", "logged"]
    """A series that ends; one whose values come below `least`; an entry of a log."""
    aligner: str = "ALIGN_MIN"
    """How the values of a minute become one."""
    least: float = 1


def watches(plan: Plan, account: str) -> Iterator[Watch]:
    """What every project's alarms look at: its machines, and the private paths that end in it."""
    yield from _machines(plan)
    ends = [(it.kind, end) for it in underlays(plan) for end in (it.a, it.b)]
    kinds = {kind for kind, end in ends if (end.provider, end.account) == (PROVIDER, account)}
    if "vpn" in kinds:
        yield Watch(
            name="tunnel-down",
            says="A managed tunnel is down: the others of its path carry the links. Look at both ends' tunnel status.",
            filter='metric.type = "vpn.googleapis.com/tunnel_established" AND resource.type = "vpn_gateway" '
            f'AND metric.labels.tunnel_name = starts_with("{plan.venue}-")',
            when="below",
        )
    if kinds & {"vpn", "circuit"}:
        yield Watch(
            name="session-down",
            says="A routing session of a private path is down: its routes are gone. Look at the router's status.",
            filter='metric.type = "router.googleapis.com/bgp/session_up" AND resource.type = "gce_router" '
            f"AND resource.labels.region = one_of({_regions(plan, account)})",
            when="below",
            aligner="ALIGN_FRACTION_TRUE",
        )


def unreached(host: str) -> Watch:
    """An entrance that does not answer; its check's id is still to be added to the filter."""
    return Watch(
        name=f"{host}-unreached",
        says=f"{host} does not answer from outside: look at its balancer and at the engines behind it.",
        filter='metric.type = "monitoring.googleapis.com/uptime_check/check_passed" AND resource.type = "uptime_url"',
        when="below",
        aligner="ALIGN_FRACTION_TRUE",
        least=0.5,
    )


def _machines(plan: Plan) -> Iterator[Watch]:
    yield Watch(
        name="machine-gone",
        says="A machine tells no uptime any more: ask `diversite verify`, and Google's list of operations.",
        filter='metric.type = "compute.googleapis.com/instance/uptime_total" AND resource.type = "gce_instance" '
        f'AND metadata.user_labels.venue = "{plan.venue}"',
        when="silent",
        aligner="ALIGN_MEAN",
    )
    yield Watch(
        name="host-error",
        says="The hardware below a machine failed: Google starts it elsewhere. Look whether its validator signs again.",
        filter='resource.type = "gce_instance" AND protoPayload.methodName = "compute.instances.hostError" '
        f'AND protoPayload.resourceName =~ "/instances/{plan.venue}-"',
        when="logged",
    )


def _regions(plan: Plan, account: str) -> str:
    return ", ".join(f'"{region.name}"' for region in regions(plan, PROVIDER) if region.account == account)
