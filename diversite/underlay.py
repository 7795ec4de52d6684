"""What carries the tunnels between sites in clouds: one private network path for each kind and pair of regions.

A link of a venue is a tunnel between two gateways; its kind says what carries it. `wireguard` goes over the gateways'
public addresses and needs nothing. Every other kind needs a path that a provider makes between two of its regions, or
two providers make together: an `Underlay`. Sites in one network (an AWS or Hetzner region, Google's global one) need
none. All tunnels between two regions share it, and it carries the addresses of
gateways and nothing else, so that all of the venue's traffic follows the venue's own routing.

Autonomous system numbers and the addresses inside managed tunnels are pinned by name, as all addresses are.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from diversite import addresses, naming
from diversite.plan import LinkPlan, Plan
from diversite.topology import LinkKind

TUNNELS = 4
"""Managed tunnels of one VPN between AWS and Google: two connections of two, for which Google promises 99.99 %."""
TUNNEL_SPACE = IPv4Network("169.254.192.0/18")
"""Link-local, as both providers ask; it holds none of the /30 that AWS keeps for itself."""
PRIVATE_ASNS = range(4_200_000_000, 4_294_967_294)
"""RFC 6996."""


@dataclass(frozen=True, kw_only=True, order=True)
class Region:
    """A region of a provider, in one of the venue's accounts."""

    provider: str
    name: str
    account: str

    @property
    def asn(self) -> int:
        """The autonomous system number of the venue in this region."""
        return PRIVATE_ASNS[_digest(f"{self.account}/{self.provider}/{self.name}") % len(PRIVATE_ASNS)]


@dataclass(frozen=True, kw_only=True)
class Underlay:
    """A private path between two regions."""

    name: str
    kind: LinkKind
    carrier: str
    preference: int
    a: Region
    b: Region
    links: tuple[str, ...]
    """The names of the links whose tunnels it carries."""
    gateways: Mapping[Region, tuple[IPv4Address, ...]]
    """The gateways at each end, whose addresses it carries: to each /32 there is a route, and to nothing else."""
    tunnels: tuple[IPv4Network, ...] = ()
    """The /30 inside each managed tunnel of a `vpn`: its first address is AWS's, its second Google's."""

    def far(self, region: Region) -> Region:
        """The other end."""
        return self.b if region == self.a else self.a


def region_of(plan: Plan, site: str) -> Region:
    """Where a site stands, as providers' networks are divided."""
    place = plan.sites[site].place
    return Region(provider=place.provider, name=place.region, account=plan.sites[site].account)


def regions(plan: Plan, provider: str | None = None) -> Mapping[Region, tuple[str, ...]]:
    """The sites in each region, of one provider where it is given, in the topology's order."""
    found: dict[Region, list[str]] = defaultdict(list)
    for site, planned in plan.sites.items():
        if provider in (None, planned.place.provider):
            found[region_of(plan, site)].append(site)
    return {region: tuple(sites) for region, sites in found.items()}


def joined_within(plan: Plan, region: Region) -> tuple[str, ...]:
    """The sites of a region whose gateways speak to each other over the region's own network, in the topology's order:
    those with a link to another site of it that is no `wireguard`.
    """
    joined = {
        site
        for link in plan.links.values()
        if link.kind != "wireguard" and {region_of(plan, end) for end in link.sites} == {region}
        for site in link.sites
    }
    return tuple(site for site in plan.sites if site in joined)


def underlays(plan: Plan) -> tuple[Underlay, ...]:
    """Every path that providers must make, in the topology's order of links."""
    grouped: dict[_Key, list[LinkPlan]] = defaultdict(list)
    for link in plan.links.values():
        a, b = sorted(region_of(plan, site) for site in link.sites)
        if link.kind != "wireguard" and not _in_one_network(a, b):
            grouped[link.kind, link.preference, a, b].append(link)
    tunnels = _tunnels(_name(key) for key in grouped if key[0] == "vpn")
    return tuple(_underlay(plan, key, tuple(links), tunnels) for key, links in grouped.items())


_Key = tuple[LinkKind, int, Region, Region]


def _underlay(plan: Plan, key: _Key, links: tuple[LinkPlan, ...], tunnels: _Tunnels) -> Underlay:
    kind, preference, a, b = key
    return Underlay(
        name=_name(key),
        kind=kind,
        carrier=links[0].carrier,
        preference=preference,
        a=a,
        b=b,
        links=tuple(link.name for link in links),
        gateways={region: _gateways(plan, region, links) for region in (a, b)},
        tunnels=tunnels.get(_name(key), ()),
    )


def _name(key: _Key) -> str:
    kind, preference, a, b = key
    accounts = [region.account for region in (a, b) if region.account != region.provider]
    second = [str(preference)] if preference > 1 else []
    return naming.within_limit("-".join([kind.replace("_", "-"), a.name, b.name, *accounts, *second]))


def _in_one_network(a: Region, b: Region) -> bool:
    """A region's network holds all of its sites; Google's holds those of all regions."""
    return a == b or (a.provider, b.provider, a.account) == ("gcp", "gcp", b.account)


def _gateways(plan: Plan, region: Region, links: Iterable[LinkPlan]) -> tuple[IPv4Address, ...]:
    sites = dict.fromkeys(site for link in links for site in link.sites if region_of(plan, site) == region)
    return tuple(plan.sites[site].gateway_address for site in sites)


_Tunnels = Mapping[str, tuple[IPv4Network, ...]]


def _tunnels(names: Iterable[str]) -> _Tunnels:
    ends = [(name, f"{name}-{position}") for name in names for position in range(TUNNELS)]
    slots = dict(addresses.zip_slots((end for _, end in ends), TUNNEL_SPACE, 30))
    return {name: tuple(slots[end] for of, end in ends if of == name) for name, _ in ends}


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
