"""Where a gateway differs from other hosts: the site's address in the world, and the routes that lead to the gateway.

The site's private subnets send everything of the venue to it: the space of sites and that of links. Sites of its own
region are in the same VPC, which would carry packets between them past every gateway; so each subnet of theirs has a
route of its own, which AWS prefers to the VPC's.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.foundation import Ground
from components.component import Component
from diversite import addresses
from diversite.plan import Host, Plan

LED_PARTS = ("edge", "service", "node")
"""The parts of another site of the region that hosts speak to; its balancers only clients do."""


@dataclass(frozen=True, kw_only=True)
class GatewayArgs:
    """A gateway's ways to make."""

    plan: Plan
    """The venue, decided."""
    host: Host
    """The gateway."""
    instance: aws.ec2.Instance
    """Its machine."""
    ground: Ground
    """Its region."""


class Gateway(Component):
    """What makes a machine the gateway of its site."""

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        self._network = args.ground.network.sites[args.host.site]
        aws.ec2.EipAssociation(
            args.host.site,
            allocation_id=self._network.endpoint.id,
            instance_id=args.instance.id,
            # the address belongs to one machine at a time, and the old one may be gone without giving it back
            allow_reassociation=True,
            opts=pulumi.ResourceOptions.merge(self.child(), pulumi.ResourceOptions(delete_before_replace=True)),
        )
        self._lead("sites", str(addresses.SITE_SPACE))
        self._lead("links", str(addresses.LINK_SPACE))
        for site in args.ground.network.sites:
            if site != args.host.site:
                self._lead_to(site)
        self.register_outputs({})

    def _lead_to(self, site: str) -> None:
        """A route within the VPC must name a whole subnet."""
        network = self._args.plan.sites[site].network
        there = self._args.ground.network.sites[site]
        for part in LED_PARTS:
            self._lead(f"{site}-{part}", str(addresses.part(network, part)), there.subnets[part])

    def _lead(self, name: str, destination: str, after: pulumi.Resource | None = None) -> None:
        aws.ec2.Route(
            f"{self._args.host.site}-{name}",
            route_table_id=self._network.tables["private"].id,
            destination_cidr_block=destination,
            network_interface_id=self._args.instance.primary_network_interface_id,
            opts=self.child([after] if after else None),
        )
