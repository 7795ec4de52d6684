"""The network of a region: one VPC whose ranges are the /22s of its sites, and each site's subnets and ways out.

Subnets are placed by AZ ID, which means the same building in every account. What the sites of a region say to each
other follows the venue's own routing, not the VPC's: a site's private subnets send the ranges of other sites to the
site's gateway (`gateway.py`). A VPC takes public IPv6 ranges only, and the venue's are unique-local, so there is none.
A VPC holds five ranges where nobody raised the quota, so a region holds five sites.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

import pulumi
import pulumi_aws as aws

from components.aws import firewall
from components.aws.identity import Holder, assumed_by_flow_logs, writes_to
from components.component import Component
from diversite import addresses
from diversite.plan import Plan

NAT_OFFSET = 10
"""Of the NAT gateway's address in its site's network: within the edge, above the gateways."""
LOG_DAYS = 90
AGGREGATION_SECONDS = 60
KINDS: Mapping[str, Literal["public", "private"]] = {
    "edge": "public",
    "balancer": "public",
    "service": "private",
    "node": "private",
}
"""What the parts of a site's network reach by themselves: the world, or only through the NAT gateway."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """A region's network to make."""

    plan: Plan
    """The venue, decided."""
    sites: Sequence[str]
    """Those of the region."""
    holder: Holder
    """Where it is."""
    owner: str
    """`<project>/<stack>`: the first part of names that AWS does not make unique."""
    key: pulumi.Output[str]
    """The ARN of the key that encrypts logs."""


class Network(Component):
    """A VPC, closed by default, and the networks of its sites."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._tags = {"venue": args.plan.venue}
        first, *others = args.sites
        self.vpc = aws.ec2.Vpc(
            name,
            cidr_block=str(args.plan.sites[first].network),
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags=self._tags,
            opts=self.child(),
        )
        self._close(name)
        self._log(name, args)
        way_out = aws.ec2.InternetGateway(name, vpc_id=self.vpc.id, tags=self._tags, opts=self.child())
        ranges = {site: self._range(args.plan, site) for site in others}
        self.sites = {
            site: SiteNetwork(
                site,
                SiteNetworkArgs(plan=args.plan, site=site, vpc=self.vpc, way_out=way_out, range=ranges.get(site)),
                self.child(),
            )
            for site in args.sites
        }
        self.register_outputs({})

    def _range(self, plan: Plan, site: str) -> aws.ec2.VpcIpv4CidrBlockAssociation:
        return aws.ec2.VpcIpv4CidrBlockAssociation(
            site, vpc_id=self.vpc.id, cidr_block=str(plan.sites[site].network), opts=self.child()
        )

    def _close(self, name: str) -> None:
        """What nobody put into a group or behind a list of ours can neither hear nor speak."""
        aws.ec2.DefaultSecurityGroup(
            name, vpc_id=self.vpc.id, ingress=[], egress=[], tags=self._tags, opts=self.child()
        )
        aws.ec2.DefaultNetworkAcl(
            name,
            default_network_acl_id=self.vpc.default_network_acl_id,
            ingress=[],
            egress=[],
            tags=self._tags,
            # AWS puts subnets here that are in no other list, and no `up` takes them out again
            opts=pulumi.ResourceOptions.merge(self.child(), pulumi.ResourceOptions(ignore_changes=["subnetIds"])),
        )

    def _log(self, name: str, args: NetworkArgs) -> None:
        group = f"/{args.owner}/flows"
        logs = aws.cloudwatch.LogGroup(
            f"{name}-flows",
            name=group,
            retention_in_days=LOG_DAYS,
            kms_key_id=args.key,
            tags=self._tags,
            opts=self.child(),
        )
        role = aws.iam.Role(
            f"{name}-flows", assume_role_policy=assumed_by_flow_logs(args.holder), tags=self._tags, opts=self.child()
        )
        aws.iam.RolePolicy(f"{name}-flows", role=role.name, policy=writes_to(args.holder, group), opts=self.child())
        aws.ec2.FlowLog(
            name,
            vpc_id=self.vpc.id,
            traffic_type="ALL",
            log_destination=logs.arn,
            log_destination_type="cloud-watch-logs",
            iam_role_arn=role.arn,
            max_aggregation_interval=AGGREGATION_SECONDS,
            tags=self._tags,
            opts=self.child(),
        )


@dataclass(frozen=True, kw_only=True)
class SiteNetworkArgs:
    """A site's network to make."""

    plan: Plan
    """The venue, decided."""
    site: str
    """Key of its sites."""
    vpc: aws.ec2.Vpc
    """That of its region."""
    way_out: aws.ec2.InternetGateway
    """That of its region."""
    range: aws.ec2.VpcIpv4CidrBlockAssociation | None
    """What adds the site's addresses to the VPC; None for the site that it was made with."""


class SiteNetwork(Component):
    """A site's subnets, what they reach, and the addresses by which the world knows the site.

    `subnets` by part of `diversite.addresses`; `tables`, by kind, the route tables that gateways and transit gateways
    add to; `egress`, what must be there before a host can fetch anything.
    """

    def __init__(self, name: str, args: SiteNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        self._tags = {"venue": args.plan.venue, "site": args.site}
        self.subnets = {part: self._subnet(part) for part in KINDS}
        self.tables = {kind: self._table(kind) for kind in dict.fromkeys(KINDS.values())}
        associated = [self._associate(part) for part in KINDS]
        lists = [self._list(kind) for kind in self.tables]
        self.endpoint = self._address("gateway")
        outside = self._route("public", gateway_id=args.way_out.id)
        nat = self._nat(outside)
        inside = self._route("private", nat_gateway_id=nat.id)
        self.egress: Sequence[pulumi.Resource] = [outside, inside, *associated, *lists]
        self.register_outputs({"endpoint": self.endpoint.public_ip})

    def part_of(self, address: IPv4Address) -> aws.ec2.Subnet:
        """The subnet that an address of the site is in."""
        network = self._args.plan.sites[self._args.site].network
        return next(self.subnets[part] for part in KINDS if address in addresses.part(network, part))

    def _subnet(self, part: str) -> aws.ec2.Subnet:
        site = self._args.plan.sites[self._args.site]
        return aws.ec2.Subnet(
            f"{self._args.site}-{part}",
            vpc_id=self._args.vpc.id,
            cidr_block=str(addresses.part(site.network, part)),
            availability_zone_id=site.place.zone,
            map_public_ip_on_launch=False,
            tags=self._tags,
            opts=self.child([self._args.range] if self._args.range else None),
        )

    def _table(self, kind: str) -> aws.ec2.RouteTable:
        return aws.ec2.RouteTable(
            f"{self._args.site}-{kind}", vpc_id=self._args.vpc.id, tags=self._tags, opts=self.child()
        )

    def _associate(self, part: str) -> aws.ec2.RouteTableAssociation:
        return aws.ec2.RouteTableAssociation(
            f"{self._args.site}-{part}",
            subnet_id=self.subnets[part].id,
            route_table_id=self.tables[KINDS[part]].id,
            opts=self.child(),
        )

    def _list(self, kind: Literal["public", "private"]) -> aws.ec2.NetworkAcl:
        return aws.ec2.NetworkAcl(
            f"{self._args.site}-{kind}",
            vpc_id=self._args.vpc.id,
            subnet_ids=[self.subnets[part].id for part in KINDS if KINDS[part] == kind],
            ingress=firewall.admitted(kind),
            egress=firewall.dismissed(),
            tags=self._tags,
            opts=self.child(),
        )

    def _address(self, purpose: str) -> aws.ec2.Eip:
        return aws.ec2.Eip(
            f"{self._args.site}-{purpose}", domain="vpc", tags=self._tags, opts=self.child([self._args.way_out])
        )

    def _nat(self, outside: aws.ec2.Route) -> aws.ec2.NatGateway:
        return aws.ec2.NatGateway(
            self._args.site,
            subnet_id=self.subnets["edge"].id,
            allocation_id=self._address("nat").id,
            private_ip=str(self._args.plan.sites[self._args.site].network[NAT_OFFSET]),
            connectivity_type="public",
            tags=self._tags,
            opts=self.child([outside]),
        )

    def _route(
        self, kind: str, gateway_id: pulumi.Input[str] | None = None, nat_gateway_id: pulumi.Input[str] | None = None
    ) -> aws.ec2.Route:
        return aws.ec2.Route(
            f"{self._args.site}-{kind}",
            route_table_id=self.tables["public" if kind == "public" else "private"].id,
            destination_cidr_block=str(firewall.ANYWHERE),
            gateway_id=gateway_id,
            nat_gateway_id=nat_gateway_id,
            opts=self.child(),
        )
