"""Edits of a stack file that may remove a blocker: a link, an entrance, a monitor, or a validator with its engine more.

Each is a `Change` not yet confirmed. Names, machines and carriers are those the file uses already, as far as it has
them; nothing is moved or removed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from diversite import network
from diversite.catalog import Place
from diversite.geography import great_circle_km
from diversite.plan import Plan, plan
from diversite.standing import Standing, Survey
from diversite.topology import NAME_LENGTH_MAX, Engine, Link, Monitor, OrderEntry, Site, Topology, Validator
from diversite.verdict import Change, Failure

LINKS_ADDED_MAX = 4
NEW_CARRIERS = ("transit-new", "transit-new-2")


def more_links(before: Plan, failures: tuple[Failure, ...]) -> Iterator[Change]:
    """Links between the parts that each loss leaves, by other carriers, one after the other until all are mended."""
    now = before
    said: list[str] = []
    for failure in failures:
        while len(said) < LINKS_ADDED_MAX and (ends := _gap(now, failure)):
            topology, says = with_link(now.topology, *ends, _carrier(now.topology, failure))
            now = plan(topology)
            said.append(says)
            yield Change(says="; ".join(said), topology=topology)


def direct_links(before: Plan, failure: Failure) -> Iterator[Change]:
    """A link for a pair that has none of its own, the slowest pairs first."""
    joined = {frozenset(link.sites) for link in before.links.values()}
    slowest = sorted(((route.rtt_ms, pair) for pair, route in before.routes.items()), reverse=True)
    for _, (a, b) in slowest:
        if a < b and frozenset((a, b)) not in joined:
            topology, says = with_link(before.topology, a, b, _carrier(before.topology, failure))
            yield Change(says=says, topology=topology)


def more_monitors(before: Plan, failure: Failure) -> Iterator[Change]:
    """Another monitor, at a site that the loss leaves."""
    topology = before.topology
    for site in _left(before, failure):
        key, machine = free_name(topology.monitoring, site), machine_at(topology, site)
        if machine:
            monitors = {**topology.monitoring, key: Monitor(site=site, machine=machine)}
            says = f"add monitoring.{key}: {{site: {site}, machine: {machine}}}"
            yield Change(says=says, topology=topology.model_copy(update={"monitoring": monitors}))


def more_entrances(before: Plan, failure: Failure) -> Iterator[Change]:
    """Another entrance, at a site that the loss leaves."""
    topology = before.topology
    for site in _left(before, failure):
        key, machine = free_name(topology.order_entry, site), machine_at(topology, site)
        if machine:
            entries = {**topology.order_entry, key: OrderEntry(site=site, machine=machine)}
            says = f"add order_entry.{key}: {{site: {site}, machine: {machine}}}"
            yield Change(says=says, topology=topology.model_copy(update={"order_entry": entries}))


def with_link(topology: Topology, a: str, b: str, carrier: str) -> tuple[Topology, str]:
    """One WireGuard link more, and how it is said."""
    name = free_name(topology.links, f"{a}-{b}")
    link = Link(kind="wireguard", ends=(a, b), carrier=carrier)
    says = f"add links.{name}: {{kind: wireguard, ends: [{a}, {b}], carrier: {carrier}}}"
    return topology.model_copy(update={"links": {**topology.links, name: link}}), says


def with_validator(topology: Topology, site: str, machine: str) -> tuple[Topology, str]:
    """One validator with its engine more, both under one new name, and how it is said."""
    key = free_name({**topology.validators, **topology.engines}, site)
    validators = {**topology.validators, key: Validator(site=site, machine=machine)}
    engines = {**topology.engines, key: Engine(site=site, machine=machine)}
    says = f"add validators.{key} and engines.{key}: {{site: {site}, machine: {machine}}}"
    return topology.model_copy(update={"validators": validators, "engines": engines}), says


def with_site(before: Plan, place: Place, machine: str) -> Change:
    """One site more with a validator and its engine, joined to the two nearest sites by two carriers."""
    topology = before.topology
    key = free_name(topology.sites, place.metro)
    near = sorted(before.sites, key=lambda site: (distance_km(before.sites[site].place, place), site))[:2]
    used = dict.fromkeys(link.carrier for link in topology.links.values() if link.kind == "wireguard")
    changed = topology.model_copy(update={"sites": {**topology.sites, key: Site(at=place.id)}})
    said = [f"add sites.{key}: {{at: {place.id}}}"]
    for site, carrier in zip(near, [*used, *NEW_CARRIERS], strict=False):
        changed, says = with_link(changed, key, site, carrier)
        said.append(says)
    changed, says = with_validator(changed, key, machine)
    return Change(says="; ".join([*said, says]), topology=changed)


def machine_at(topology: Topology, site: str) -> str | None:
    """A machine type that the venue uses at this site, or else at this provider, already."""
    return machine_of(topology, _provider(topology, site), site)


def machine_of(topology: Topology, provider: str, site: str = "") -> str | None:
    """A machine type of a provider that the venue uses already, at `site` if there is one."""
    hosts: list[Validator | Engine] = [*topology.validators.values(), *topology.replicated_engines.values()]
    here = (host.machine for host in hosts if host.site == site)
    same = (host.machine for host in hosts if _provider(topology, host.site) == provider)
    return next(chain(here, same), None)


def free_name(taken: Mapping[str, object], wanted: str) -> str:
    """The name itself, or with a number where it is taken."""
    numbered = (f"{wanted[: NAME_LENGTH_MAX - 3]}-{number}" for number in range(2, 1000))
    return next(name for name in chain([wanted[:NAME_LENGTH_MAX]], numbered) if name not in taken)


def distance_km(a: Place, b: Place) -> float:
    """Along the great circle."""
    return great_circle_km((a.latitude, a.longitude), (b.latitude, b.longitude))


def left_standing(before: Plan, failure: Failure) -> Standing:
    """What stands after a failure."""
    survey = Survey(before)
    return survey.standing(survey.loss(failure.lost, failure.down))


def _gap(before: Plan, failure: Failure) -> tuple[str, str] | None:
    """The nearest two sites of which one is cut off from the other's part; sites without a router do not count."""
    survey = Survey(before)
    loss = survey.loss(failure.lost, failure.down)
    lost = survey.unreachable(loss)
    parts = [part - lost for part in survey.islands(lost) if part - lost]
    if len(parts) < 2:
        return None
    off = network.smallest(parts)
    rest = frozenset().union(*parts) - off
    places = {key: site.place for key, site in before.sites.items()}
    return min(
        ((a, b) for a in off for b in rest), key=lambda ends: (distance_km(places[ends[0]], places[ends[1]]), ends)
    )


def _carrier(topology: Topology, failure: Failure) -> str:
    """A carrier that the venue has for such links already and that is not lost."""
    lost = {domain.identity for domain in failure.lost}
    carriers = (link.carrier for link in topology.links.values() if link.kind == "wireguard")
    return next((carrier for carrier in chain(carriers, NEW_CARRIERS) if carrier not in lost), NEW_CARRIERS[0])


def _left(before: Plan, failure: Failure) -> Iterator[str]:
    """Sites that take part after the failure; all sites where nothing is lost."""
    standing = left_standing(before, failure)
    hosts = (
        name for name, host in before.hosts.items() if host.role == "gateway" and name not in standing.loss.stopped
    )
    up = {before.hosts[name].site for name in hosts}
    return (site for site in before.topology.sites if site in up and site in (standing.main or up))


def _provider(topology: Topology, site: str) -> str:
    return topology.sites[site].at.split("/")[0]
