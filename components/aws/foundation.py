"""AWS's ground: in each region of the plan a provider object, a key, a topic for alarms, a network and its joints.

A venue that is only steered by AWS has none of these but one provider object: Route 53 is everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pulumi
import pulumi_aws as aws

from components.aws.identity import Holder, key_policy, published_by_alarms
from components.aws.network import Network, NetworkArgs, SiteNetwork
from components.aws.provider import DEFAULT_ACCOUNT, account_id, key, provider, within
from components.aws.transit import Transit, TransitArgs, is_needed
from components.component import Component
from components.contacts import contacts
from components.contract import FoundationArgs
from diversite.catalog import catalog
from diversite.domains import SPREAD_GROUP_MAX
from diversite.plan import Host, Plan
from diversite.underlay import Region, region_of, regions

STEERING_REGION = "us-east-1"
"""Where Route 53's interface answers, in the part of AWS that steering is offered in."""
DELETION_DAYS = 30
"""How long a key that was given up can be taken back: the longest that AWS offers."""


@dataclass(frozen=True, kw_only=True)
class GroundArgs:
    """A region to found."""

    plan: Plan
    """The venue, decided."""
    region: Region
    """Which of its regions."""
    sites: Sequence[str]
    """Its sites there."""
    account_id: str
    """The account's number."""
    owner: str
    """`<project>/<stack>`."""
    provider: aws.Provider
    """What makes everything there."""
    contacts: Sequence[str]
    """The mail addresses that alarms tell."""


class Ground(Component):
    """A region of the venue."""

    def __init__(self, name: str, args: GroundArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, within(opts, args.provider))
        self.args = args
        self.provider = args.provider
        self.tags = {"venue": args.plan.venue}
        self.holder = Holder(partition=_partition(args), region=args.region.name, account_id=args.account_id)
        self.key = self._key(name)
        self.topic = self._topic(name)
        aws.ec2.SerialConsoleAccess(name, enabled=False, opts=self.child())
        self.network = Network(
            f"network-{name}",
            NetworkArgs(plan=args.plan, sites=args.sites, holder=self.holder, owner=args.owner, key=self.key.arn),
            self.child(),
        )
        self.transit = self._transit(name) if is_needed(args.plan, args.region) else None
        self._groups = {group: self._group(group) for group in dict.fromkeys(self._spread.values())}
        self.register_outputs({"account": args.account_id})

    def spread(self, host: Host) -> aws.ec2.PlacementGroup:
        """The placement group of a host."""
        return self._groups[self._spread[host.name]]

    @cached_property
    def _spread(self) -> Mapping[str, str]:
        """By host, its group: as many to a group as AWS spreads in a zone, in the order in which the judge counts."""
        found = {}
        for zone, hosts in self._by_zone().items():
            for position, host in enumerate(hosts):
                number = position // SPREAD_GROUP_MAX["aws"]
                found[host] = f"{zone}-{number + 1}" if number else zone
        return found

    def _by_zone(self) -> Mapping[str, list[str]]:
        zones: dict[str, list[str]] = {}
        for host in self.args.plan.hosts.values():
            if host.site in self.args.sites:
                zones.setdefault(self.args.plan.sites[host.site].place.zone, []).append(host.name)
        return zones

    def _group(self, name: str) -> aws.ec2.PlacementGroup:
        full = name if self.args.region.account == DEFAULT_ACCOUNT else f"{name}-{self.args.region.account}"
        return aws.ec2.PlacementGroup(full, strategy="spread", spread_level="rack", tags=self.tags, opts=self.child())

    def _key(self, name: str) -> aws.kms.Key:
        """Without it every disk of the region is noise, so it stays even when it is forgotten here."""
        kept = pulumi.ResourceOptions(protect=True, retain_on_delete=True)
        made = aws.kms.Key(
            name,
            description=f"{self.args.plan.venue}: disks, logs and alarms in {self.args.region.name}",
            deletion_window_in_days=DELETION_DAYS,
            enable_key_rotation=True,
            policy=key_policy(self.holder),
            tags=self.tags,
            opts=pulumi.ResourceOptions.merge(self.child(), kept),
        )
        alias = f"alias/{self.args.owner.replace('.', '-')}"  # AWS takes no dots in it
        aws.kms.Alias(name, name=alias, target_key_id=made.key_id, opts=self.child())
        return made

    def _topic(self, name: str) -> aws.sns.Topic:
        topic = aws.sns.Topic(name, kms_master_key_id=self.key.arn, tags=self.tags, opts=self.child())
        policy = published_by_alarms(self.holder, topic.arn)
        aws.sns.TopicPolicy(name, arn=topic.arn, policy=policy, opts=self.child())
        for address in self.args.contacts:  # SNS asks each by mail whether it wants to hear
            aws.sns.TopicSubscription(
                f"{name}-{address}", topic=topic.arn, protocol="email", endpoint=address, opts=self.child()
            )
        return topic

    def _transit(self, name: str) -> Transit:
        args = TransitArgs(plan=self.args.plan, region=self.args.region, network=self.network)
        return Transit(f"transit-{name}", args, self.child())


class Foundation(Component):
    """Everything of AWS that a venue's hosts stand on."""

    def __init__(self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        found = regions(args.plan, "aws")
        self.grounds = {region: self._ground(region, sites) for region, sites in found.items()}
        self.steering = self._steering() if args.plan.topology.steering else None
        self.endpoints: Mapping[str, pulumi.Output[str]] = {
            site: network.endpoint.public_ip for site, network in self._networks().items()
        }
        self.register_outputs({"endpoints": self.endpoints})

    def ground(self, site: str) -> Ground:
        """The region that a site is in."""
        return self.grounds[region_of(self._args.plan, site)]

    def network(self, site: str) -> SiteNetwork:
        """The network of a site."""
        return self.ground(site).network.sites[site]

    def _networks(self) -> dict[str, SiteNetwork]:
        return {site: it for ground in self.grounds.values() for site, it in ground.network.sites.items()}

    def _ground(self, region: Region, sites: Sequence[str]) -> Ground:
        number, name = account_id(self._args.accounts, region.account), key(region)
        return Ground(
            name,
            GroundArgs(
                plan=self._args.plan,
                region=region,
                sites=sites,
                account_id=number,
                owner=self._args.owner,
                provider=provider(f"aws-{name}", region, number, self.child()),
                contacts=contacts(),
            ),
            self.child(),
        )

    def _steering(self) -> aws.Provider:
        """That of the account whose hosted zone it is: of the first site in AWS, or the one called `aws`."""
        account = next((region.account for region in self.grounds), DEFAULT_ACCOUNT)
        number = account_id(self._args.accounts, account)
        region = Region(provider="aws", name=STEERING_REGION, account=account)
        return provider("aws-steering", region, number, self.child())


def _partition(args: GroundArgs) -> str:
    return catalog().place(args.plan.sites[args.sites[0]].place.id).partition or "aws"
