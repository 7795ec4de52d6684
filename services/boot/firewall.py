"""The packet filter of a cloud's host: the flows of `diversite.ports`, the tunnels' ends, and what the site sends out.

It names no interface but the tunnels'. A cloud's own interfaces are called differently by each provider and image, and
Linux 6.1 cannot rename a running one: whatever is no tunnel is the provider's side, and a source's address must belong
to the interface that it comes in by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from diversite import addresses, ports
from diversite.plan import Host, Plan
from diversite.ports import Flow, flows_into
from services import firewall, wireguard
from services.firewall import chain, matched, set_of

PRIVATE = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
)
"""Nothing that a site sends out goes there."""


def ruleset(plan: Plan, host: Host, endpoints: Mapping[str, str], *, operators: bool) -> str:
    """The nftables ruleset of a host; `operators`: whether people come in by SSH keys of their own (Hetzner).

    `endpoints`: the public addresses of gateways by site; a tunnel whose far end is not in it is not let in.
    """
    chains = [_input(plan, host, endpoints, operators)]
    if host.role == "gateway":
        chains += [_forward(plan, host), *([_translate(plan, host)] if _leads_out(host) else [])]
    return firewall.table(chains)


def _input(plan: Plan, host: Host, endpoints: Mapping[str, str], operators: bool) -> str:
    return chain("input", [*firewall.always(), _DHCP, *_flows(plan, host, endpoints, operators)])


_DHCP = "udp sport 67 udp dport 68 accept  # a lease is renewed"


def _flows(plan: Plan, host: Host, endpoints: Mapping[str, str], operators: bool) -> Iterator[str]:
    for flow in flows_into(host.role):
        rules = list(_rules(plan, host, flow, endpoints, operators))
        if rules:
            yield f"# {flow.source}: {flow.purpose}"
        yield from rules


def _rules(plan: Plan, host: Host, flow: Flow, endpoints: Mapping[str, str], operators: bool) -> Iterator[str]:
    if flow.port == ports.WIREGUARD:
        yield from _tunnels(plan, host, endpoints)
    elif flow.scope == "operators":
        yield from _ways_in(plan, host, flow, operators)
    else:
        yield from firewall.rules_of(plan, host, flow)
    if flow.port == ports.ENTRY_METRICS and host.provider == "hetzner":
        balancer = addresses.part(plan.sites[host.site].network, "balancer")
        yield f"ip saddr {balancer} {matched(flow)} accept  # the balancer's health check"


def _tunnels(plan: Plan, host: Host, endpoints: Mapping[str, str]) -> Iterator[str]:
    """Each tunnel from its own far end alone."""
    listening = wireguard.listen_ports(plan, host.site)
    for link, _, far in plan.links_at(host.site):
        if link.kind != wireguard.NAME or far.site in endpoints:
            source = wireguard.far_address(plan, link, far, endpoints)
            yield f"ip saddr {source} udp dport {listening[link.name]} accept"


def _ways_in(plan: Plan, host: Host, flow: Flow, operators: bool) -> Iterator[str]:
    if host.provider == "gcp":
        yield f"ip saddr {ports.IAP_NETWORK} {matched(flow)} accept"
    elif operators and host.role == "gateway":
        yield f"{matched(flow)} accept"
    elif operators:
        yield f"ip saddr {plan.gateway(host.site).address} {matched(flow)} accept"


def _forward(plan: Plan, host: Host) -> str:
    own = plan.sites[host.site].network
    links = set_of([f'"{here.interface}"' for _, here, _ in plan.links_at(host.site)] or ['"none"'])
    site_space = addresses.SITE_SPACE
    rules = [
        f"iifname {links} ip saddr {own} drop",
        *(["ct state established,related ct status snat accept"] if _leads_out(host) else []),
        f"iifname != {links} ip saddr != {own} drop",
        f"iifname != {links} fib saddr . iif oif missing drop",
        "tcp flags syn / syn,rst tcp option maxseg size set rt mtu",  # links carry smaller packets than sites do
        f"iifname != {links} oifname {links} ip daddr {site_space} accept",
        f"iifname {links} oifname != {links} ip saddr {site_space} ip daddr {own} accept",
        f"iifname {links} oifname {links} ip saddr {site_space} ip daddr {site_space} accept",
    ]
    if _leads_out(host):
        rules.append(f"iifname != {links} oifname != {links} ip daddr != {set_of(PRIVATE)} accept")
    return chain("forward", rules)


def _translate(plan: Plan, host: Host) -> str:
    """What a site's hosts say to the world comes from the gateway's public address."""
    own = plan.sites[host.site].network
    return chain(
        "postrouting",
        [f"ip saddr {own} ip daddr != {set_of(PRIVATE)} masquerade"],
        kind="nat",
        priority="srcnat",
        policy="accept",
    )


def _leads_out(host: Host) -> bool:
    """Hetzner has no gateway of its own for hosts without a public address."""
    return host.provider == "hetzner"
