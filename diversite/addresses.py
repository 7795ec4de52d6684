"""The address plan: private space, pinned by name.

A site's network and a link's two addresses come from a hash of the name, and the next free slot where two names meet.
So adding an item at the end of a map moves no other item's addresses.

    10.128.0.0/9    sites, a /22 each
    10.0.0.0/12     links, a /31 each
    10.64.0.0/16    gateways at Hetzner among each other, an address each: what carries the tunnels between them
    100.64.0.0/10   how clients reach an entrance in a rehearsal, a /31 each (shared space, RFC 6598)
    fd../48         sites, a /64 each (unique local, RFC 4193), where the provider has IPv6 in private networks
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from diversite.errors import PlanError

SITE_SPACE = IPv4Network("10.128.0.0/9")
LINK_SPACE = IPv4Network("10.0.0.0/12")
ACCESS_SPACE = IPv4Network("100.64.0.0/10")
UNDERLAY_SPACE = IPv4Network("10.64.0.0/16")
"""The network that gateways of one Hetzner network zone share: one `cloud` subnet of all of it."""
UNDERLAY_HOSTS = IPv4Network("10.64.64.0/18")
"""Where its addresses are taken: Hetzner keeps the first two and the last of a network."""
SITE_PREFIX = 22
LINK_PREFIX = 31

PARTS = {"edge": (0, 26), "balancer": (64, 26), "service": (256, 24), "node": (512, 23)}
"""Where a cloud whose subnets differ in what they reach cuts a site's network: offset and prefix length. The edge holds
gateways, the balancer part the provider's own balancers, the others hosts without a way in from outside."""
FIRST_OFFSET = {
    "gateway": 4,
    "entry": 260,
    "monitor": 300,
    "store": 320,
    "queue": 340,
    "passive": 360,
    "validator": 516,
    "engine": 770,
}
"""Where the addresses of a role begin in its site's network. Every cloud reserves some: AWS the first four and the last
of a subnet, Google the first two and the last two, Hetzner the first."""
ROLE_SPAN = {
    "gateway": 2,
    "entry": 32,
    "monitor": 16,
    "store": 16,
    "queue": 16,
    "passive": 16,
    "validator": 250,
    "engine": 250,
}
"""How many addresses a role has in a site."""


def site_networks(names: Iterable[str]) -> dict[str, IPv4Network]:
    """The network of each site, in the order of the topology."""
    return dict(zip_slots(names, SITE_SPACE, SITE_PREFIX))


def link_networks(names: Iterable[str]) -> dict[str, IPv4Network]:
    """The /31 of each link, in the order of the topology."""
    return dict(zip_slots(names, LINK_SPACE, LINK_PREFIX))


def access_networks(names: Iterable[str]) -> dict[str, IPv4Network]:
    """The /31 between the clients and each entrance, in the order of the topology."""
    return dict(zip_slots(names, ACCESS_SPACE, LINK_PREFIX))


def underlay_addresses(names: Iterable[str]) -> dict[str, IPv4Address]:
    """The address of each site's gateway in `UNDERLAY_SPACE`, by all the sites of a plan in the topology's order.

    Only gateways at Hetzner have one, on a second private interface (`underlay_addresses(plan.sites)[site]`): a link of
    kind `backbone` between two of them is a tunnel between these addresses, and nothing else uses that network.
    """
    return {name: network.network_address for name, network in zip_slots(names, UNDERLAY_HOSTS, 32)}


def site_networks_v6(venue: str, networks: dict[str, IPv4Network]) -> dict[str, IPv6Network]:
    """The /64 of each site: the venue's own /48, then the slot of the site's IPv4 network."""
    venue_bits = _digest(venue) & ((1 << 40) - 1)
    base = (0xFD << 120) | (venue_bits << 80)
    return {name: IPv6Network((base | (_slot_of(network) << 64), 64)) for name, network in networks.items()}


def part(network: IPv4Network, name: str) -> IPv4Network:
    """A part of a site's network, by its name in `PARTS`."""
    offset, prefix = PARTS[name]
    return IPv4Network((int(network.network_address) + offset, prefix))


def host_address(network: IPv4Network, role: str, position: int) -> IPv4Address:
    """The address of the `position`-th host of a role in a site; `PlanError` where the role's span is used up."""
    if position >= ROLE_SPAN[role]:
        raise PlanError(
            f"site network {network}: no address left for {role} number {position + 1}; a site holds at most "
            f"{ROLE_SPAN[role]} hosts of that role. Put the others into another site."
        )
    return network[FIRST_OFFSET[role] + position]


def zip_slots(names: Iterable[str], space: IPv4Network, prefix: int) -> list[tuple[str, IPv4Network]]:
    """A network of `prefix` bits for each name, from a hash of the name, without overlap."""
    size = 1 << (prefix - space.prefixlen)
    step = 1 << (32 - prefix)
    taken: set[int] = set()
    result = []
    for name in names:
        slot = _free_slot(_digest(name) % size, size, taken, space)
        taken.add(slot)
        result.append((name, IPv4Network((int(space.network_address) + slot * step, prefix))))
    return result


def _free_slot(wanted: int, size: int, taken: set[int], space: IPv4Network) -> int:
    if len(taken) >= size:
        raise PlanError(f"address space {space}: all {size} networks are taken. Use fewer sites or links.")
    while wanted in taken:
        wanted = (wanted + 1) % size
    return wanted


def _slot_of(network: IPv4Network) -> int:
    return (int(network.network_address) - int(SITE_SPACE.network_address)) >> (32 - network.prefixlen)


def _digest(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
