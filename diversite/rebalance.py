"""Voting power elsewhere: edits that keep every domain below what halts the venue, found by arithmetic alone.

The network is left aside here; whether an edit really helps is for the judge to confirm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement, islice

from diversite import quorum
from diversite.catalog import Place, catalog
from diversite.domains import Identities, of_place
from diversite.edits import distance_km, machine_at, machine_of, with_site, with_validator
from diversite.plan import Plan
from diversite.standing import Survey
from diversite.topology import DomainKind, Objective, Topology
from diversite.verdict import Change, Failure

POWER_MAX = 12
"""The largest relative power that is proposed: an uneven venue is a worse one."""
PLACES_MAX = 6
"""How many places are proposed."""


def power_elsewhere(before: Plan, failure: Failure) -> Iterator[Change]:
    """Another power, another machine, a validator more, a site elsewhere, a site more: the smallest edit first."""
    units = _units(before)
    lost = Survey(before).membership.members(failure.lost[0])
    yield from _other_powers(before.topology, units)
    if failure.lost[0].kind == "hardware":
        yield from _other_machines(before, lost)
    yield from _more_validators(before.topology, units)
    yield from _other_places(before, lost, units)
    yield from _more_sites(before, units)


@dataclass(frozen=True, kw_only=True)
class _Units:
    """Validators, each with the domains of its two hosts and its relative power: enough for the arithmetic."""

    of: Mapping[str, Identities]
    power: Mapping[str, int]
    wanted: tuple[Objective, ...]
    """The objectives by which the venue must continue."""
    model: quorum.FaultModel

    def hold(self) -> bool:
        """Whether every loss that they name leaves a quorum, with the strongest other one down where they say so."""
        return all(self._holds(objective) for objective in self.wanted)

    def _holds(self, objective: Objective) -> bool:
        total = sum(self.power.values())
        for lost in self._lost_together(objective.any):
            others = (power for key, power in self.power.items() if key not in lost)
            more = max(others, default=0) if objective.while_ else 0
            if quorum.is_lost(sum(self.power[key] for key in lost) + more, total, self.model):
                return False
        return True

    def _lost_together(self, kind: DomainKind) -> Iterator[frozenset[str]]:
        known = {identity for unit in self.of.values() for identity in unit[kind]} or {"unknown"}
        for identity in known:
            yield frozenset(key for key, unit in self.of.items() if identity in unit[kind] or not unit[kind])


def _units(before: Plan) -> _Units:
    survey, topology = Survey(before), before.topology
    aside = ("link", "carrier", "control_plane")
    wanted = tuple(one for one in topology.survive if one.outcome == "continues" and one.any not in aside)
    kinds = frozenset(objective.any for objective in wanted)
    return _Units(
        of={key: _joint(survey, unit.hosts, kinds) for key, unit in survey.units.items()},
        power={key: validator.power for key, validator in topology.validators.items()},
        wanted=wanted,
        model=topology.consensus.fault_model,
    )


def _joint(survey: Survey, hosts: Iterable[str], kinds: Iterable[DomainKind]) -> Identities:
    """What either of the two hosts is in; unknown where either is."""
    of = [survey.membership.of[name] for name in hosts]
    return {
        kind: frozenset().union(*(one[kind] for one in of) if all(one[kind] for one in of) else ()) for kind in kinds
    }


def _other_powers(topology: Topology, units: _Units) -> Iterator[Change]:
    """Another power for one validator, the smallest difference first."""
    for difference in range(1, POWER_MAX):
        for key, power in units.power.items():
            for other in (power + difference, power - difference):
                if 1 <= other <= POWER_MAX and replace(units, power={**units.power, key: other}).hold():
                    validator = topology.validators[key].model_copy(update={"power": other})
                    changed = topology.model_copy(update={"validators": {**topology.validators, key: validator}})
                    yield Change(says=f"set validators.{key}.power to {other} (it is {power})", topology=changed)


def _other_machines(before: Plan, lost: frozenset[str]) -> Iterator[Change]:
    """As large a machine with another processor, for a lost validator and its engine."""
    topology = before.topology
    for host in before.of_role("validator"):
        engine = before.hosts[host.partner or host.name]
        if lost.isdisjoint((host.name, engine.name)):
            continue
        for machine in _same_size(host.provider, host.machine):
            validator = topology.validators[host.key].model_copy(update={"machine": machine})
            update = {"validators": {**topology.validators, host.key: validator}}
            engines = {
                **topology.engines,
                engine.key: topology.replicated_engines[engine.key].model_copy(update={"machine": machine}),
            }
            says = f"use machine {machine} for validators.{host.key} and engines.{engine.key}"
            yield Change(says=says, topology=topology.model_copy(update={**update, "engines": engines}))


def _same_size(provider: str, name: str) -> Iterator[str]:
    machine = catalog().machine(provider, name)
    for other in catalog().machines.values():
        same = (other.provider, other.vcpus, other.memory_gib) == (provider, machine.vcpus, machine.memory_gib)
        known = other.cpu_vendor is not None and other.cpu_family is not None
        if same and known and (other.cpu_vendor, other.cpu_family) != (machine.cpu_vendor, machine.cpu_family):
            yield other.name


def _more_validators(topology: Topology, units: _Units) -> Iterator[Change]:
    """One validator with its engine more, or two, at sites that have one."""
    sites = tuple(dict.fromkeys(validator.site for validator in topology.validators.values()))
    for count in (1, 2):
        for chosen in combinations_with_replacement(sites, count):
            twins = {f"new-{number}": _twin(units, topology, site, number) for number, site in enumerate(chosen)}
            power = {**units.power, **dict.fromkeys(twins, 1)}
            if replace(units, of={**units.of, **twins}, power=power).hold():
                yield _with_validators(topology, chosen)


def _twin(units: _Units, topology: Topology, site: str, number: int) -> Identities:
    """The domains of one more validator at a site: those of one that is there, but hosts and racks of its own."""
    neighbour = next(name for name, validator in topology.validators.items() if validator.site == site)
    own: Identities = {"host": frozenset({f"new-{number}"}), "rack": frozenset({f"new-{number}"})}
    return {kind: own.get(kind, identities) for kind, identities in units.of[neighbour].items()}


def _with_validators(topology: Topology, sites: Iterable[str]) -> Change:
    said = []
    for site in sites:
        topology, says = with_validator(topology, site, machine_at(topology, site) or "")
        said.append(says)
    return Change(says="; ".join(said), topology=topology)


def _other_places(before: Plan, lost: frozenset[str], units: _Units) -> Iterator[Change]:
    """A site of the worst domain elsewhere at the same provider, the nearest places first."""
    topology = before.topology
    moves = (
        (distance_km(site.place, place), key, place)
        for key, site in before.sites.items()
        if any(host.name in lost for host in before.at_site(key, "validator"))
        for place in _one_a_metro(site.place.provider)
    )
    fitting = (move for move in _by_distance(moves) if _moved(before, units, *move[1:]).hold())
    for _, key, place in islice(fitting, PLACES_MAX):
        site = topology.sites[key].model_copy(update={"at": place.id})
        changed = topology.model_copy(update={"sites": {**topology.sites, key: site}})
        yield Change(says=f"move sites.{key} to {place.id} ({place.city})", topology=changed)


def _moved(before: Plan, units: _Units, site: str, place: Place) -> _Units:
    there = of_place(place)
    of = {
        key: {kind: there.get(kind, identities) for kind, identities in unit.items()}
        if before.topology.validators[key].site == site
        else unit
        for key, unit in units.of.items()
    }
    return replace(units, of=of)


def _more_sites(before: Plan, units: _Units) -> Iterator[Change]:
    """A site more where the venue's farthest site is nearest, at a provider that it uses."""
    used = dict.fromkeys(site.place.provider for site in before.sites.values())
    places = (place for provider in used for place in _one_a_metro(provider))
    farthest = ((max(distance_km(site.place, place) for site in before.sites.values()), "", place) for place in places)
    fitting = (place for _, _, place in _by_distance(farthest) if _fits(units, place))
    for place in islice(fitting, PLACES_MAX):
        yield with_site(before, place, machine_of(before.topology, place.provider) or "")


def _fits(units: _Units, place: Place) -> bool:
    there, own = of_place(place), frozenset({"new"})
    one = {objective.any: there.get(objective.any, own) for objective in units.wanted}
    return replace(units, of={**units.of, "new": one}, power={**units.power, "new": 1}).hold()


def _one_a_metro(provider: str) -> Iterable[Place]:
    """One place of a provider in each metro: the others there are in the same domains but the site."""
    return {place.metro: place for place in catalog().places.values() if place.provider == provider}.values()


def _by_distance(moves: Iterable[tuple[float, str, Place]]) -> Iterable[tuple[float, str, Place]]:
    return sorted(moves, key=lambda move: (move[0], move[1], move[2].id))
