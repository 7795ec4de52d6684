"""Where a gateway differs from other hosts: it has a public address, which exists before it and outlives it.

Hetzner's firewalls act on public interfaces only. What hosts say to each other in private is for their own packet
filters (services.firewall) to allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_hcloud as hcloud

from components.component import Component
from components.contract import labels
from components.hcloud.network import EVERYWHERE
from components.hcloud.operators import Operators
from components.hcloud.provider import within
from diversite.plan import Host, Plan
from diversite.ports import flows_into
from services import wireguard

ANYBODY = (EVERYWHERE, "::/0")


class Gateway(Component):
    """The public address of a site's gateway, and what it lets in there: tunnels, and operators where any are named."""

    def __init__(
        self,
        planned: Plan,
        host: Host,
        provider: hcloud.Provider,
        operators: Operators,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(f"{host.name}-public", within(opts, provider))
        self.address = hcloud.PrimaryIp(
            f"{host.name}-address",
            name=f"{planned.venue}-{host.name}",
            type="ipv4",
            location=planned.sites[host.site].place.zone,
            auto_delete=False,
            delete_protection=True,
            labels=labels(planned, host),
            opts=self.child(),
        )
        self.firewall = hcloud.Firewall(
            f"{host.name}-firewall",
            name=f"{planned.venue}-{host.name}",
            rules=rules(planned, host, operators),
            labels=labels(planned, host),
            opts=self.child(),
        )
        self.register_outputs({"address": self.address.ip_address})


def rules(planned: Plan, host: Host, operators: Operators) -> list[hcloud.FirewallRuleArgs]:
    """What may come to a gateway from outside, from `diversite.ports`."""
    found = []
    for flow in flows_into(host.role):
        if flow.scope == "public":
            found += [_rule(flow.protocol, port, purpose, ANYBODY) for port, purpose in _tunnels(planned, host).items()]
        elif flow.scope == "operators" and operators.networks:
            found.append(_rule(flow.protocol, flow.port, flow.purpose, operators.networks))
    return found


def _tunnels(planned: Plan, host: Host) -> Mapping[int, str]:
    """The ports of the tunnels that come over public addresses, and the link of each."""
    listening = wireguard.listen_ports(planned, host.site)
    return {port: name for name, port in listening.items() if planned.links[name].kind == "wireguard"}


def _rule(protocol: str, port: int, purpose: str, sources: Sequence[str]) -> hcloud.FirewallRuleArgs:
    return hcloud.FirewallRuleArgs(
        direction="in", protocol=protocol, port=str(port), source_ips=list(sources), description=purpose
    )
