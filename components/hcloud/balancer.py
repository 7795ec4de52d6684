"""Hetzner's load balancer before an entrance.

It ends the client's connection and opens one of its own from the site's `balancer` part, so it tells the entrance the
client's address by the PROXY protocol, which the limits per client need. Whether its health check would speak that too
is not documented; it asks another port, on which the entrance expects none, for the engines' own readiness.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import cast

import pulumi
import pulumi_hcloud as hcloud

from components.component import Component
from components.contract import BalancerArgs, Entrance, labels
from components.hcloud.foundation import Foundation
from components.hcloud.host import Machine
from components.hcloud.provider import number, within
from diversite import addresses, ports
from diversite.catalog import catalog
from diversite.plan import Host, Plan

TYPE = "lb11"
"""The smallest: 5 services, 25 targets, 10,000 connections."""
FIRST = 4
"""Where the balancers' addresses begin in their part of the site's network."""
FAILURES = 2
TIMEOUT_SECONDS = 2


class Balancer(Component):
    """The way in for clients at a site."""

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        self._args = args
        self._site = cast(Foundation, args.foundation).sites[args.host.site]
        super().__init__(name, within(opts, self._site.account.provider))
        self.balancer = hcloud.LoadBalancer(
            name,
            name=f"{args.plan.venue}-{args.host.name}",
            load_balancer_type=TYPE,
            location=args.plan.sites[args.host.site].place.zone,
            algorithm=hcloud.LoadBalancerAlgorithmArgs(type="least_connections"),
            delete_protection=True,
            labels=labels(args.plan, args.host),
            opts=self.child(),
        )
        self._lead_to_entrance(name)
        self._listen(name)
        self.entrance = Entrance(address=self.balancer.ipv4)
        self.register_outputs({"address": self.balancer.ipv4})

    def _lead_to_entrance(self, name: str) -> None:
        joined = hcloud.LoadBalancerNetwork(
            f"{name}-network",
            load_balancer_id=number(self.balancer),
            subnet_id=self._site.network.subnet.id,
            ip=str(address(self._args.plan, self._args.host)),
            enable_public_interface=True,
            opts=self.child(),
        )
        hcloud.LoadBalancerTarget(
            f"{name}-target",
            load_balancer_id=number(self.balancer),
            type="server",
            server_id=number(cast(Machine, self._args.machine).server),
            use_private_ip=True,
            opts=self.child([joined]),
        )

    def _listen(self, name: str) -> None:
        hcloud.LoadBalancerService(
            f"{name}-orders",
            load_balancer_id=self.balancer.id,
            protocol="tcp",
            listen_port=ports.ORDERS,
            destination_port=ports.ORDERS,
            proxyprotocol=True,
            health_check=health_check(self._args.plan),
            opts=self.child(),
        )


def health_check(planned: Plan) -> hcloud.LoadBalancerServiceHealthCheckArgs:
    """The engines' readiness, as the entrance sees it, as often as Hetzner asks."""
    return hcloud.LoadBalancerServiceHealthCheckArgs(
        protocol="http",
        port=ports.ENTRY_METRICS,
        interval=catalog().limits("hetzner").health_check_interval_seconds_min["balancer"],
        timeout=TIMEOUT_SECONDS,
        retries=FAILURES,
        http=hcloud.LoadBalancerServiceHealthCheckHttpArgs(
            path=planned.health_check.path, status_codes=["200"], tls=False
        ),
    )


def address(planned: Plan, host: Host) -> IPv4Address:
    """The balancer's address in the site's network: one for each entrance there, pinned as the entrance's is."""
    network = planned.sites[host.site].network
    position = int(host.address) - int(addresses.host_address(network, "entry", 0))
    return addresses.part(network, "balancer")[FIRST + position]
