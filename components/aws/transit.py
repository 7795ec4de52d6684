"""What carries gateways' packets out of a region: a transit gateway, made only where a link of the venue asks for it.

It carries the gateways' own addresses and nothing else: each has a route to its /32, nothing has a wider one. Two route
tables keep strangers apart. Packets from the network look into `near`, which leads to far gateways; packets from far
away look into `far`, which leads to the gateways here, is all that BGP tells the other side, and passes nothing on from
one far side to another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

import pulumi
import pulumi_aws as aws

from components.aws.network import Network
from components.component import Component
from diversite.plan import Plan
from diversite.topology import LinkKind
from diversite.underlay import Region, Underlay, underlays

KINDS: frozenset[LinkKind] = frozenset({"backbone", "vpn", "circuit", "cross_cloud"})
"""The kinds of path that end at a transit gateway."""


@dataclass(frozen=True, kw_only=True)
class TransitArgs:
    """A region's joint to make."""

    plan: Plan
    """The venue, decided."""
    region: Region
    """Which of its regions."""
    network: Network
    """That of the region."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """A path that ends at a transit gateway, to be joined to its tables."""

    name: str
    """Of the path's end: what its resources are named by."""
    attachment: pulumi.Output[str]
    """The id of its attachment."""
    to: Sequence[IPv4Address] = ()
    """The gateways that it leads to, where nothing else tells: a peering speaks no BGP."""
    opts: pulumi.ResourceOptions
    """Of what joins it: its component, and what must be there before."""


class Transit(Component):
    """A region's transit gateway, and the ways between it and the gateways of the region's sites."""

    def __init__(self, name: str, args: TransitArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args, self._name = args, name
        self.tags = {"venue": args.plan.venue}
        self.gateway = aws.ec2transitgateway.TransitGateway(
            name,
            description=f"{args.plan.venue}: gateways of {args.region.name}",
            amazon_side_asn=args.region.asn,
            auto_accept_shared_attachments="disable",
            default_route_table_association="disable",
            default_route_table_propagation="disable",
            vpn_ecmp_support="enable",
            tags=self.tags,
            opts=self.child(),
        )
        self.near, self.far = self._table("near"), self._table("far")
        self._network = self._attach()
        self._lead_in()
        self._lead_out()
        self.register_outputs({"gateway": self.gateway.id})

    def join(self, way: Way) -> None:
        """Lead the gateways here out over a path, and what comes over it to them."""
        aws.ec2transitgateway.RouteTableAssociation(
            f"{way.name}-far",
            transit_gateway_attachment_id=way.attachment,
            transit_gateway_route_table_id=self.far.id,
            opts=way.opts,
        )
        if not way.to:
            aws.ec2transitgateway.RouteTablePropagation(
                f"{way.name}-near",
                transit_gateway_attachment_id=way.attachment,
                transit_gateway_route_table_id=self.near.id,
                opts=way.opts,
            )
        for address in way.to:
            self._route(f"{way.name}-{address}", self.near, address, way.attachment, way.opts)

    def _table(self, side: str) -> aws.ec2transitgateway.RouteTable:
        return aws.ec2transitgateway.RouteTable(
            f"{self._name}-{side}", transit_gateway_id=self.gateway.id, tags=self.tags, opts=self.child()
        )

    def _attach(self) -> aws.ec2transitgateway.VpcAttachment:
        """One subnet a zone, and one that holds no pinned address, because AWS takes whichever is free."""
        zones: dict[str, pulumi.Output[str]] = {}
        for site, network in self._args.network.sites.items():
            zones.setdefault(self._args.plan.sites[site].place.zone, network.subnets["balancer"].id)
        attachment = aws.ec2transitgateway.VpcAttachment(
            self._name,
            transit_gateway_id=self.gateway.id,
            vpc_id=self._args.network.vpc.id,
            subnet_ids=list(zones.values()),
            transit_gateway_default_route_table_association=False,
            transit_gateway_default_route_table_propagation=False,
            tags=self.tags,
            opts=self.child(),
        )
        aws.ec2transitgateway.RouteTableAssociation(
            f"{self._name}-near",
            transit_gateway_attachment_id=attachment.id,
            transit_gateway_route_table_id=self.near.id,
            opts=self.child(),
        )
        return attachment

    def _lead_in(self) -> None:
        for address in _unique(it.gateways[self._args.region] for it in paths_of(self._args.plan, self._args.region)):
            self._route(f"{self._name}-{address}", self.far, address, self._network.id, self.child())

    def _lead_out(self) -> None:
        """From the subnets of gateways only, and only to those that their links lead to."""
        for site, found in destinations(self._args.plan, self._args.region).items():
            for address in found:
                aws.ec2.Route(
                    f"{site}-{address}",
                    route_table_id=self._args.network.sites[site].tables["public"].id,
                    destination_cidr_block=f"{address}/32",
                    transit_gateway_id=self.gateway.id,
                    opts=self.child([self._network]),
                )

    def _route(
        self,
        name: str,
        table: aws.ec2transitgateway.RouteTable,
        address: IPv4Address,
        attachment: pulumi.Output[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        aws.ec2transitgateway.Route(
            name,
            destination_cidr_block=f"{address}/32",
            transit_gateway_route_table_id=table.id,
            transit_gateway_attachment_id=attachment,
            opts=opts,
        )


def is_needed(plan: Plan, region: Region) -> bool:
    """Whether any path of the venue ends in a region's transit gateway."""
    return bool(paths_of(plan, region))


def paths_of(plan: Plan, region: Region) -> tuple[Underlay, ...]:
    """The paths that end in a region."""
    return tuple(it for it in underlays(plan) if region in (it.a, it.b) and it.kind in KINDS)


def destinations(plan: Plan, region: Region) -> Mapping[str, tuple[IPv4Address, ...]]:
    """By site of a region, the far gateways that the region's paths lead its own gateway to."""
    found: dict[str, dict[IPv4Address, None]] = {}
    for path in paths_of(plan, region):
        for site, planned in plan.sites.items():
            if planned.gateway_address in path.gateways[region]:
                found.setdefault(site, {}).update(dict.fromkeys(path.gateways[path.far(region)]))
    return {site: tuple(addresses) for site, addresses in found.items()}


def _unique(groups: Iterable[Iterable[IPv4Address]]) -> tuple[IPv4Address, ...]:
    return tuple(dict.fromkeys(address for group in groups for address in group))
