"""The way in to an entrance: a regional balancer that passes packets on as they are, on the order port and no other.

Packets keep the client's address, so the entrance's own limits per client hold. Google sends its checks to the balanced
address too; the host answers for it because Google's guest agent, part of its images, gives it that address.
"""

from __future__ import annotations

import math
from typing import cast

import pulumi
import pulumi_gcp as gcp

from components.component import Component
from components.contract import BalancerArgs, Entrance, labels
from components.gcp import names
from components.gcp.foundation import Foundation
from components.gcp.host import Machine
from components.gcp.provider import by
from diversite import ports
from diversite.catalog import catalog
from diversite.plan import HealthCheck

DRAIN_SECONDS = 30
"""How long orders under way may end when the entrance is taken out."""


class Balancer(Component):
    """A public address whose packets come to one entrance, as long as it says that it is ready."""

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        self._args, self._name = args, name
        self._project = cast(Foundation, args.foundation).at(args.host.site)
        self._place = args.plan.sites[args.host.site].place
        super().__init__(name, by(self._project.provider, opts))
        self.address = self._address()
        self._forward(self._service(self._group()))
        self.entrance = Entrance(address=self.address.address)
        self.register_outputs({"address": self.address.address})

    def _address(self) -> gcp.compute.Address:
        return gcp.compute.Address(
            self._name,
            name=self._named(),
            region=self._place.region,
            address_type="EXTERNAL",
            network_tier="PREMIUM",
            labels=labels(self._args.plan, self._args.host),
            opts=self.child(),
        )

    def _group(self) -> gcp.compute.InstanceGroup:
        """The entrance as a group. It belongs to it by a resource of its own, which goes and comes with the machine:
        a list in the group would still name a machine that was made anew, and Google would have forgotten it.
        """
        group = gcp.compute.InstanceGroup(
            self._name,
            name=self._named(),
            zone=self._place.zone,
            network=self._project.network.vpc.id,
            opts=pulumi.ResourceOptions.merge(self.child(), pulumi.ResourceOptions(ignore_changes=["instances"])),
        )
        gcp.compute.InstanceGroupMembership(
            self._name,
            zone=self._place.zone,
            instance_group=group.name,
            instance=cast(Machine, self._args.machine).instance.self_link,
            opts=self.child(),
        )
        return group

    def _service(self, group: gcp.compute.InstanceGroup) -> gcp.compute.RegionBackendService:
        return gcp.compute.RegionBackendService(
            self._name,
            name=self._named(),
            region=self._place.region,
            load_balancing_scheme="EXTERNAL",
            protocol="TCP",
            session_affinity="NONE",
            health_checks=self._check().id,
            connection_draining_timeout_sec=DRAIN_SECONDS,
            backends=[{"group": group.self_link, "balancing_mode": "CONNECTION"}],
            opts=self.child(),
        )

    def _check(self) -> gcp.compute.RegionHealthCheck:
        check = self._args.plan.health_check
        seconds = interval_seconds(check)
        return gcp.compute.RegionHealthCheck(
            self._name,
            name=self._named(),
            region=self._place.region,
            check_interval_sec=seconds,
            timeout_sec=seconds,
            unhealthy_threshold=check.fall,
            healthy_threshold=check.rise,
            http_health_check={
                "port": ports.ORDERS,
                "port_specification": "USE_FIXED_PORT",
                "request_path": check.path,
            },
            log_config={"enable": True},
            opts=self.child(),
        )

    def _forward(self, service: gcp.compute.RegionBackendService) -> None:
        gcp.compute.ForwardingRule(
            self._name,
            name=self._named(),
            region=self._place.region,
            load_balancing_scheme="EXTERNAL",
            network_tier="PREMIUM",
            ip_address=self.address.address,
            ip_protocol="TCP",
            ports=[str(ports.ORDERS)],
            backend_service=service.id,
            labels=labels(self._args.plan, self._args.host),
            opts=self.child(),
        )

    def _named(self) -> str:
        return names.named(self._args.plan, self._name)


def interval_seconds(check: HealthCheck) -> int:
    """How often Google asks: as often as the plan says, or as often as Google can."""
    return max(
        catalog().limits("gcp").health_check_interval_seconds_min["balancer"], math.ceil(check.interval_ms / 1000)
    )
