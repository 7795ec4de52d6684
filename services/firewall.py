"""The packet filter of a host: what `diversite.ports.FLOWS` lists, from exactly the addresses of who may say it.

Everything else that comes in is dropped. A gateway also filters what it passes on: only the venue's own networks, and
none that claims to come from the wrong side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    body = "\n".join(chains)
    return f"table inet diversite\ndelete table inet diversite\ntable inet diversite {{\n{body}}}\n"


def rules_of(plan: Plan, host: Host, flow: Flow) -> list[str]:
    """The rules that let one flow into a host; none where nobody may say it."""
    if flow.scope == "link":
        return [
            f'iifname "{here.interface}" ip saddr {far.address.ip} {_matched(flow)} accept'
            for _, here, far in plan.links_at(host.site)
        ]
    if flow.port == ports.WIREGUARD:
        found = wireguard.listen_ports(plan, host.site)
        listening = sorted(port for link, port in found.items() if plan.links[link].kind == wireguard.NAME)
        return [f"udp dport {_set(listening)} accept"] if listening else []
    if flow.scope == "public":
        return [f"{_matched(flow)} accept"]
    sources = sources_of(plan, host, flow)
    return [f"ip saddr {_set(sources)} {_matched(flow)} accept"] if sources else []


def sources_of(plan: Plan, host: Host, flow: Flow) -> list[IPv4Address]:
    """The addresses that may say a flow of scope `venue` or `site` to a host."""
    speakers = [other for other in plan.hosts.values() if other.role == flow.source and other.name != host.name]
    return [other.address for other in speakers if flow.scope == "venue" or other.site == host.site]


def _input(plan: Plan, host: Host) -> str:
    always = [
        "ct state established,related accept",
        'iifname "lo" accept',
        f"ip saddr {{ {addresses.SITE_SPACE}, {addresses.LINK_SPACE} }} icmp type echo-request accept",
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept",
    ]
    return _chain("input", [*always, *_flows(plan, host)])


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
    links = _set([f'"{here.interface}"' for _, here, _ in plan.links_at(host.site)])
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
    return _chain("forward", rules)


def _matched(flow: Flow) -> str:
    return f"ip protocol {OSPF_PROTOCOL}" if flow.protocol == "ospf" else f"{flow.protocol} dport {flow.port}"


def _set(items: Sequence[IPv4Address | str | int]) -> str:
    return f"{{ {', '.join(str(item) for item in items)} }}"


def _chain(hook: str, rules: list[str]) -> str:
    lines = [f"type filter hook {hook} priority filter; policy drop;", *rules]
    return f"    chain {hook} {{\n" + "".join(f"        {line}\n" for line in lines) + "    }\n"
