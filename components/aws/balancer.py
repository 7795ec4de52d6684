"""An entrance's way in: a network load balancer with one fixed address, and checks of the engine's own readiness.

It stands in the site's own zone, before the site's entrance only: an entrance fails with its site, and steering leads
clients to the next. The client's address is kept, so that the limits per client hold. Its group lets in the order port.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import cast

import pulumi
import pulumi_aws as aws

from components.aws import firewall
from components.aws.foundation import Foundation
from components.aws.host import Machine
from components.aws.provider import within
from components.component import Component
from components.contract import BalancerArgs, Entrance, tags
from diversite import addresses, ports

CHECK_SECONDS = 5
"""The shortest interval that AWS offers."""
CHECK_TIMEOUT_SECONDS = 2
FALL = 2
RISE = 2
"""The fewest that AWS offers."""
DRAIN_SECONDS = 10
"""Longer than an engine takes to answer an order."""


@dataclass(frozen=True, kw_only=True)
class NetworkEntrance(Entrance):
    """An entrance with what AWS's alarms call its balancer."""

    balancer: pulumi.Output[str]
    targets: pulumi.Output[str]


class Balancer(Component):
    """A network load balancer. Its address is fixed, so clients may keep it, and a name may lead to it for seconds."""

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        self._args, self._host = args, args.host.name
        foundation = cast(Foundation, args.foundation)
        self._network = foundation.network(args.host.site)
        self._vpc = foundation.ground(args.host.site).network.vpc
        super().__init__(name, within(opts, foundation.ground(args.host.site).provider))
        self._tags = tags(args.plan, args.host)
        address = aws.ec2.Eip(self._host, domain="vpc", tags=self._tags, opts=self.child())
        balancer, targets = self._balancer(address), self._targets()
        self._listen(balancer, targets)
        self.entrance: Entrance = NetworkEntrance(
            address=address.public_ip, balancer=balancer.arn_suffix, targets=targets.arn_suffix
        )
        self.register_outputs({"address": address.public_ip})

    def _balancer(self, address: aws.ec2.Eip) -> aws.lb.LoadBalancer:
        return aws.lb.LoadBalancer(
            self._host,
            load_balancer_type="network",
            internal=False,
            ip_address_type="ipv4",
            security_groups=[self._group().id],
            subnet_mappings=[
                aws.lb.LoadBalancerSubnetMappingArgs(
                    subnet_id=self._network.subnets["balancer"].id, allocation_id=address.id
                )
            ],
            enable_deletion_protection=True,
            tags=self._tags,
            opts=self.child(list(self._network.egress)),
        )

    def _group(self) -> aws.ec2.SecurityGroup:
        site = self._args.plan.sites[self._args.host.site].network
        return aws.ec2.SecurityGroup(
            f"{self._host}-balancer",
            description=f"{self._args.plan.venue}: clients of {self._host}",
            vpc_id=self._vpc.id,
            ingress=firewall.ingress([_orders(firewall.ANYWHERE)]),
            egress=firewall.egress([_orders(addresses.part(site, "service"))]),
            tags=self._tags,
            opts=self.child(),
        )

    def _targets(self) -> aws.lb.TargetGroup:
        targets = aws.lb.TargetGroup(
            self._host,
            vpc_id=self._vpc.id,
            target_type="instance",
            protocol="TCP",
            port=ports.ORDERS,
            preserve_client_ip="true",
            deregistration_delay=DRAIN_SECONDS,
            connection_termination=True,
            health_check=aws.lb.TargetGroupHealthCheckArgs(
                enabled=True,
                protocol="HTTP",
                port="traffic-port",
                path=self._args.plan.health_check.path,
                matcher="200",
                interval=CHECK_SECONDS,
                timeout=CHECK_TIMEOUT_SECONDS,
                healthy_threshold=RISE,
                unhealthy_threshold=FALL,
            ),
            tags=self._tags,
            opts=self.child(),
        )
        aws.lb.TargetGroupAttachment(
            self._host,
            target_group_arn=targets.arn,
            target_id=cast(Machine, self._args.machine).instance.id,
            port=ports.ORDERS,
            opts=self.child(),
        )
        return targets

    def _listen(self, balancer: aws.lb.LoadBalancer, targets: aws.lb.TargetGroup) -> None:
        aws.lb.Listener(
            self._host,
            load_balancer_arn=balancer.arn,
            protocol="TCP",
            port=ports.ORDERS,
            default_actions=[aws.lb.ListenerDefaultActionArgs(type="forward", target_group_arn=targets.arn)],
            tags=self._tags,
            opts=self.child(),
        )


def _orders(to_or_from: IPv4Network) -> firewall.Rule:
    return firewall.Rule(
        protocol="tcp", first=ports.ORDERS, last=ports.ORDERS, sources=(to_or_from,), purpose="sends orders"
    )
