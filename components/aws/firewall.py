"""What AWS lets in, from `diversite.ports`: security groups of hosts, and access lists of subnets behind them.

Both are a second guard: a host's own packet filter (services.firewall) is exact in every case, and follows the venue's
routing. A group holds 60 rules at most, so where a venue's addresses are more, a rule names the sites' networks
instead, and at last the space of all sites. AWS's agent calls out to let operators in, so no flow of theirs is open.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from typing import Literal

import pulumi_aws as aws

from diversite import addresses, ports
from diversite.plan import Host, Plan
from diversite.ports import FLOWS, Flow, flows_into
from services import firewall, wireguard

RULES_MAX = 60
"""Of a security group in one direction, each source of a port counted once: AWS's quota where nobody raised it."""
DESCRIPTION_LENGTH_MAX = 255
REFUSED_IN_DESCRIPTIONS = re.compile(r"[^a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]")
ANYWHERE = IPv4Network("0.0.0.0/0")
VENUE = (addresses.SITE_SPACE, addresses.LINK_SPACE)
WEB_PORTS = (80, 443)
"""What hosts fetch: releases, security updates, the provider's own interfaces; and where alerts go."""
EPHEMERAL_PORTS = {"public": (1024, 65_535), "private": (32_768, 60_999)}
"""Where answers arrive: a NAT gateway uses every port above the lowest, a Linux host those of ip_local_port_range."""
REMOTE_DESKTOP = 3389
"""Within the NAT gateway's range, and refused to the world all the same (CIS AWS 5.1)."""

Protocol = Literal["tcp", "udp", "icmp", "-1"]
ANSWERING_PROTOCOLS: tuple[Protocol, ...] = ("tcp", "udp")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One thing that is open."""

    protocol: Protocol
    first: int
    last: int
    sources: tuple[IPv4Network, ...]
    """Where it may come from; of what goes out, where to."""
    purpose: str

    @property
    def description(self) -> str:
        """The purpose in those letters that AWS takes."""
        return REFUSED_IN_DESCRIPTIONS.sub("", self.purpose)[:DESCRIPTION_LENGTH_MAX]


def into(plan: Plan, host: Host) -> list[Rule]:
    """What a host's security group lets in."""
    for widened in (_exact, _parts, _everything):
        rules = [_pings(), *_merged(_listed(plan, host, widened))]
        if sum(len(rule.sources) for rule in rules) <= RULES_MAX:
            return rules
    return rules


def through(plan: Plan, host: Host) -> list[Rule]:
    """What a gateway takes from its own site to pass it on: what any flow between sites may say, and pings."""
    own = (plan.sites[host.site].network,)
    return [_pings(), *_merged(_rule(flow, own) for flow in FLOWS if flow.scope == "venue")]


def out_of(host: Host) -> list[Rule]:
    """What a host may say: anything within the venue, to the world what it fetches; a gateway also its tunnels."""
    rules = [Rule(protocol="-1", first=0, last=0, sources=VENUE, purpose="the venue")]
    rules += [Rule(protocol="tcp", first=it, last=it, sources=(ANYWHERE,), purpose="fetches") for it in WEB_PORTS]
    if host.role == "gateway":
        first, last = wireguard.PORTS[0], wireguard.PORTS[-1]
        rules.append(Rule(protocol="udp", first=first, last=last, sources=(ANYWHERE,), purpose="encrypted links"))
    return rules


def ingress(rules: Iterable[Rule]) -> list[aws.ec2.SecurityGroupIngressArgs]:
    """Rules as a security group takes them."""
    return [
        aws.ec2.SecurityGroupIngressArgs(
            protocol=rule.protocol,
            from_port=rule.first,
            to_port=rule.last,
            cidr_blocks=list(map(str, rule.sources)),
            description=rule.description,
        )
        for rule in rules
    ]


def egress(rules: Iterable[Rule]) -> list[aws.ec2.SecurityGroupEgressArgs]:
    """Rules as a security group takes them for what goes out."""
    return [
        aws.ec2.SecurityGroupEgressArgs(
            protocol=rule.protocol,
            from_port=rule.first,
            to_port=rule.last,
            cidr_blocks=list(map(str, rule.sources)),
            description=rule.description,
        )
        for rule in rules
    ]


def admitted(kind: Literal["public", "private"]) -> list[aws.ec2.NetworkAclIngressArgs]:
    """What may come into the subnets of a kind: the venue, answers, pings; clients' orders, tunnels. Nothing low."""
    first, last = EPHEMERAL_PORTS[kind]
    world = (ANYWHERE,)
    venue = Rule(protocol="-1", first=0, last=0, sources=VENUE, purpose="the venue")
    desktop = Rule(protocol="tcp", first=REMOTE_DESKTOP, last=REMOTE_DESKTOP, sources=world, purpose="nobody")
    orders = Rule(protocol="tcp", first=ports.ORDERS, last=ports.ORDERS, sources=world, purpose="clients")
    answers = [
        Rule(protocol=protocol, first=first, last=last, sources=world, purpose="answers")
        for protocol in ANSWERING_PROTOCOLS
    ]
    pings = Rule(protocol="icmp", first=0, last=0, sources=world, purpose="sizes of packets")
    return [
        *_entries(100, venue),
        *_entries(120, desktop, "deny"),
        *_entries(130, orders),
        *(entry for position, rule in enumerate(answers) for entry in _entries(140 + position, rule)),
        *_entries(160, pings),
    ]


def dismissed() -> list[aws.ec2.NetworkAclEgressArgs]:
    """What may leave a subnet: everything; security groups say what a host may."""
    return [
        aws.ec2.NetworkAclEgressArgs(
            rule_no=100, action="allow", protocol="-1", from_port=0, to_port=0, cidr_block=str(ANYWHERE)
        )
    ]


Widened = Callable[[Plan, Sequence[IPv4Address]], Iterable[IPv4Network]]


def _exact(_plan: Plan, sources: Sequence[IPv4Address]) -> Iterable[IPv4Network]:
    return collapse_addresses(map(IPv4Network, sources))


def _parts(plan: Plan, sources: Sequence[IPv4Address]) -> Iterable[IPv4Network]:
    parts = [addresses.part(site.network, name) for site in plan.sites.values() for name in addresses.PARTS]
    return collapse_addresses(part for part in parts if any(source in part for source in sources))


def _everything(_plan: Plan, sources: Sequence[IPv4Address]) -> Iterable[IPv4Network]:
    return [addresses.SITE_SPACE] if sources else []


def _listed(plan: Plan, host: Host, widened: Widened) -> Iterator[Rule]:
    for flow in flows_into(host.role):
        if flow.port == ports.WIREGUARD:
            yield from _tunnels(plan, host, flow)
        elif flow.scope == "public":
            yield _rule(flow, (ANYWHERE,))
        elif flow.scope in ("venue", "site"):
            yield _rule(flow, tuple(widened(plan, firewall.sources_of(plan, host, flow))))


def _tunnels(plan: Plan, host: Host, flow: Flow) -> Iterator[Rule]:
    """A tunnel over public addresses is open to anybody, one over a provider's own network to its far gateway."""
    for name, port in wireguard.listen_ports(plan, host.site).items():
        link = plan.links[name]
        far = link.b.site if link.a.site == host.site else link.a.site
        source = ANYWHERE if link.kind == "wireguard" else IPv4Network(plan.sites[far].gateway_address)
        yield Rule(protocol="udp", first=port, last=port, sources=(source,), purpose=f"{flow.purpose}: {name}")


def _merged(rules: Iterable[Rule]) -> Iterator[Rule]:
    """One rule a port: AWS refuses a group in which a port names a source twice."""
    by_port: dict[tuple[Protocol, int], list[Rule]] = defaultdict(list)
    for rule in rules:
        by_port[rule.protocol, rule.first].append(rule)
    for (protocol, port), same in by_port.items():
        sources = tuple(collapse_addresses(source for rule in same for source in rule.sources))
        purpose = "; ".join(dict.fromkeys(rule.purpose for rule in same if rule.sources))
        if sources:
            yield Rule(protocol=protocol, first=port, last=port, sources=sources, purpose=purpose)


def _rule(flow: Flow, sources: tuple[IPv4Network, ...]) -> Rule:
    protocol = _protocol(flow.protocol)
    return Rule(protocol=protocol, first=flow.port, last=flow.port, sources=sources, purpose=flow.purpose)


def _pings() -> Rule:
    return Rule(protocol="icmp", first=-1, last=-1, sources=VENUE, purpose="round trips, sizes of packets")


def _protocol(name: str) -> Protocol:
    return "udp" if name == "udp" else "tcp"


def _entries(
    number: int, rule: Rule, action: Literal["allow", "deny"] = "allow"
) -> Iterator[aws.ec2.NetworkAclIngressArgs]:
    every = -1 if rule.protocol == "icmp" else None
    for position, source in enumerate(rule.sources):
        yield aws.ec2.NetworkAclIngressArgs(
            rule_no=number + position,
            action=action,
            protocol=rule.protocol,
            from_port=rule.first,
            to_port=rule.last,
            cidr_block=str(source),
            icmp_type=every,
            icmp_code=every,
        )
