"""What the network lets in to hosts, all of it from `diversite.ports.FLOWS`; everything else is dropped.

A host's own packet filter says the same again, address by address (`services.firewall`). Here a rule is for a role
(flows over the whole venue), or for a role at one site (flows inside it, tunnels, what a gateway passes on). BFD and
OSPF run inside the tunnels, where no provider looks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.component import Component
from components.gcp import names
from diversite import addresses, ports
from diversite.plan import Host, Plan
from diversite.ports import Flow
from services import wireguard

ANYWHERE = ("0.0.0.0/0",)
HEALTH_CHECKS = ("35.191.0.0/16", "209.85.152.0/22", "209.85.204.0/22")
"""From where Google asks whether what stands behind an external passthrough balancer is healthy."""
PRIORITY = 1000


@dataclass(frozen=True, kw_only=True)
class Opening:
    """Something that is let in."""

    name: str
    """Unique in the network."""
    target: str
    """The network tag of the hosts that it is let in to."""
    sources: tuple[str, ...]
    """Ranges of addresses."""
    allows: Mapping[str, tuple[str, ...]]
    """Ports by protocol; none for a protocol without ports."""
    purpose: str


@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    """What a network lets in."""

    plan: Plan
    """The venue, decided."""
    sites: tuple[str, ...]
    """The sites in the network."""
    network: pulumi.Input[str]
    """Its id."""


class Firewall(Component):
    """The rules of a network."""

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        for opening in openings(args.plan, args.sites):
            gcp.compute.Firewall(
                f"{name}-{opening.name}",
                name=names.named(args.plan, opening.name),
                network=args.network,
                description=opening.purpose,
                direction="INGRESS",
                priority=PRIORITY,
                source_ranges=opening.sources,
                target_tags=[opening.target],
                allows=[{"protocol": it, "ports": list(numbers)} for it, numbers in opening.allows.items()],
                opts=self.child(),
            )
        self.register_outputs({})


def openings(plan: Plan, sites: Sequence[str]) -> tuple[Opening, ...]:
    """Everything that the hosts of some sites take in."""
    hosts = [host for host in plan.hosts.values() if host.site in sites]
    roles = dict.fromkeys(host.role for host in hosts)
    return (
        *(opening for role in roles for opening in _of_role(plan, role)),
        *(opening for site in sites for opening in _of_site(plan, site)),
    )


def _of_role(plan: Plan, role: ports.Role) -> Iterator[Opening]:
    """What a role takes in wherever it stands."""
    target, flows = names.of_role(plan, role), ports.flows_into(role)
    for source, said in _by_source(flow for flow in flows if flow.scope == "venue").items():
        if speakers := _addresses(host for host in plan.hosts.values() if host.role == source):
            yield _opening(f"{role}-from-{source}", target, speakers, said)
    for source, said in _by_source(flow for flow in flows if flow.scope == "operators").items():
        yield _opening(f"{role}-from-{source}", target, (ports.IAP_NETWORK,), said)
    for source, said in _by_source(it for it in flows if it.scope == "public" and it.port != ports.WIREGUARD).items():
        yield _opening(f"{role}-from-{source}", target, ANYWHERE, said)
        yield _opening(f"{role}-from-health-checks", target, HEALTH_CHECKS, said)
    yield Opening(
        name=f"{role}-echo",
        target=target,
        sources=(str(addresses.SITE_SPACE), str(addresses.LINK_SPACE)),
        allows={"icmp": ()},
        purpose="probes of round trips",
    )


def _of_site(plan: Plan, site: str) -> Iterator[Opening]:
    """What the hosts of a site take in from each other, and its gateway for others."""
    for role in dict.fromkeys(host.role for host in plan.at_site(site)):
        for source, said in _by_source(flow for flow in ports.flows_into(role) if flow.scope == "site").items():
            if speakers := _addresses(host for host in plan.at_site(site) if host.role == source):
                yield _opening(f"{role}-in-{site}-from-{source}", names.of_role(plan, role, site), speakers, said)
    yield _passed_on(plan, site)
    yield from _tunnels(plan, site)


def _passed_on(plan: Plan, site: str) -> Opening:
    """What a gateway takes from its site for others: their firewalls decide what becomes of it."""
    roles = {host.role for host in plan.at_site(site)}
    flows = [flow for flow in ports.FLOWS if flow.source in roles and flow.scope == "venue"]
    return Opening(
        name=f"gateway-in-{site}-to-others",
        target=names.of_role(plan, "gateway", site),
        sources=(str(plan.sites[site].network),),
        allows={**_allowed(flows), "icmp": ()},
        purpose="passes the site's packets on",
    )


def _tunnels(plan: Plan, site: str) -> Iterator[Opening]:
    """The site's ends of its links, each on a port of its own: open to anybody only where a link needs the Internet."""
    listening, target = wireguard.listen_ports(plan, site), names.of_role(plan, "gateway", site)
    public = [listening[link.name] for link, _, _ in plan.links_at(site) if link.kind == wireguard.NAME]
    private = [
        (listening[link.name], f"{plan.sites[far.site].gateway_address}/32")
        for link, _, far in plan.links_at(site)
        if link.kind != wireguard.NAME and link.name in listening
    ]
    for purpose, found, sources in (
        ("over-internet", public, ANYWHERE),
        ("inside", [port for port, _ in private], tuple(dict.fromkeys(address for _, address in private))),
    ):
        if found:
            yield Opening(
                name=f"gateway-in-{site}-tunnels-{purpose}",
                target=target,
                sources=sources,
                allows={"udp": tuple(map(str, sorted(found)))},
                purpose="encrypts links",
            )


def _by_source(flows: Iterable[Flow]) -> Mapping[str, list[Flow]]:
    found: dict[str, list[Flow]] = defaultdict(list)
    for flow in flows:
        found[flow.source].append(flow)
    return found


def _opening(name: str, target: str, sources: tuple[str, ...], flows: Sequence[Flow]) -> Opening:
    purpose = ", ".join(dict.fromkeys(flow.purpose for flow in flows))
    return Opening(name=name, target=target, sources=sources, allows=_allowed(flows), purpose=purpose)


def _allowed(flows: Iterable[Flow]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for flow in flows:
        found[flow.protocol][str(flow.port)] = None
    return {protocol: tuple(numbers) for protocol, numbers in found.items()}


def _addresses(hosts: Iterable[Host]) -> tuple[str, ...]:
    return tuple(f"{host.address}/32" for host in hosts)
