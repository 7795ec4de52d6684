"""A name in Route 53 that leads each client to the nearest entrance that is healthy, of whatever provider.

    orders.<zone>                 by latency, to a region of AWS near entrances
    <region>.orders.<zone>        the entrances there; where none is healthy, the nearest elsewhere
    near-<region>.orders.<zone>   the entrances there, each while it is healthy

Route 53 knows latencies to regions of AWS only, and takes one record a region, so an entrance counts to the region of
AWS that is nearest to it. Each answer may be kept for as long as the venue may take to recover.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pulumi
import pulumi_aws as aws

from components.aws.foundation import Foundation
from components.aws.provider import within
from components.component import Component
from components.contract import Entrance, SteeringArgs, tags
from diversite import ports
from diversite.catalog import Place, catalog
from diversite.errors import PlanError
from diversite.geography import great_circle_km
from diversite.plan import Host, Plan

CHECK_SECONDS = 10
"""The fast interval of Route 53, from each of its checkers."""
FALL = 2
TTL_SECONDS_MAX = 60
PARTITION = "aws"
"""The part of AWS that Route 53 knows the latencies of."""


class Steering(Component):
    """The name of all entrances."""

    def __init__(self, name: str, args: SteeringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        foundation, told = cast(Foundation, args.foundation), args.plan.topology.steering
        if foundation.steering is None or told is None:
            raise PlanError("steering: the topology names no hosted zone. Write zone and zone_id under `steering`.")
        super().__init__(name, within(opts, foundation.steering))
        self._args, self._zone_id = args, told.zone_id
        self._top = f"{told.record}.{told.zone}"
        self._checks = {host: self._check(args.plan.hosts[host], way) for host, way in args.entrances.items()}
        for region, hosts in near_regions(args.plan, args.entrances).items():
            self._region(region, hosts)
        self.name = pulumi.Output.from_input(self._top)
        self.register_outputs({"name": self._top})

    def _region(self, region: str, hosts: list[str]) -> None:
        near, there = f"near-{region}.{self._top}", f"{region}.{self._top}"
        for host in hosts:
            self._entrance(near, host, weighted_routing_policies=[{"weight": 1}])
        self._alias(there, near, "primary", failover_routing_policies=[{"type": "PRIMARY"}])
        if elsewhere := nearest_elsewhere(self._args.plan, hosts, self._args.entrances):
            self._entrance(there, elsewhere, failover_routing_policies=[{"type": "SECONDARY"}])
        self._alias(self._top, there, region, latency_routing_policies=[{"region": region}])

    def _check(self, host: Host, way: Entrance) -> aws.route53.HealthCheck:
        return aws.route53.HealthCheck(
            host.name,
            type="HTTP",
            ip_address=way.address,
            port=ports.ORDERS,
            resource_path=self._args.plan.health_check.path,
            request_interval=CHECK_SECONDS,
            failure_threshold=FALL,
            tags=tags(self._args.plan, host),
            opts=self.child(),
        )

    def _entrance(self, name: str, host: str, **policy: Any) -> None:
        told = {"records": [self._args.entrances[host].address], "ttl": ttl_seconds(self._args.plan)}
        self._record(name, host, health_check_id=self._checks[host].id, **told, **policy)

    def _alias(self, name: str, to: str, mark: str, **policy: Any) -> None:
        leads = aws.route53.RecordAliasArgs(name=to, zone_id=self._zone_id, evaluate_target_health=True)
        self._record(name, mark, aliases=[leads], **policy)

    def _record(self, name: str, mark: str, **told: Any) -> None:
        aws.route53.Record(
            f"{name}-{mark}", name=name, zone_id=self._zone_id, type="A", set_identifier=mark, opts=self.child(), **told
        )


def ttl_seconds(plan: Plan) -> int:
    """How long an answer may be kept."""
    bound = plan.topology.bounds.recovery.rto_seconds_max or TTL_SECONDS_MAX
    return max(1, min(TTL_SECONDS_MAX, int(bound)))


def near_regions(plan: Plan, entrances: Mapping[str, Entrance]) -> dict[str, list[str]]:
    """The entrances by the region of AWS that is nearest to each: its own, where it stands in AWS."""
    found: dict[str, list[str]] = {}
    for host in entrances:
        found.setdefault(_region_near(plan.sites[plan.hosts[host].site].place), []).append(host)
    return found


def nearest_elsewhere(plan: Plan, hosts: list[str], entrances: Mapping[str, Entrance]) -> str | None:
    """The entrance nearest to those of a region that is not of it; None where all are."""
    site = plan.hosts[hosts[0]].site
    others = [host for host in entrances if host not in hosts]
    return min(others, key=lambda host: (plan.one_way_ms[site, plan.hosts[host].site], host), default=None)


def _region_near(place: Place) -> str:
    if place.provider == "aws":
        return place.region
    regions = [
        it for it in catalog().places.values() if it.provider == "aws" and (it.partition or PARTITION) == PARTITION
    ]
    here = (place.latitude, place.longitude)
    return min(regions, key=lambda it: (great_circle_km(here, (it.latitude, it.longitude)), it.region)).region
