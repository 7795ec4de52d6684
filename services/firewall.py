"""The packet filter of a host: what `diversite.ports.FLOWS` lists, from exactly the addresses of who may say it.

Everything else that comes in is dropped. A gateway also filters what it passes on: only the venue's own networks, and
none that claims to come from the wrong side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address

from diversite import addresses, ports
from diversite.plan import Host, Plan
from diversite.ports import Flow, flows_into
from services import wireguard
from services.bird import LAN_INTERFACE

OSPF_PROTOCOL = 89


def ruleset(plan: Plan, host: Host) -> str:
    """The nftables ruleset of a host, for `nft -f`; loading it again replaces it at once."""
    chains = [_input(plan, host), *([_forward(plan, host)] if host.role == "gateway" else [])]
    return table(chains)


def rules_of(plan: Plan, host: Host, flow: Flow) -> list[str]:
    """The rules that let one flow into a host; none where nobody may say it."""
    if flow.scope == "link":
        return [
            f'iifname "{here.interface}" ip saddr {far.address.ip} {matched(flow)} accept'
            for _, here, far in plan.links_at(host.site)
        ]
    if flow.port == ports.WIREGUARD:
        found = wireguard.listen_ports(plan, host.site)
        listening = sorted(port for link, port in found.items() if plan.links[link].kind == wireguard.NAME)
        return [f"udp dport {set_of(listening)} accept"] if listening else []
    if flow.scope == "public":
        return [f"{matched(flow)} accept"]
    sources = sources_of(plan, host, flow)
    return [f"ip saddr {set_of(sources)} {matched(flow)} accept"] if sources else []


def sources_of(plan: Plan, host: Host, flow: Flow) -> list[IPv4Address]:
    """The addresses that may say a flow of scope `venue` or `site` to a host."""
    speakers = [other for other in plan.hosts.values() if other.role == flow.source and other.name != host.name]
    return [other.address for other in speakers if flow.scope == "venue" or other.site == host.site]


def table(chains: Sequence[str]) -> str:
    """A whole ruleset of these chains."""
    body = "\n".join(chains)
    return f"table inet diversite\ndelete table inet diversite\ntable inet diversite {{\n{body}}}\n"


def chain(
    hook: str, rules: Sequence[str], *, kind: str = "filter", priority: str = "filter", policy: str = "drop"
) -> str:
    """A chain at a hook of its name."""
    lines = [f"type {kind} hook {hook} priority {priority}; policy {policy};", *rules]
    return f"    chain {hook} {{\n" + "".join(f"        {line}\n" for line in lines) + "    }\n"


def always() -> list[str]:
    """What every host lets in: answers, itself, and what the network needs to work."""
    return [
        "ct state established,related accept",
        'iifname "lo" accept',
        f"ip saddr {{ {addresses.SITE_SPACE}, {addresses.LINK_SPACE} }} icmp type echo-request accept",
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept",
    ]


def matched(flow: Flow) -> str:
    """How a packet of a flow is known."""
    return f"ip protocol {OSPF_PROTOCOL}" if flow.protocol == "ospf" else f"{flow.protocol} dport {flow.port}"


def set_of(items: Iterable[IPv4Address | str | int]) -> str:
    """Several values as one of nftables' sets."""
    return f"{{ {', '.join(str(item) for item in items)} }}"


def _input(plan: Plan, host: Host) -> str:
    return chain("input", [*always(), *_flows(plan, host)])


def _flows(plan: Plan, host: Host) -> Iterator[str]:
    for flow in flows_into(host.role):
        if flow.only_in_clouds:
            continue
        rules = rules_of(plan, host, flow)
        if rules:
            yield f"# {flow.source}: {flow.purpose}"
        yield from rules


def _forward(plan: Plan, host: Host) -> str:
    own = plan.sites[host.site].network
    links = set_of([f'"{here.interface}"' for _, here, _ in plan.links_at(host.site)])
    rules = [
        f'iifname "{LAN_INTERFACE}" ip saddr != {own} drop',
        f'iifname != "{LAN_INTERFACE}" ip saddr {own} drop',
        "tcp flags syn / syn,rst tcp option maxseg size set rt mtu",  # links may carry smaller packets than sites do
    ]
    if plan.links_at(host.site):
        passing = f"ip saddr {addresses.SITE_SPACE} ip daddr {addresses.SITE_SPACE} accept"
        rules += [
            f'iifname "{LAN_INTERFACE}" oifname {links} {passing}',
            f'iifname {links} oifname "{LAN_INTERFACE}" {passing}',
            f"iifname {links} oifname {links} {passing}",
        ]
    return chain("forward", rules)
