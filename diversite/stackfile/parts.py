"""The well-formed parts of a stack file, malformed as it may be elsewhere, and what can be said of them.

So the rules about several parts run on a file that has structural problems too, and say nothing that only those cause.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from diversite.stackfile.closest import did_you_mean, listed
from diversite.topology import (
    Consensus,
    Engine,
    Link,
    Monitor,
    Objective,
    OrderEntry,
    PassiveEngine,
    Queue,
    Release,
    Site,
    Store,
    Topology,
    Validator,
)

Steps = tuple[str | int, ...]
"""Keys and indexes that lead to a place in a stack file."""
Host = Validator | Engine | OrderEntry | Monitor

NO_MAP = ""
"""The one key of a section that is there and is no map."""
HOST_SECTIONS = ("validators", "engines", "order_entry", "monitoring")


class Finding(NamedTuple):
    """What is wrong at one place of a stack file."""

    steps: Steps
    says: str
    """A predicate: its subject is the value at the place, or the key itself with `of_key`."""
    of_key: bool = False


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts that are well-formed; None stands for one that is there and malformed."""

    consensus: Consensus | None = None
    survive: Mapping[int, Objective | None] = field(default_factory=dict)
    sites: Mapping[str, Site | None] = field(default_factory=dict)
    validators: Mapping[str, Validator | None] = field(default_factory=dict)
    engines: Mapping[str, Engine | None] = field(default_factory=dict)
    passive: Mapping[str, PassiveEngine | None] = field(default_factory=dict)
    stores: Mapping[str, Store | None] = field(default_factory=dict)
    queues: Mapping[str, Queue | None] = field(default_factory=dict)
    links: Mapping[str, Link | None] = field(default_factory=dict)
    order_entry: Mapping[str, OrderEntry | None] = field(default_factory=dict)
    monitoring: Mapping[str, Monitor | None] = field(default_factory=dict)
    releases: Mapping[str, Release | None] = field(default_factory=dict)
    software: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, topology: Topology) -> Parts:
        """All parts of a topology."""
        return cls(
            consensus=topology.consensus,
            survive=dict(enumerate(topology.survive)),
            sites=topology.sites,
            validators=topology.validators,
            engines=topology.replicated_engines,
            passive=topology.passive_engines,
            stores=topology.stores,
            queues=topology.queues,
            links=topology.links,
            order_entry=topology.order_entry,
            monitoring=topology.monitoring,
            releases=topology.releases,
            software={str(role): name for role, name in topology.software.items()},
        )

    def provider(self, site: str) -> str | None:
        """Provider of a site; None where the site is unknown or malformed."""
        found = self.sites.get(site)
        return found.at.split("/")[0] if found else None

    def hosts(self) -> Iterator[tuple[str, str, Host]]:
        """Section, name and host of everything that stands at a site."""
        for section in HOST_SECTIONS:
            for name, host in getattr(self, section).items():
                if host is not None:
                    yield section, name, host

    def know_sites_of(self, hosts: Mapping[str, Host | None]) -> bool:
        """Whether each of `hosts`, and there are some, is well-formed and at a site of the file."""
        return bool(hosts) and all(host is not None and host.site in self.sites for host in hosts.values())


def unknown(what: str, name: str, known: Collection[str]) -> str:
    """That a reference leads nowhere, and where it could lead."""
    if not known:
        return f"names no {what}, and the file has none; write it under `{what}s`"
    return f"names no {what} of this file{did_you_mean(name, known)}; it has {listed(known)}"
