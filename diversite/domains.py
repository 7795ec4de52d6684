"""The failure domains of everything in a venue: what fails together, by kind and identity.

Hosts (validators, engines, entrances, monitors, routers) and links are the members. A member may be in several domains
of one kind: a site that either of two control areas may feed counts in both. What nobody knows fails closed: a member
whose domain of a kind is unknown goes down with every domain of that kind, and `unknown` says why.

    effect of a loss     kinds
    stops hosts          host, rack, site, metro, the three grids, provider, account, provider region, country, terms
    cuts links           link, carrier (the carrier's ducts included)
    hosts may lie        release, hardware is taken to stop
    nothing can change   control plane: what runs keeps running, but nothing can be made, replaced or removed
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

from diversite.catalog import Place, catalog
from diversite.errors import DiversiteError
from diversite.plan import Host, LinkPlan, Plan
from diversite.stackfile.closest import did_you_mean, listed
from diversite.topology import DomainKind

KINDS: tuple[DomainKind, ...] = get_args(DomainKind)
UNKNOWN = "unknown"
"""The identity of the domain of those of which nothing is known, where a kind has no other domain."""
CUTTING: frozenset[DomainKind] = frozenset({"link", "carrier"})
FREEZING: frozenset[DomainKind] = frozenset({"control_plane"})
LYING: frozenset[DomainKind] = frozenset({"release"})
"""A fault in a program may make its hosts say what is wrong, not only nothing."""
DESTROYING: frozenset[DomainKind] = frozenset(
    {"host", "rack", "site", "metro", "provider", "account", "provider_region", "country", "provider_terms"}
)
"""Kinds whose loss may take the disks too. A blackout, a bad processor or a bad release leaves them."""
SPREAD_GROUP_MAX: Mapping[str, int] = {"aws": 7, "gcp": 8, "hetzner": 10}
"""How many hosts a provider keeps on different racks or machines: AWS spread placement group (running instances per
zone), Google spread placement policy (availability domains), Hetzner spread placement group (servers)."""
PINNED_RELEASE = {
    "gateway": "bird",
    "validator": "cometbft",
    "engine": "reference-engine",
    "entry": "haproxy",
    "monitor": "prometheus",
    "store": "postgresql",
    "queue": "nats-server",
    "passive": "reference-passive-engine",
}
"""The release that diversite pins, by role, where the topology brings none."""
ALIASES: Mapping[str, tuple[DomainKind, ...]] = {
    "grid": ("local_grid", "control_area", "synchronous_area"),
    "region": ("provider_region",),
    "zone": ("site",),
    "terms": ("provider_terms",),
    "duct": ("carrier",),
}
"""Short words that a person may say for a kind."""

Identities = Mapping[DomainKind, frozenset[str]]


@dataclass(frozen=True, order=True)
class Domain:
    """One thing that may fail, and takes all of its members with it."""

    kind: DomainKind
    identity: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.identity}"


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """A member whose domain of a kind nobody knows, and why."""

    member: str
    kind: DomainKind
    reason: str


@dataclass(frozen=True, kw_only=True)
class Membership:
    """Which host and link is in which domains."""

    of: Mapping[str, Identities]
    """Identities by member and kind; a kind that does not apply to a member is absent, an unknown one is empty."""
    unknown: tuple[Unknown, ...]

    def members(self, domain: Domain) -> frozenset[str]:
        """Hosts and links that are lost with a domain, those of unknown domain included."""
        return self._by_domain.get(domain, frozenset())

    def all(self, kind: DomainKind) -> tuple[Domain, ...]:
        """Every domain of a kind that the venue stands in."""
        return self._by_kind.get(kind, ())

    def unknown_of(self, kind: DomainKind) -> tuple[Unknown, ...]:
        """Those of unknown domain of a kind."""
        return tuple(item for item in self.unknown if item.kind == kind)

    @cached_property
    def _by_domain(self) -> Mapping[Domain, frozenset[str]]:
        found: dict[Domain, set[str]] = defaultdict(set)
        everywhere: dict[DomainKind, set[str]] = defaultdict(set)
        for member, kinds in self.of.items():
            for kind, identities in kinds.items():
                for identity in identities:
                    found[Domain(kind, identity)].add(member)
                if not identities:
                    everywhere[kind].add(member)
        known = {domain.kind for domain in found}
        for kind in everywhere.keys() - known:
            found[Domain(kind, UNKNOWN)] = set()
        return {domain: frozenset(members | everywhere[domain.kind]) for domain, members in found.items()}

    @cached_property
    def _by_kind(self) -> Mapping[DomainKind, tuple[Domain, ...]]:
        kinds: dict[DomainKind, list[Domain]] = defaultdict(list)
        for domain in self._by_domain:
            kinds[domain.kind].append(domain)
        return {kind: tuple(domains) for kind, domains in kinds.items()}


def domains_of(plan: Plan) -> Membership:
    """The domains of every host and link of a plan."""
    racks = _racks(plan)
    of: dict[str, Identities] = {name: _of_host(plan, host, racks[name]) for name, host in plan.hosts.items()}
    of |= {name: _of_link(link) for name, link in plan.links.items()}
    return Membership(of=of, unknown=tuple(_unknown(plan, of)))


def parse(text: str, plan: Plan) -> Domain:
    """The domain that `kind:identity` names, sites also by the topology's key; DiversiteError with what is near."""
    membership = domains_of(plan)
    kind, _, identity = text.partition(":")
    kinds = ALIASES.get(kind.replace("-", "_"), (kind.replace("-", "_"),))
    domains = [domain for one in KINDS if one in kinds for domain in membership.all(one)]
    if not domains:
        raise DiversiteError(f"{text}: {kind!r} is no kind of failure domain here; kinds are {listed(KINDS)}")
    wanted = _identities_meant(identity, plan)
    for domain in domains:
        if domain.identity in wanted:
            return domain
    keys = {domain.identity: site_keys(domain, plan) for domain in domains}
    near = did_you_mean(identity, [*keys, *(key for short in keys.values() for key in short)])
    has = listed(f"{' or '.join(short)} ({name})" if short else name for name, short in keys.items())
    raise DiversiteError(f"{text}: the venue has no {kind} {identity!r}{near}; it has {has}")


def site_keys(domain: Domain, plan: Plan) -> list[str]:
    """What the topology calls a site; nothing for a domain of another kind."""
    return [key for key, site in plan.sites.items() if domain.kind == "site" and site.place.id == domain.identity]


def _identities_meant(text: str, plan: Plan) -> frozenset[str]:
    site = plan.sites.get(text)
    return frozenset({text, f"duct {text}"} | ({site.place.id} if site else set()))


def of_place(place: Place) -> Identities:
    """The domains of whatever stands at a place, by the place alone."""
    return {
        "site": frozenset({place.id}),
        "metro": frozenset({place.metro}),
        "local_grid": _known(place.grid.local_grid),
        "control_area": frozenset(place.grid.control_areas),
        "synchronous_area": _known(place.grid.synchronous_area),
        "provider": frozenset({place.provider}),
        "provider_region": frozenset({f"{place.provider}/{place.region}"}),
        "country": frozenset({place.country}),
        "control_plane": frozenset({_control_plane(place.provider, place.region)}),
        "provider_terms": frozenset({place.provider}),
    }


def _of_host(plan: Plan, host: Host, racks: frozenset[str]) -> Identities:
    site = plan.sites[host.site]
    provider = site.place.provider
    return {
        "host": frozenset({host.name}),
        "rack": racks,
        "account": frozenset({site.account if site.account == provider else f"{provider}/{site.account}"}),
        "hardware": _hardware(host),
        "release": frozenset({host.release or PINNED_RELEASE[host.role]}),
        **of_place(site.place),
    }


def _of_link(link: LinkPlan) -> Identities:
    duct = {f"duct {link.duct}"} if link.duct else set()
    return {"link": frozenset({link.name}), "carrier": frozenset({link.carrier} | duct)}


def _known(value: str | None) -> frozenset[str]:
    return frozenset() if value is None else frozenset({value})


def _hardware(host: Host) -> frozenset[str]:
    machine = catalog().machine(host.provider, host.machine)
    if machine.cpu_vendor is None or machine.cpu_family is None:
        return frozenset()
    return frozenset({f"{machine.cpu_vendor} {machine.cpu_family}"})


def _control_plane(provider: str, region: str) -> str:
    """AWS keeps one a region; Google's and Hetzner's are taken as one each, because their interfaces are global."""
    return f"{provider}/{region}" if provider == "aws" else provider


def _racks(plan: Plan) -> dict[str, frozenset[str]]:
    """A rack of its own for each host of a place that the provider's spread group holds; the others may be on any."""
    hosts: dict[str, list[Host]] = defaultdict(list)
    for host in plan.hosts.values():
        hosts[plan.sites[host.site].place.id].append(host)
    return {name: racks for place, here in hosts.items() for name, racks in _racks_at(place, here)}


def _racks_at(place: str, hosts: list[Host]) -> Iterable[tuple[str, frozenset[str]]]:
    limit = SPREAD_GROUP_MAX[hosts[0].provider]
    spread = [f"{place}/{host.name}" for host in hosts[:limit]]
    for position, host in enumerate(hosts):
        yield host.name, frozenset({spread[position]} if position < limit else spread)


def _unknown(plan: Plan, of: Mapping[str, Identities]) -> Iterable[Unknown]:
    for member, kinds in of.items():
        for kind, identities in kinds.items():
            if not identities:
                yield Unknown(member=member, kind=kind, reason=_reason(plan, plan.hosts[member], kind))


def _reason(plan: Plan, host: Host, kind: DomainKind) -> str:
    place = plan.sites[host.site].place.id
    reasons: Mapping[str, Callable[[], str]] = {
        "hardware": lambda: f"{host.provider} does not say which processor a {host.machine} has",
    }
    said = reasons.get(kind, lambda: f"the catalogue knows no {kind.replace('_', ' ')} of {place}")()
    return f"{host.name}: {said}, so it counts in every domain of that kind"
