"""What must agree between the parts of a stack file: names that refer to each other, places, links that join.

`findings` judges whatever parts are well-formed, so that a file's structural and semantic problems are told together.
It says nothing about whether the venue survives anything: that is the judge's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Protocol, get_args, runtime_checkable

from diversite.closest import did_you_mean, listed
from diversite.errors import CatalogError
from diversite.topology import (
    Consensus,
    Engine,
    Link,
    Monitor,
    Objective,
    OrderEntry,
    Provider,
    Release,
    Site,
    Topology,
    Validator,
)

Steps = tuple[str | int, ...]
Finding = tuple[Steps, str]
"""A path, and a predicate whose subject is the value there."""


@runtime_checkable
class Places(Protocol):
    """The part of the catalogue that a stack file refers to."""

    def place(self, place: str, /) -> Any:
        """Raise CatalogError, with the nearest ids, for a place that is not known."""

    def machine(self, provider: str, name: str, /) -> Any:
        """Raise CatalogError, with the nearest names, for a machine type that the provider has not."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of a stack file that are well-formed; None stands for one that is there and malformed."""

    consensus: Consensus | None = None
    survive: Mapping[int, Objective | None] = field(default_factory=dict)
    sites: Mapping[str, Site | None] = field(default_factory=dict)
    validators: Mapping[str, Validator | None] = field(default_factory=dict)
    engines: Mapping[str, Engine | None] = field(default_factory=dict)
    links: Mapping[str, Link | None] = field(default_factory=dict)
    order_entry: Mapping[str, OrderEntry | None] = field(default_factory=dict)
    monitoring: Mapping[str, Monitor | None] = field(default_factory=dict)
    releases: Mapping[str, Release | None] = field(default_factory=dict)

    @classmethod
    def of(cls, topology: Topology) -> Parts:
        """All parts of a topology."""
        return cls(
            consensus=topology.consensus,
            survive=dict(enumerate(topology.survive)),
            sites=topology.sites,
            validators=topology.validators,
            engines=topology.engines,
            links=topology.links,
            order_entry=topology.order_entry,
            monitoring=topology.monitoring,
            releases=topology.releases,
        )

    def provider(self, site: str) -> str | None:
        """Provider of a site; None where the site is unknown or malformed."""
        found = self.sites.get(site)
        return found.at.split("/")[0] if found else None

    def hosts(self) -> Iterator[tuple[str, str, Validator | Engine | OrderEntry | Monitor]]:
        """Section, name and host of everything that stands at a site."""
        for section in HOST_SECTIONS:
            for name, host in getattr(self, section).items():
                if host is not None:
                    yield section, name, host


HOST_SECTIONS = ("validators", "engines", "order_entry", "monitoring")


def findings(parts: Parts, places: Places | None) -> Iterator[Finding]:
    """Every disagreement, in the order of the file's sections."""
    yield from _consensus(parts)
    yield from _objectives(parts)
    yield from _sites(parts, places)
    yield from _hosts(parts, places)
    yield from _engines_beside_validators(parts)
    for name, link in parts.links.items():
        if link is not None:
            yield from _link(parts, name, link)
    yield from _preferences(parts)
    yield from _connected(parts)


def _consensus(parts: Parts) -> Iterator[Finding]:
    consensus = parts.consensus
    if consensus and (consensus.engine, consensus.fault_model) == ("cometbft", "crash"):
        yield (
            ("consensus", "fault_model"),
            "does not fit the engine: CometBFT is byzantine and halts at a third of the power, whatever is written "
            "here; write byzantine",
        )


def _objectives(parts: Parts) -> Iterator[Finding]:
    seen: dict[tuple[str, str | None], int] = {}
    for index, objective in parts.survive.items():
        if objective is None:
            continue
        key = (objective.any, objective.while_)
        if key in seen:
            yield ("survive", index, "any"), f"is an objective already in survive[{seen[key]}]; keep one of them"
        seen.setdefault(key, index)


def _sites(parts: Parts, places: Places | None) -> Iterator[Finding]:
    for name, site in parts.sites.items():
        if site and places and (refusal := _refusal(places.place, site.at)):
            yield ("sites", name, "at"), f"is not a place of the catalogue: {refusal}"


def _hosts(parts: Parts, places: Places | None) -> Iterator[Finding]:
    for section, name, host in parts.hosts():
        if host.site not in parts.sites:
            yield (section, name, "site"), _unknown("site", host.site, parts.sites)
        elif places and (provider := parts.provider(host.site)):
            yield from _machine((section, name, "machine"), provider, host, places)
        release = getattr(host, "release", None)
        if release is not None and release not in parts.releases:
            yield (section, name, "release"), _unknown("release", release, parts.releases)


def _machine(
    path: Steps, provider: str, host: Validator | Engine | OrderEntry | Monitor, places: Places
) -> Iterator[Finding]:
    refusal = _refusal(places.machine, provider, host.machine)
    if refusal is None:
        return
    others = [other for other in get_args(Provider) if not _refusal(places.machine, other, host.machine)]
    if others:
        yield path, f"is a machine of {others[0]}, and site {host.site} stands at {provider}: {refusal}"
    else:
        yield path, f"is not a machine of {provider} in the catalogue: {refusal}"


def _engines_beside_validators(parts: Parts) -> Iterator[Finding]:
    if None in parts.validators.values() or None in parts.engines.values():
        return
    validators = Counter(host.site for host in parts.validators.values() if host)
    engines = Counter(host.site for host in parts.engines.values() if host)
    for site in parts.sites:
        if validators[site] != engines[site]:
            yield (
                ("sites", site),
                f"has {_count(validators[site], 'validator')} and {_count(engines[site], 'engine')}; each validator "
                "executes blocks in an engine of its own site, so write as many engines as validators there",
            )


def _link(parts: Parts, name: str, link: Link) -> Iterator[Finding]:
    path: Steps = ("links", name)
    seen: set[str] = set()
    for index, end in enumerate(link.ends):
        if end not in parts.sites:
            yield (*path, "ends", index), _unknown("site", end, parts.sites)
        elif end in seen:
            yield (*path, "ends", index), "is an end of this link already; name each end once"
        seen.add(end)
    if all(parts.provider(end) for end in link.ends) and (refusal := _KIND_RULES[link.kind](parts, link)):
        yield (*path, "kind"), refusal


def _backbone(parts: Parts, link: Link) -> str | None:
    providers = {parts.provider(end) for end in link.ends}
    if len(providers) > 1:
        return (
            f"is one provider's own network, and its ends stand at {listed(providers)}; use {_OTHER_KINDS} between them"
        )
    zones = {site.at.split("/")[1] for end in link.ends if (site := parts.sites[end])}
    if providers == {"hetzner"} and len(zones) > 1:
        return f"of hetzner joins one network zone, and its ends stand in {listed(zones)}; use wireguard between them"
    return None


def _cross_cloud(parts: Parts, link: Link) -> str | None:
    ends = sorted(parts.provider(end) or "" for end in link.ends)
    if ends == ["aws", "gcp"]:
        return None
    return (
        f"joins one end at aws with one at gcp, and its ends stand at {', '.join(ends)}; "
        f"use {_OTHER_KINDS}, or one link a pair"
    )


def _attached(parts: Parts, link: Link) -> str | None:
    bare = [end for end in link.ends if parts.provider(end) == "hetzner"]
    if not bare:
        return None
    return f"needs an attachment that hetzner does not offer (ends {', '.join(bare)}); use wireguard"


def _anything(_parts: Parts, _link: Link) -> str | None:
    return None


_OTHER_KINDS = "vpn, circuit or wireguard"
_KIND_RULES: dict[str, Callable[[Parts, Link], str | None]] = {
    "backbone": _backbone,
    "cross_cloud": _cross_cloud,
    "vpn": _attached,
    "circuit": _attached,
    "wireguard": _anything,
}


def _preferences(parts: Parts) -> Iterator[Finding]:
    first: dict[tuple[str, str, int], str] = {}
    for name, link in parts.links.items():
        if link is None:
            continue
        clashes: dict[str, tuple[str, str]] = {}
        for a, b in combinations(sorted(set(link.ends)), 2):
            other = first.setdefault((a, b, link.preference), name)
            if other != name:
                clashes.setdefault(other, (a, b))
        for other, (a, b) in clashes.items():
            yield (
                ("links", name, "preference"),
                f"is the preference of link {other} too, which also joins {a} and {b}; traffic takes one of them: "
                "give this one another preference (1 to 3)",
            )


def _connected(parts: Parts) -> Iterator[Finding]:
    if None in parts.links.values() or not parts.sites:
        return
    reached = _reached(next(iter(parts.sites)), _neighbours(parts))
    cut_off = [site for site in parts.sites if site not in reached]
    if cut_off:
        yield (
            ("sites", cut_off[0]),
            (
                f"cannot be reached over the links from {next(iter(parts.sites))}, nor can {len(cut_off) - 1} more: "
                f"{listed(cut_off)}; join them in `links`"
                if len(cut_off) > 1
                else f"cannot be reached over the links from {next(iter(parts.sites))}; join it in `links`"
            ),
        )


def _neighbours(parts: Parts) -> Mapping[str, set[str]]:
    neighbours: dict[str, set[str]] = defaultdict(set)
    for link in parts.links.values():
        for end in link.ends if link else ():
            neighbours[end].update(link.ends if link else ())
    return neighbours


def _reached(start: str, neighbours: Mapping[str, set[str]]) -> set[str]:
    reached, waiting = {start}, [start]
    while waiting:
        new = neighbours.get(waiting.pop(), set()) - reached
        reached |= new
        waiting.extend(new)
    return reached


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    if not known:
        return f"names no {what}: the file has none"
    return f"names no {what} of this file{did_you_mean(name, known)}; it has {listed(known)}"


def _refusal(look_up: Callable[..., object], *names: str) -> str | None:
    try:
        look_up(*names)
    except CatalogError as error:
        return str(error)
    return None


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
