"""`plan(topology) -> Plan`: the decider.

Every host, link end, address, voting power, time-out, health check and timer of a venue is decided here, once.
Components, services and the judge read the plan; none of them decides again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Network
from itertools import combinations
from typing import Any, Literal

from diversite import addresses, consensus, keeping, naming, network, rotation
from diversite.catalog import Place, catalog
from diversite.consensus import Timing
from diversite.errors import PlanError
from diversite.keeping import Keepings
from diversite.latency import Rtt, rtt
from diversite.ports import Role
from diversite.processing import ASSUMED, Processing
from diversite.topology import LinkKind, Topology

GATEWAY_MACHINE = {"aws": "t3.small", "gcp": "e2-small", "hetzner": "cx23"}
"""The machine of a site's router, by provider: the smallest that forwards a venue's traffic."""
GATEWAY_MACHINE_FAR = {"hetzner": "cpx11"}
"""Where the provider sells that one only at home: Hetzner's CX types stand in Europe alone."""
GATEWAY_HOMES = frozenset({("hetzner", "eu-central")})
DATA_GIB = {"gateway": 10, "validator": 200, "engine": 50, "monitor": 50, "store": 200, "queue": 100, "passive": 10}
"""Disk of a role that keeps state; a gateway keeps the keys of its tunnels, a passive engine its own."""
PROPOSER_SPREAD = {"site": 8, "metro": 4, "local_grid": 4, "control_area": 2, "provider": 2, "synchronous_area": 1}
"""How much it weighs that two proposers in a row share a domain of a kind: the likelier its loss, the more."""


@dataclass(frozen=True, kw_only=True)
class SitePlan:
    """A site with its real place and its network."""

    key: str
    place: Place
    account: str
    network: IPv4Network
    network_v6: IPv6Network

    @property
    def gateway_address(self) -> IPv4Address:
        """The address of the site's router in the site's network."""
        return addresses.host_address(self.network, "gateway", 0)


@dataclass(frozen=True, kw_only=True)
class Host:
    """A machine of the venue."""

    name: str
    role: Role
    key: str
    site: str
    provider: str
    machine: str
    address: IPv4Address
    data_gib: int = 0
    voting_power: int = 0
    partner: str | None = None
    """A validator's engine, an engine's validator: the name of the other host."""
    release: str | None = None


@dataclass(frozen=True, kw_only=True)
class LinkEnd:
    """One end of a link: where it is, how it is called there, and its address."""

    site: str
    gateway: str
    interface: str
    address: IPv4Interface


@dataclass(frozen=True, kw_only=True)
class LinkPlan:
    """One private link between two sites."""

    name: str
    group: str
    kind: LinkKind
    carrier: str
    duct: str | None
    preference: int
    a: LinkEnd
    b: LinkEnd
    rtt: Rtt
    cost: int

    @property
    def sites(self) -> tuple[str, str]:
        """The two sites that it joins."""
        return self.a.site, self.b.site

    @property
    def rtt_ms(self) -> float:
        """What the venue plans with."""
        return self.rtt.typical_ms

    @property
    def one_way_ms(self) -> float:
        """Half of the round trip."""
        return self.rtt.typical_ms / 2


@dataclass(frozen=True, kw_only=True)
class Access:
    """How clients reach an entrance in a rehearsal; in a cloud the balancer's public address takes its place."""

    entry: str
    """The name of the entrance's host."""
    interface: str
    address: IPv4Interface
    client_interface: str
    client_address: IPv4Interface


@dataclass(frozen=True, kw_only=True)
class Detection:
    """How the network notices a dead link, and how fast it comes back."""

    bfd_interval_ms: int = 200
    bfd_multiplier: int = 3
    hello_seconds: int = 1
    dead_seconds: int = 4
    retransmit_seconds: int = 2
    """BIRD refuses 1 (docs/measurements.md)."""

    @property
    def bfd_ms(self) -> int:
        """The longest silence before a link is taken away."""
        return self.bfd_interval_ms * self.bfd_multiplier


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """How an entrance decides whether an engine could acknowledge."""

    path: str = "/ready"
    interval_ms: int = 500
    timeout_ms: int = 400
    fall: int = 2
    rise: int = 2
    stall_ms: int = 3000
    """Without a block for that long an engine says that it could not acknowledge. Above the interval of empty blocks
    and the stall of a few dead proposers, or every engine would leave the balancers together."""

    @property
    def detection_ms(self) -> int:
        """The longest time until a dead engine gets no more orders."""
        return self.interval_ms * self.fall + self.timeout_ms


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A venue, decided."""

    topology: Topology
    sites: Mapping[str, SitePlan]
    hosts: Mapping[str, Host]
    links: Mapping[str, LinkPlan]
    accesses: Mapping[str, Access]
    """By the name of the entrance's host."""
    keepings: Keepings
    """State beside consensus."""
    proposer_order: tuple[str, ...]
    """Validators' keys in the order in which they propose."""
    routes: Mapping[tuple[str, str], network.Route]
    timing: Timing
    detection: Detection
    health_check: HealthCheck
    processing: Processing = ASSUMED
    """What its machines are taken to need beside the wires; it decides nothing that is built."""

    @property
    def venue(self) -> str:
        """The venue's name, CometBFT's chain identity among others."""
        return self.topology.venue

    def of_role(self, role: Role) -> tuple[Host, ...]:
        """The hosts of one role, in the topology's order."""
        return tuple(host for host in self.hosts.values() if host.role == role)

    def at_site(self, site: str, role: Role | None = None) -> tuple[Host, ...]:
        """The hosts at a site, of one role where it is given."""
        return tuple(host for host in self.hosts.values() if host.site == site and role in (None, host.role))

    def gateway(self, site: str) -> Host:
        """The router of a site."""
        return self.at_site(site, "gateway")[0]

    def links_at(self, site: str) -> tuple[tuple[LinkPlan, LinkEnd, LinkEnd], ...]:
        """The links of a site, each with its end here and its far end."""
        here = [(link, link.a, link.b) for link in self.links.values() if link.a.site == site]
        return (*here, *((link, link.b, link.a) for link in self.links.values() if link.b.site == site))

    @cached_property
    def power_by_site(self) -> Mapping[str, int]:
        """The voting power that stands at each site that has any."""
        power: dict[str, int] = defaultdict(int)
        for host in self.of_role("validator"):
            power[host.site] += host.voting_power
        return dict(power)

    @cached_property
    def one_way_ms(self) -> Mapping[tuple[str, str], float]:
        """The one-way delay between any two sites over today's routes; within a site that of the catalogue."""
        return one_way_of(self.sites, self.routes)

    @cached_property
    def proposer_sites(self) -> tuple[str, ...]:
        """The sites of the proposers through one whole rotation: each as often as its power says."""
        validators = {host.name: host for host in self.of_role("validator")}
        powers = {name: host.voting_power for name, host in validators.items()}
        return tuple(validators[name].site for name in rotation.rotation_of(powers))

    @cached_property
    def entrances(self) -> tuple[str, ...]:
        """The validator sites that take orders in: where an entrance stands, or the nearest that has a validator."""
        return tuple(self._nearest_power(host.site) for host in self.of_role("entry"))

    @cached_property
    def order_limit_ms(self) -> float:
        """L, what an order's acknowledgement is compared with."""
        return consensus.order_limit_ms(self.one_way_ms, self.power_by_site, self.entrances, self.proposer_sites)

    def _nearest_power(self, site: str) -> str:
        return min(self.power_by_site, key=lambda other: (self.one_way_ms[site, other], other))


def plan(topology: Topology) -> Plan:
    """Decide everything about a venue. `PlanError` where it cannot be built, `CatalogError` for an unknown place."""
    sites = _sites(topology)
    links = {link.name: link for link in _links(topology, sites)}
    order, hosts = _hosts(topology, sites)
    found = network.routes(sites, links.values())
    _require_joined(sites, found)
    power: dict[str, int] = defaultdict(int)
    for host in hosts:
        power[host.site] += host.voting_power
    voting = {site: share for site, share in power.items() if share}
    return Plan(
        topology=topology,
        sites=sites,
        hosts={host.name: host for host in hosts},
        links=links,
        accesses=_accesses(host for host in hosts if host.role == "entry"),
        keepings=keeping.keepings(topology, one_way_of(sites, found)),
        proposer_order=order,
        routes=found,
        timing=consensus.timing(one_way_of(sites, found), voting),
        detection=Detection(),
        health_check=HealthCheck(),
    )


def one_way_of(
    sites: Mapping[str, SitePlan], found: Mapping[tuple[str, str], network.Route]
) -> Mapping[tuple[str, str], float]:
    """One-way delays in milliseconds over the given routes; within a site the catalogue's figure for a site."""
    within = {(key, key): rtt(site.place, site.place).typical_ms / 2 for key, site in sites.items()}
    return {pair: route.rtt_ms / 2 for pair, route in found.items()} | within


def _require_joined(sites: Mapping[str, SitePlan], found: Mapping[tuple[str, str], network.Route]) -> None:
    first = next(iter(sites))
    apart = [site for site in sites if (first, site) not in found]
    if apart:
        raise PlanError(
            f"links: no way leads from site {first} to {', '.join(apart)}; every two sites must reach each other. "
            "Add a link between them."
        )


def _sites(topology: Topology) -> dict[str, SitePlan]:
    networks = addresses.site_networks(topology.sites)
    networks_v6 = addresses.site_networks_v6(topology.venue, networks)
    known = catalog()
    places = {key: known.place(site.at) for key, site in topology.sites.items()}
    return {
        key: SitePlan(
            key=key,
            place=places[key],
            account=site.account or places[key].provider,
            network=networks[key],
            network_v6=networks_v6[key],
        )
        for key, site in topology.sites.items()
    }


def _links(topology: Topology, sites: Mapping[str, SitePlan]) -> Iterable[LinkPlan]:
    joined = {
        naming.link(group, a, b): (group, a, b)
        for group, link in topology.links.items()
        for a, b in combinations(link.ends, 2)
    }
    networks = addresses.link_networks(joined)
    for name, (group, a, b) in joined.items():
        link = topology.links[group]
        between = rtt(sites[a].place, sites[b].place)
        yield LinkPlan(
            name=name,
            group=group,
            kind=link.kind,
            carrier=link.carrier,
            duct=link.duct,
            preference=link.preference,
            a=_end(name, a, b, networks[name], 0),
            b=_end(name, b, a, networks[name], 1),
            rtt=between,
            cost=network.cost(between.typical_ms, link.preference),
        )


def _end(link: str, site: str, far: str, subnet: IPv4Network, position: Literal[0, 1]) -> LinkEnd:
    return LinkEnd(
        site=site,
        gateway=naming.host("gateway", site),
        interface=naming.interface(link, far),
        address=IPv4Interface((subnet[position], subnet.prefixlen)),
    )


def _accesses(entries: Iterable[Host]) -> dict[str, Access]:
    networks = addresses.access_networks(host.name for host in entries)
    return {
        name: Access(
            entry=name,
            interface="public0",
            address=IPv4Interface((subnet[1], subnet.prefixlen)),
            client_interface=naming.interface(name, name),
            client_address=IPv4Interface((subnet[0], subnet.prefixlen)),
        )
        for name, subnet in networks.items()
    }


def _hosts(topology: Topology, sites: Mapping[str, SitePlan]) -> tuple[tuple[str, ...], list[Host]]:
    order = rotation.spread_order(
        {key: _proposer_domains(sites[validator.site].place) for key, validator in topology.validators.items()},
        PROPOSER_SPREAD,
    )
    powers = rotation.voting_powers({key: item.power for key, item in topology.validators.items()}, order)
    partners = _partners(topology)
    gateways = [_gateway(site) for site in sites.values()]
    engine_partners = {engine: key for key, engine in partners.items()}
    validators = _of_role("validator", topology.validators, sites, powers, partners)
    engines = _of_role("engine", topology.replicated_engines, sites, {}, engine_partners)
    entries = _of_role("entry", topology.order_entry, sites, {}, {})
    monitors = _of_role("monitor", topology.monitoring, sites, {}, {})
    kept = [host for role, items in keeping.members(topology).items() for host in _of_role(role, items, sites, {}, {})]
    software = {str(role): release for role, release in topology.software.items()}
    hosts = [*gateways, *validators, *engines, *entries, *monitors, *kept]
    return order, [
        replace(host, release=host.release or software.get("engine" if host.role == "passive" else host.role))
        for host in hosts
    ]


def _proposer_domains(place: Place) -> dict[str, frozenset[str] | None]:
    return {
        "site": frozenset({place.id}),
        "metro": frozenset({place.metro}),
        "local_grid": _known(place.grid.local_grid),
        "control_area": frozenset(place.grid.control_areas) or None,
        "provider": frozenset({place.provider}),
        "synchronous_area": _known(place.grid.synchronous_area),
    }


def _known(value: str | None) -> frozenset[str] | None:
    return None if value is None else frozenset({value})


def _partners(topology: Topology) -> dict[str, str]:
    """Which engine executes the blocks of which validator: by site, in the order of the file."""
    engines: dict[str, list[str]] = defaultdict(list)
    for key, engine in topology.replicated_engines.items():
        engines[engine.site].append(key)
    return {key: engines[validator.site].pop(0) for key, validator in topology.validators.items()}


def _gateway(site: SitePlan) -> Host:
    provider = site.place.provider
    home = (provider, site.place.region) in GATEWAY_HOMES or provider not in GATEWAY_MACHINE_FAR
    return Host(
        name=naming.host("gateway", site.key),
        role="gateway",
        key=site.key,
        site=site.key,
        provider=provider,
        machine=(GATEWAY_MACHINE if home else GATEWAY_MACHINE_FAR)[provider],
        address=site.gateway_address,
        data_gib=DATA_GIB["gateway"],
    )


def _of_role(
    role: Role,
    items: Mapping[str, Any],
    sites: Mapping[str, SitePlan],
    powers: Mapping[str, int],
    partners: Mapping[str, str],
) -> list[Host]:
    count: dict[str, int] = defaultdict(int)
    other = {"validator": "engine", "engine": "validator"}
    hosts = []
    for key, item in items.items():
        site = sites[item.site]
        hosts.append(
            Host(
                name=naming.host(role, key),
                role=role,
                key=key,
                site=item.site,
                provider=site.place.provider,
                machine=item.machine,
                address=addresses.host_address(site.network, role, count[item.site]),
                data_gib=DATA_GIB.get(role, 0),
                voting_power=powers.get(key, 0),
                partner=naming.host(other[role], partners[key]) if key in partners else None,
                release=getattr(item, "release", None),
            )
        )
        count[item.site] += 1
    return hosts
