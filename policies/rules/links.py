"""Links: two ways between any two sites, private, encrypted, and taken away in time when they die."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Interface, IPv4Network
from itertools import pairwise

from diversite.catalog import catalog
from policies import facts, tokens
from policies.declared import UNKNOWN, Resource
from policies.facts import LinkFact
from policies.rule import Blocker, Settings, at_most, grouped, resource_rule, stack_rule
from policies.rules.judging import judged
from policies.venue import Venue

ENCRYPTED_KINDS = frozenset({"wireguard", "vpn"})
ENCRYPTIONS = frozenset({"macsec", "ipsec", "wireguard"})
"""What a link may declare that it is encrypted with, whatever its kind: a cloud's links are tunnels, all of them."""
WIREGUARD_BYTES = 80
"""What WireGuard adds to a packet over IPv6."""
ETHERNET_MTU_BYTES = 1500
"""What carries a tunnel where no host stands at a known place."""
IPV6_MTU_BYTES_MIN = 1280
"""RFC 8200, section 5."""
PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
"""RFC 1918."""
MTU = re.compile(r"^MTU = (\d+)$", re.MULTILINE)
RANGE_PATHS = {
    tokens.AWS_VPC: "cidrBlock",
    tokens.AWS_SUBNET: "cidrBlock",
    tokens.GCP_SUBNETWORK: "ipCidrRange",
    tokens.HCLOUD_NETWORK: "ipRange",
    tokens.HCLOUD_NETWORK_SUBNET: "ipRange",
}
SECRET_PATHS = {
    tokens.GCP_VPN_TUNNEL: ("sharedSecret",),
    tokens.AWS_VPN_CONNECTION: ("tunnel1PresharedKey", "tunnel2PresharedKey"),
}
"""Where a tunnel's secret is."""


class Links(Settings):
    """Bounds of the links."""

    detection_ms_max: float = at_most(1000)
    """The longest silence before a dead link is taken away."""


@stack_rule(
    subject="links",
    severity="critical",
    settings=Settings,
    remedy="Add a link of another carrier that does not pass through the same site.",
)
def disjoint_ways(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """Any two sites are joined in two ways without a link, carrier, duct or site in common.

    A single cut would take a site off, and its voting power with it.
    """
    yield from judged(venue, "links")
    if len(venue.islands) > 1:
        parts = " | ".join(sorted(", ".join(sorted(part)) for part in venue.islands))
        yield Blocker(cause=f"no link joins these parts of the venue, so nothing else of it can be judged: {parts}")


@stack_rule(
    subject="links",
    severity="critical",
    settings=Settings,
    remedy="Join the hosts over a link of the topology; only clients come from outside, and only to an entrance.",
)
def private_only(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """Hosts and links have private addresses, and nothing but an entrance is joined to the outside.

    Consensus in the open is for anybody to disturb.
    """
    yield from grouped([*_public_addresses(venue), *_outside_wires(venue)])


def _public_addresses(venue: Venue) -> Iterator[tuple[str, str]]:
    for host in venue.hosts():
        if host.address and not _is_private(_network(host.address)):
            yield f"the address {host.address} is not private", host.urn
    for link in venue.facts.links.values():
        for site, address in sorted(link.ends):
            if address and not _is_private(_network(address)):
                yield f"the address {address} of a link's end at {site} is not private", link.urn


def _outside_wires(venue: Venue) -> Iterator[tuple[str, str]]:
    for wire in venue.of_type(tokens.LAB_WIRE):
        hosts = [facts.used(wire, key, venue.resources, tokens.LAB_HOST) for key in ("a", "b")]
        roles = {facts.tags(host).get("role") for host in hosts if host}
        if "link" not in facts.tags(wire) and roles - {"entry", "client"}:
            yield "a wire outside the topology's links ends at a host that is no entrance", wire.urn


def _network(declared: object) -> IPv4Network | None:
    """What an address with its mask, or a range, is in; None where it is not known, or none of IPv4."""
    if isinstance(declared, str):
        with suppress(ValueError):
            return IPv4Interface(declared).network
    return None


def _is_private(network: IPv4Network | None) -> bool:
    return network is not None and any(network.subnet_of(space) for space in PRIVATE)


@stack_rule(
    subject="links",
    severity="critical",
    settings=Settings,
    remedy="Make it a `wireguard` or `vpn` link, or declare its `encryption`: wireguard, macsec or ipsec.",
)
def encrypted(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """What leaves a provider is encrypted.

    A backbone is one provider's own network; between two providers somebody else carries the packets. A lab's wire
    rehearses a circuit without its encryption.
    """
    if venue.plan is None:
        return
    for name, link in venue.facts.links.items():
        providers = {venue.plan.sites[site].place.provider for site in link.sites if site in venue.plan.sites}
        if len(providers) > 1 and not _is_encrypted(link, venue.resources[link.urn]):
            cause = f"{name} of the kind {link.kind!r} joins {' and '.join(sorted(providers))} unencrypted"
            yield Blocker(cause=cause, urns=(link.urn,))


def _is_encrypted(link: LinkFact, resource: Resource) -> bool:
    rehearsed = resource.type == tokens.LAB_WIRE and link.kind in ("circuit", "cross_cloud")
    return link.kind in ENCRYPTED_KINDS or rehearsed or resource.get("encryption") in ENCRYPTIONS


@stack_rule(
    subject="links",
    severity="high",
    settings=Settings,
    remedy="Make a random secret for each tunnel, as a resource of its own.",
)
def tunnel_secrets_differ(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """Each tunnel has a secret of its own.

    A secret that leaks then opens one tunnel. Unknown secrets are told apart by the resource that they come from.
    """
    tunnels: dict[object, list[str]] = defaultdict(list)
    for resource in venue.of_type(*SECRET_PATHS):
        for path in SECRET_PATHS[resource.type]:
            secret = resource.get(path)
            if secret is None:
                yield Blocker(cause=f"{path} is not declared", urns=(resource.urn,))
            else:
                tunnels[resource.uses.get(path) if secret is UNKNOWN else secret].append(resource.urn)
    for urns in tunnels.values():
        if len(urns) > 1:
            yield Blocker(cause=f"{len(urns)} tunnels share one secret", urns=tuple(dict.fromkeys(urns)))


@stack_rule(
    subject="links",
    severity="high",
    settings=Links,
    remedy="Let services.bird render the routers' configuration from the plan.",
)
def detection_fast(venue: Venue, settings: Links) -> Iterator[Blocker]:
    """Every router watches each of its links with BFD, fast enough.

    A link that dies silently otherwise swallows votes until routing's own time-out. Where a router's configuration is
    not known yet, the plan's timers are judged.
    """
    yield from grouped(
        cause
        for host in venue.hosts("gateway")
        if venue.texts(host.name)
        for cause in _undetected(venue, host.name, host.site, host.urn, settings.detection_ms_max)
    )


def _undetected(venue: Venue, name: str, site: str, urn: str, most_ms: float) -> Iterator[tuple[str, str]]:
    watched = venue.bfd.get(name, ())
    links = sum(site in link.sites for link in venue.facts.links.values())
    if len(watched) < links and None not in venue.documents[name]:
        yield f"{links - len(watched)} of {links} links are not watched with BFD", urn
    for interval_ms, multiplier in sorted(set(watched)):
        if interval_ms * multiplier > most_ms:
            yield f"BFD takes {interval_ms * multiplier} ms; {most_ms:g} ms is the most", urn


@stack_rule(
    subject="links",
    severity="high",
    settings=Settings,
    remedy="Take addresses from diversite.addresses, which pins them by name.",
)
def addresses_apart(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """The address plan is private and free of overlap.

    Two sites with one network cannot be routed to.
    """
    networks = sorted(_networks(venue))
    for network, name in networks:
        if not _is_private(network):
            yield Blocker(cause=f"the network {network} of {name} is not private")
    for (here, a), (there, b) in pairwise(networks):  # in order of their addresses, so that neighbours are enough
        if a != b and here.overlaps(there):
            yield Blocker(cause=f"the networks {here} of {a} and {there} of {b} overlap")
    count = Counter(host.address for host in venue.hosts() if host.address)
    for address, times in count.items():
        if times > 1:
            urns = tuple(host.urn for host in venue.hosts() if host.address == address)
            yield Blocker(cause=f"{times} hosts have the address {address}", urns=urns)


def _networks(venue: Venue) -> set[tuple[IPv4Network, str]]:
    """The known networks of each site of a lab, and each known range that a cloud declares, with its name."""
    named = [
        (item.get("address"), f"{resource.get('site')}/{item.get('name')}")
        for resource in venue.of_type(tokens.LAB_HOST)
        for item in resource.items("networks")
    ]
    for resource in venue.of_type(tokens.AWS_SUBNET, tokens.GCP_SUBNETWORK, tokens.HCLOUD_NETWORK_SUBNET):
        named.append((resource.get(RANGE_PATHS[resource.type]), resource.name))
    return {(network, name) for declared, name in named if (network := _network(declared))}


@resource_rule(
    types=RANGE_PATHS,
    subject="links",
    severity="high",
    settings=Settings,
    remedy="Declare a range of 10.0.0.0/8, as diversite.addresses gives it.",
)
def range_private(resource: Resource, _settings: Settings) -> Iterator[str]:
    """Every network's address range is declared and private.

    A range of the open Internet takes the way to its real owner away. A range that a cloud would choose is unknown to
    the plan.
    """
    path = RANGE_PATHS[resource.type]
    declared = resource.get(path)
    if not isinstance(declared, str):
        yield f"{path} is not declared"
    elif not _is_private(_network(declared)):
        yield f"{path} is {declared}: not private"


@stack_rule(
    subject="links",
    severity="medium",
    settings=Settings,
    remedy="Use the tunnels' common size, services.wireguard.MTU_BYTES.",
)
def mtu_fits(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """A tunnel's packets fit into what carries them.

    Larger ones are dropped without a word: small votes pass, blocks do not.
    """
    internet = [catalog().limits(provider).mtu_bytes_max["internet"] for provider in _providers(venue)]
    most = min(internet, default=ETHERNET_MTU_BYTES) - WIREGUARD_BYTES
    yield from grouped(
        (f"a tunnel's MTU is {size}; {IPV6_MTU_BYTES_MIN} to {most} bytes fit", host.urn)
        for host in venue.hosts("gateway")
        for text in venue.texts(host.name)
        for size in map(int, MTU.findall(text))
        if not IPV6_MTU_BYTES_MIN <= size <= most
    )


def _providers(venue: Venue) -> set[str]:
    return {place.provider for host in venue.hosts() if (place := venue.place(host))}
