"""What rules over a stack are asked about: its resources, the facts in them, and the plan that these facts make.

The plan is the topology's with everything replaced that resources decide: who stands where, on what, with which power,
and which links there are. So `judge` says of what is declared what it says of a file.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface
from typing import Any, cast

from diversite import naming, network
from diversite.catalog import Place, catalog
from diversite.domains import Membership, domains_of
from diversite.errors import CatalogError
from diversite.judge import Verdict, judge
from diversite.latency import rtt
from diversite.plan import Detection, HealthCheck, Host, LinkEnd, LinkPlan, Plan, SitePlan
from diversite.ports import Role
from diversite.topology import LinkKind
from policies import boot, facts, tokens
from policies.declared import UNKNOWN, Resource
from policies.expected import Expected
from policies.facts import Facts, HostFact, LinkFact

Document = str | None
"""A text that a host is given: a file, or a boot script. None where it is not known yet."""

BOOT_PATHS = (("userData",), ("userDataBase64",), ("metadataStartupScript",), ("metadata", "user-data"))
"""Where a cloud's host declares its boot script."""
BFD = re.compile(r"interval\s+(\d+)\s*ms;\s*multiplier\s+(\d+);")
CHECK = re.compile(r"default-server[^\n]*\binter\s+(\d+)ms[^\n]*\bfall\s+(\d+)(?:[^\n]*\brise\s+(\d+))?")
CHECK_TIMEOUT = re.compile(r"timeout\s+check\s+(\d+)ms")


@dataclass(frozen=True, kw_only=True)
class Venue:
    """A stack as declared, beside what it is meant to be."""

    resources: Mapping[str, Resource]
    expected: Expected

    def of_type(self, *types: str) -> Iterator[Resource]:
        """The resources of some types."""
        return (resource for resource in self.resources.values() if resource.type in types)

    @cached_property
    def facts(self) -> Facts:
        """What the resources say."""
        return facts.of_resources(self.resources)

    @property
    def is_declared(self) -> bool:
        """Whether this stack holds any host of a venue."""
        return bool(self.facts.hosts)

    def hosts(self, *roles: str) -> tuple[HostFact, ...]:
        """The declared hosts of some roles; of any, where none are given."""
        return tuple(host for host in self.facts.hosts.values() if not roles or host.role in roles)

    def place(self, host: HostFact) -> Place | None:
        """Where a host really stands; None where nothing tells, or the catalogue does not know the place."""
        return catalog().places.get(host.place or "")

    @cached_property
    def documents(self) -> Mapping[str, tuple[Document, ...]]:
        """The texts that each host is given, by its name."""
        found: dict[str, list[Document]] = defaultdict(list)
        for resource in self.resources.values():
            if node := facts.tags(resource).get("node"):
                found[node].extend(_documents(resource))
        return {node: tuple(texts) for node, texts in found.items()}

    def texts(self, host: str) -> tuple[str, ...]:
        """The known texts of a host."""
        return tuple(text for text in self.documents.get(host, ()) if text is not None)

    @cached_property
    def bfd(self) -> Mapping[str, tuple[tuple[int, int], ...]]:
        """By host, the BFD interval in milliseconds and the multiplier of each interface that its texts declare."""
        found = {host.name: "\n".join(self.texts(host.name)) for host in self.hosts("gateway")}
        return {name: tuple((int(a), int(b)) for a, b in BFD.findall(text)) for name, text in found.items()}

    @cached_property
    def checks(self) -> Mapping[str, HealthCheck]:
        """By entrance, the health check that its texts declare."""
        found = {host.name: health_check("\n".join(self.texts(host.name))) for host in self.hosts("entry")}
        return {name: check for name, check in found.items() if check}

    @cached_property
    def plan(self) -> Plan | None:
        """The plan that the declared resources make; None where they make none."""
        meant = self.expected.plan
        if meant is None or not self.hosts("validator") or self.unplaceable or len(self.islands) > 1:
            return None
        return _Declared(self, meant).plan

    @cached_property
    def islands(self) -> tuple[frozenset[str], ...]:
        """The groups of declared sites that the declared links join; with more than one there is nothing to judge."""
        group = {host.site: frozenset({host.site}) for host in self.hosts()}
        for link in self.facts.links.values():
            if len(link.sites) == 2 and all(site in group for site in link.sites):
                joined = group[link.sites[0]] | group[link.sites[1]]
                group |= dict.fromkeys(joined, joined)
        return tuple(dict.fromkeys(group.values()))

    @cached_property
    def unplaceable(self) -> tuple[HostFact, ...]:
        """Hosts that nobody can judge: their place or their machine is not declared, or not in the catalogue."""
        return tuple(host for host in self.hosts() if self.place(host) is None or not _known_machine(host))

    @cached_property
    def membership(self) -> Membership | None:
        """The failure domains of what is declared."""
        return domains_of(self.plan) if self.plan else None

    @cached_property
    def verdict(self) -> Verdict | None:
        """What the judge says of the plan that is declared."""
        return judge(self.plan, remedies=False) if self.plan else None


def health_check(text: str) -> HealthCheck | None:
    """The check that a balancer's configuration declares."""
    found, timeout = CHECK.search(text), CHECK_TIMEOUT.search(text)
    if not found:
        return None
    interval_ms, fall = int(found[1]), int(found[2])
    return HealthCheck(
        interval_ms=interval_ms,
        timeout_ms=int(timeout[1]) if timeout else interval_ms,
        fall=fall,
        rise=int(found[3] or 2),
    )


def _documents(resource: Resource) -> Iterator[Document]:
    if resource.type == tokens.LAB_SERVICE:
        files = resource.get("files")
        yield from map(_document, files.values()) if isinstance(files, Mapping) else [None]
    elif resource.type in facts.HOST_TYPES:
        given = (text for path in BOOT_PATHS if (text := resource.get(*path)) is not None)
        for text in map(_document, given):
            yield from (text,) if text is None else boot.documents(text)


def _document(value: Any) -> Document:
    return value if isinstance(value, str) and value is not UNKNOWN else None


def _known_machine(host: HostFact) -> bool:
    try:
        catalog().machine((host.place or "").partition("/")[0], host.machine or "")
    except CatalogError:
        return False
    return True


@dataclass(frozen=True)
class _Declared:
    """Makes the declared plan; every host's place and machine are known here."""

    venue: Venue
    meant: Plan

    @cached_property
    def plan(self) -> Plan:
        links = {name: self._link(fact) for name, fact in self.venue.facts.links.items() if self._joins(fact)}
        return replace(
            self.meant,
            sites=self._sites,
            hosts=self._hosts,
            links=links,
            accesses={},
            proposer_order=tuple(self._hosts[name].key for name in self._proposers),
            routes=network.routes(self._sites, links.values()),
            detection=self._detection,
            health_check=self._health_check,
        )

    @cached_property
    def _sites(self) -> Mapping[str, SitePlan]:
        declared = dict.fromkeys(host.site for host in self.venue.hosts())
        order = [site for site in self.meant.sites if site in declared]
        return {site: self._site(site) for site in [*order, *(site for site in declared if site not in order)]}

    def _site(self, site: str) -> SitePlan:
        """Where most of its hosts stand; hosts of one site at two places are a violation of their own."""
        here = [host for host in self.venue.hosts() if host.site == site]
        place = catalog().place(Counter(str(host.place) for host in here).most_common(1)[0][0])
        meant = self.meant.sites.get(site) or next(iter(self.meant.sites.values()))
        return replace(meant, key=site, place=place, account=here[0].account)

    @cached_property
    def _hosts(self) -> Mapping[str, Host]:
        order = [name for name in self.meant.hosts if name in self.venue.facts.hosts]
        names = dict.fromkeys([*order, *self.venue.facts.hosts])
        return {name: self._host(self.venue.facts.hosts[name]) for name in names}

    def _host(self, fact: HostFact) -> Host:
        meant = self.meant.hosts.get(fact.name)
        partner = meant.partner if meant else None
        return Host(
            name=fact.name,
            role=cast(Role, fact.role),
            key=meant.key if meant else fact.name.removeprefix(f"{fact.role}-"),
            site=fact.site,
            provider=str(fact.place).partition("/")[0],
            machine=str(fact.machine),
            address=IPv4Address(fact.address) if fact.address else self._sites[fact.site].gateway_address,
            data_gib=meant.data_gib if meant else 0,
            voting_power=fact.voting_power,
            partner=partner if partner in self.venue.facts.hosts else None,
            release=fact.release,
        )

    @property
    def _proposers(self) -> list[str]:
        """The topology's order of proposers, then those that it does not know."""
        declared = [host.name for host in self.venue.hosts("validator")]
        known = [naming.host("validator", key) for key in self.meant.proposer_order]
        return [*(name for name in known if name in declared), *(name for name in declared if name not in known)]

    def _joins(self, fact: LinkFact) -> bool:
        return len(fact.sites) == 2 and all(site in self._sites for site in fact.sites)

    def _link(self, fact: LinkFact) -> LinkPlan:
        here, there = sorted(fact.ends)
        between = rtt(self._sites[here[0]].place, self._sites[there[0]].place)
        return LinkPlan(
            name=fact.name,
            group=fact.group,
            kind=cast(LinkKind, fact.kind),
            carrier=fact.carrier,
            duct=fact.duct,
            preference=fact.preference,
            a=self._end(fact, here, there[0]),
            b=self._end(fact, there, here[0]),
            rtt=between,
            cost=network.cost(between.typical_ms, fact.preference),
        )

    def _end(self, fact: LinkFact, end: tuple[str, str], far: str) -> LinkEnd:
        site, address = end
        return LinkEnd(
            site=site,
            gateway=naming.host("gateway", site),
            interface=naming.interface(fact.name, far),
            address=IPv4Interface(f"{address or '0.0.0.0'}/31"),  # noqa: S104  no listener: an address not yet known
        )

    @property
    def _detection(self) -> Detection:
        slowest = max(
            (pair for pairs in self.venue.bfd.values() for pair in pairs), key=lambda it: it[0] * it[1], default=None
        )
        if slowest is None:
            return self.meant.detection
        return replace(self.meant.detection, bfd_interval_ms=slowest[0], bfd_multiplier=slowest[1])

    @property
    def _health_check(self) -> HealthCheck:
        return max(self.venue.checks.values(), key=lambda check: check.detection_ms, default=self.meant.health_check)
