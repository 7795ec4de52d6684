"""WireGuard: this end of a link in a cloud, for `wg-quick`. BIRD decides what goes through, the firewall what may.

In a cloud every link is such a tunnel between two gateways, whatever carries it: `wireguard` their public addresses,
every other kind their private ones, between which the providers route. One interface a link, because OSPF needs one; so
each link also has keys of its own. The private key is made on the gateway and never leaves: `<data>/<interface>.key`.

What a tunnel itself sends bears `MARK`, and a table of its own says where that goes: to the subnet's router. So the
venue's routing, which leads to a far gateway through the tunnel, cannot lead the tunnel into itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

from diversite import addresses, ports
from diversite.errors import PlanError
from diversite.plan import LinkEnd, LinkPlan, Plan
from diversite.topology import SITES_MAX
from services.facts import Facts
from services.service import Paths

NAME = "wireguard"

MTU_BYTES = 1380
"""Google's 1460 less WireGuard's 80 over IPv6; Hetzner's private networks carry 1450, others 1500 or more."""
VPN_MTU_BYTES = 1320
"""Inside a managed VPN, for which Google advises 1390 where nothing clamps; less WireGuard's 60 over IPv4."""
KEEPALIVE_SECONDS = 25
"""Only over public addresses: AWS and Google translate them, and forget a translation that nobody uses."""
MARK = 0xD1
"""On what a tunnel itself sends; also the number of the routing table for it."""
PORTS = range(ports.WIREGUARD, ports.WIREGUARD + 2 * SITES_MAX)
"""A link's port at a gateway is one of these, pinned by the link's name."""


@dataclass(frozen=True, kw_only=True)
class Far:
    """What is known of the far end once it is there."""

    public_key: str
    """Base64."""
    address: str
    """Where its gateway is reached: `far_address`."""


def configs(plan: Plan, site: str, known: Facts, endpoints: Mapping[str, str], paths: Paths) -> Mapping[str, str]:
    """`<interface>.conf` of the links at a site whose far end has told its key, by the interface.

    A link that came after the others waits: its gateways make keys for it first (docs/runbooks/genesis.md). `PlanError`
    where the address of a far end is not known.
    """
    found = {}
    for link, here, there in plan.links_at(site):
        if key := known.tunnels.get(there.site, {}).get(link.name):
            far = Far(public_key=key, address=str(far_address(plan, link, there, endpoints)))
            found[here.interface] = config(plan, link, site, far, paths)
    return found


def config(plan: Plan, link: LinkPlan, site: str, far: Far, paths: Paths) -> str:
    """`<interface>.conf` of a link's end at `site`."""
    here, there = _ends(link, site)
    return (
        f"# {link.name}: {here.site} to {there.site}, {link.kind}, carried by {link.carrier}\n"
        "[Interface]\n"
        f"Address = {here.address}\n"
        f"ListenPort = {listen_ports(plan, here.site)[link.name]}\n"
        f"FwMark = {MARK:#x}\n"
        f"MTU = {VPN_MTU_BYTES if link.kind == 'vpn' else MTU_BYTES}\n"
        "Table = off\n"
        f"PostUp = wg set %i private-key {paths.data}/{here.interface}.key\n"
        "\n"
        "[Peer]\n"
        f"PublicKey = {far.public_key}\n"
        f"Endpoint = {far.address}:{listen_ports(plan, there.site)[link.name]}\n"
        "AllowedIPs = 0.0.0.0/0\n"
    ) + (f"PersistentKeepalive = {KEEPALIVE_SECONDS}\n" if link.kind == NAME else "")


def far_address(plan: Plan, link: LinkPlan, far: LinkEnd, endpoints: Mapping[str, str]) -> IPv4Address:
    """Where the far gateway of a link is reached: `endpoints` holds the public addresses by site."""
    if link.kind != NAME:
        return _private_address(plan, far.site)
    if far.site not in endpoints:
        raise PlanError(
            f"link {link.name}: the public address of site {far.site}'s gateway is not known, and a tunnel of kind "
            f"{link.kind} leads there. Pass it in endpoints."
        )
    try:
        return IPv4Address(endpoints[far.site])
    except AddressValueError as error:
        raise PlanError(f"link {link.name}: the public address of site {far.site}'s gateway: {error}") from error


def listen_ports(plan: Plan, site: str) -> Mapping[str, int]:
    """The UDP port of each link at a site, by the link's name; a link added at the end moves no other's."""
    found: dict[str, int] = {}
    for link in plan.links.values():
        if site in link.sites:
            found[link.name] = _free(link.name, set(found.values()))
    return found


def _private_address(plan: Plan, site: str) -> IPv4Address:
    """Where the provider's own network reaches a gateway; at Hetzner that is a network for gateways alone."""
    planned = plan.sites[site]
    shared = planned.place.provider == "hetzner"
    return addresses.underlay_addresses(plan.sites)[site] if shared else planned.gateway_address


def _ends(link: LinkPlan, site: str) -> tuple[LinkEnd, LinkEnd]:
    return (link.a, link.b) if link.a.site == site else (link.b, link.a)


def _free(name: str, taken: set[int]) -> int:
    first = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % len(PORTS)
    candidates = (PORTS[(first + step) % len(PORTS)] for step in range(len(PORTS)))
    return next(port for port in candidates if port not in taken)
