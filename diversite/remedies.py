"""The smallest change of a stack file that removes a blocker: proposed by arithmetic, confirmed by the judge.

Candidates come smallest first: another number, another carrier, a host more, a site elsewhere, a site more; giving up
the wish comes last. Each is planned and judged like any topology; one that leaves the blocker or makes another is
passed over. The search is bounded, so "no change found" does not mean that there is none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, combinations_with_replacement, islice

from diversite import network, quorum
from diversite.bench import Bench, Change, Failure, Finding
from diversite.catalog import PROVIDERS, Place, catalog
from diversite.domains import Identities, of_place
from diversite.errors import DiversiteError
from diversite.geography import great_circle_km
from diversite.plan import Plan, plan
from diversite.standing import Survey
from diversite.topology import (
    NAME_LENGTH_MAX,
    Bounds,
    DomainKind,
    Engine,
    Link,
    Monitor,
    Objective,
    OrderEntry,
    Recovery,
    Site,
    Topology,
    Validator,
)

TRIALS_MAX = 6
"""How many candidates of one blocker are judged."""
TRIALS_IN_ALL_MAX = 16
POWER_MAX = 12
"""The largest relative power that is proposed: an uneven venue is a worse one."""
LINKS_ADDED_MAX = 3
PLACES_MAX = 6
ROUNDING_MS = 5


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An edit that may help."""

    says: str
    topology: Topology
    loosens: bool = False


def with_remedies(before: Plan, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings, each blocker with the smallest change found, and the ways out where arithmetic forbids it."""
    clinic = Clinic(before, frozenset(finding.id for finding in findings if not finding.met))
    return tuple(finding if finding.met else clinic.treated(finding) for finding in findings)


class Clinic:
    """One plan and its blockers."""

    def __init__(self, before: Plan, broken: frozenset[str]) -> None:
        self._plan = before
        self._broken = broken
        self._trials_left = TRIALS_IN_ALL_MAX

    def treated(self, finding: Finding) -> Finding:
        """The finding with its change and ways out."""
        forbidden = _forbidden(self._plan, finding)
        found = None if forbidden else self._first(finding, self._edits(finding))
        found = found or self._first(finding, _loosened(self._plan.topology, finding))
        change = Change(says=found.says, loosens=found.loosens) if found else None
        return replace(finding, change=change, ways_out=forbidden)

    def _first(self, finding: Finding, candidates: Iterable[Candidate]) -> Candidate | None:
        for candidate in islice(candidates, TRIALS_MAX):
            self._trials_left -= 1
            if self._helps(finding, candidate):
                return candidate
            if self._trials_left <= 0 and not candidate.loosens:
                return None
        return None

    def _helps(self, finding: Finding, candidate: Candidate) -> bool:
        """Whether the judge finds this blocker gone and no new one."""
        try:
            found = Bench(plan(candidate.topology)).findings()
        except DiversiteError:
            return False
        return all(one.met or one.id in self._broken - {finding.id} for one in found)

    def _edits(self, finding: Finding) -> Iterator[Candidate]:
        objective = _objective(self._plan.topology, finding)
        if finding.id == "links":
            return _more_links(self._plan, finding)
        if objective is None:
            return _shorter_ways(self._plan, finding)
        worst = finding.failures[0]
        if any(domain.kind in ("link", "carrier") for domain in worst.lost) or not _power_lost(self._plan, worst):
            return chain(_more_links(self._plan, finding), _more_hosts(self._plan, finding))
        return _power_elsewhere(self._plan, finding, objective.any)


def _objective(topology: Topology, finding: Finding) -> Objective | None:
    section, index = finding.path[0], finding.path[-1]
    return topology.survive[index] if section == "survive" and isinstance(index, int) else None


def _power_lost(before: Plan, failure: Failure) -> bool:
    """Whether it is power that is missing, and not an entrance or a monitor."""
    survey = Survey(before)
    return survey.standing(survey.loss(failure.lost, failure.down)).consensus != "continues"


# The wish itself


def _forbidden(before: Plan, finding: Finding) -> tuple[str, ...]:
    """The ways out, where fewer domains of a kind exist than the arithmetic needs."""
    objective = _objective(before.topology, finding)
    model = before.topology.consensus.fault_model
    needed = quorum.domains_needed(model)
    if objective is None or objective.any not in _COUNTED or len(PROVIDERS) >= needed:
        return ()
    if not _power_lost(before, finding.failures[0]):
        return ()
    return tuple(_ways_out(before, finding, objective.any, needed))


_COUNTED: frozenset[DomainKind] = frozenset({"provider", "provider_terms"})
"""Kinds of which there are as many domains as diversite knows providers."""


def _ways_out(before: Plan, finding: Finding, kind: DomainKind, needed: int) -> Iterator[str]:
    count, where = len(PROVIDERS), finding.id
    yield (
        f"power in {count} providers cannot be split so that each holds less than a third: the largest holds a third "
        "or more, and its loss halts a byzantine quorum, whatever the powers are"
    )
    yield f"accept it: `{where}.outcome: halts_safely`; the venue stops, loses nothing and goes on when it is back"
    yield f"stand in a {needed}th {kind.replace('_', ' ')} as well; diversite knows {', '.join(PROVIDERS)}"
    survey = Survey(before)
    worst = max(survey.power_of(survey.membership.members(domain)) for domain in survey.membership.all(kind))
    holds = "would do" if not quorum.is_lost(worst, survey.total, "crash") else "would do with no half in one of them"
    yield f"a crash-fault consensus engine needs {count} domains only and {holds}; CometBFT is byzantine"


def _loosened(topology: Topology, finding: Finding) -> Iterator[Candidate]:
    objective = _objective(topology, finding)
    if objective and objective.outcome == "continues":
        index = topology.survive.index(objective)
        weaker = objective.model_copy(update={"outcome": "halts_safely"})
        survive = (*topology.survive[:index], weaker, *topology.survive[index + 1 :])
        changed = topology.model_copy(update={"survive": survive})
        yield Candidate(says=f"accept {finding.id}.outcome: halts_safely", topology=changed, loosens=True)
    if finding.path[0] == "bounds" and finding.path[-1] != "orders_lost_max":
        yield _raised(topology, finding)


def _raised(topology: Topology, finding: Finding) -> Candidate:
    *_, name = (str(step) for step in finding.path)
    bounds = topology.bounds
    part: Bounds | Recovery = bounds.recovery if finding.path[1] == "recovery" else bounds
    value = getattr(part, name) + finding.failures[0].excess
    value = math.ceil(value / ROUNDING_MS) * ROUNDING_MS if name.endswith("_ms_max") else math.ceil(value)
    part = part.model_copy(update={name: value})
    whole = bounds.model_copy(update={"recovery": part}) if finding.path[1] == "recovery" else part
    changed = topology.model_copy(update={"bounds": whole})
    return Candidate(says=f"raise {finding.id} to {value}", topology=changed, loosens=True)


# More links


def _more_links(before: Plan, finding: Finding) -> Iterator[Candidate]:
    """Links between the parts that a loss leaves, by other carriers, one after the other until all are mended."""
    topology, says = before.topology, []
    for failure in finding.failures[:LINKS_ADDED_MAX]:
        added = _bridge(before, topology, failure)
        if added:
            name, link = added
            topology = topology.model_copy(update={"links": {**topology.links, name: link}})
            says.append(
                f"add links.{name}: {{kind: {link.kind}, ends: [{', '.join(link.ends)}], carrier: {link.carrier}}}"
            )
            yield Candidate(says="; ".join(says), topology=topology)


def _bridge(before: Plan, topology: Topology, failure: Failure) -> tuple[str, Link] | None:
    """The shortest link between the part that is cut off and the rest."""
    survey = Survey(before)
    loss = survey.loss(failure.lost, failure.down)
    dead = {before.hosts[name].site for name in loss.stopped if before.hosts[name].role == "gateway"}
    parts = [part - dead for part in survey.islands(survey.unreachable(loss)) if part - dead]
    if len(parts) < 2:
        return None
    off = network.smallest(parts)
    rest = frozenset().union(*parts) - off
    a, b = min(((a, b) for a in off for b in rest), key=lambda pair: (_km(before, *pair), pair))
    return _free_name(topology.links, f"{a}-{b}"), Link(
        kind="wireguard", ends=(a, b), carrier=_carrier(topology, failure)
    )


def _carrier(topology: Topology, failure: Failure) -> str:
    """A carrier that the venue has already and that is not the lost one."""
    lost = {domain.identity for domain in failure.lost}
    carriers = (link.carrier for link in topology.links.values() if link.kind in ("wireguard", "vpn"))
    return next((carrier for carrier in carriers if carrier not in lost), "transit-new")


def _shorter_ways(before: Plan, finding: Finding) -> Iterator[Candidate]:
    """A direct link for the slowest pairs that have none."""
    joined = {frozenset(link.sites) for link in before.links.values()}
    slow = sorted(((r.rtt_ms, pair) for pair, r in before.routes.items() if pair[0] < pair[1]), reverse=True)
    for _, (a, b) in slow:
        if frozenset((a, b)) not in joined and finding.path[0] == "bounds":
            name = _free_name(before.topology.links, f"{a}-{b}")
            link = Link(kind="wireguard", ends=(a, b), carrier=_carrier(before.topology, finding.failures[0]))
            changed = before.topology.model_copy(update={"links": {**before.topology.links, name: link}})
            says = f"add links.{name}: {{kind: wireguard, ends: [{a}, {b}], carrier: {link.carrier}}}"
            yield Candidate(says=says, topology=changed)


# More hosts


def _more_hosts(before: Plan, finding: Finding) -> Iterator[Candidate]:
    """Another entrance or monitor, at a site that the worst loss leaves standing."""
    survey = Survey(before)
    failure, topology = finding.failures[0], before.topology
    standing = survey.standing(survey.loss(failure.lost, failure.down))
    blind = bool(standing.serving) or not standing.main
    for site in (site for site in topology.sites if site in (standing.main or topology.sites)):
        machine = _machine_at(topology, site)
        if machine and blind:
            key = _free_name(topology.monitoring, site)
            monitors = {**topology.monitoring, key: Monitor(site=site, machine=machine)}
            yield Candidate(
                says=f"add monitoring.{key}: {{site: {site}, machine: {machine}}}",
                topology=topology.model_copy(update={"monitoring": monitors}),
            )
        elif machine:
            key = _free_name(topology.order_entry, site)
            entries = {**topology.order_entry, key: OrderEntry(site=site, machine=machine)}
            yield Candidate(
                says=f"add order_entry.{key}: {{site: {site}, machine: {machine}}}",
                topology=topology.model_copy(update={"order_entry": entries}),
            )


def _machine_at(topology: Topology, site: str) -> str | None:
    """A machine type that the venue uses at this provider already, one of this site first."""
    provider = topology.sites[site].at.split("/")[0]
    hosts: list[Validator | Engine] = [*topology.validators.values(), *topology.engines.values()]
    here = [host.machine for host in hosts if host.site == site]
    same = [host.machine for host in hosts if topology.sites[host.site].at.split("/")[0] == provider]
    return next(iter([*here, *same]), None)


# Power elsewhere


@dataclass(frozen=True, kw_only=True)
class _Units:
    """Validators with the domains of their pair of hosts, and their relative power: enough for the arithmetic."""

    of: Mapping[str, Identities]
    power: Mapping[str, int]
    kinds: frozenset[DomainKind]
    """Kinds of which an objective wants any one to be survived."""
    model: quorum.FaultModel

    def holds(self) -> bool:
        """Whether every single loss of those kinds leaves a quorum, the network left aside."""
        total = sum(self.power.values())
        return not any(
            quorum.is_lost(lost, total, self.model) for kind in self.kinds for lost in self._lost_by_domain(kind)
        )

    def _lost_by_domain(self, kind: DomainKind) -> Iterator[int]:
        known = {identity for unit in self.of.values() for identity in unit[kind]} or {"unknown"}
        for identity in known:
            yield sum(self.power[key] for key, unit in self.of.items() if identity in unit[kind] or not unit[kind])


def _units(before: Plan) -> _Units:
    survey, topology = Survey(before), before.topology
    wanted = (objective for objective in topology.survive if objective.outcome == "continues")
    kinds = frozenset(objective.any for objective in wanted) - {"link", "carrier", "control_plane"}
    return _Units(
        of={key: _joint(survey, unit.hosts, kinds) for key, unit in survey.units.items()},
        power={key: validator.power for key, validator in topology.validators.items()},
        kinds=kinds,
        model=topology.consensus.fault_model,
    )


def _joint(survey: Survey, hosts: Iterable[str], kinds: Iterable[DomainKind]) -> Identities:
    """What either of the two hosts is in; unknown where either is."""
    of = [survey.membership.of[name] for name in hosts]
    return {
        kind: frozenset().union(*(one[kind] for one in of)) if all(one[kind] for one in of) else frozenset()
        for kind in kinds
    }


def _power_elsewhere(before: Plan, finding: Finding, kind: DomainKind) -> Iterator[Candidate]:
    units, topology = _units(before), before.topology
    yield from _other_powers(topology, units)
    if kind == "hardware":
        yield from _other_machines(before, finding)
    yield from _more_validators(topology, units)
    yield from _other_places(before, finding, units)
    yield from _more_sites(before, units)


def _other_powers(topology: Topology, units: _Units) -> Iterator[Candidate]:
    """Another power for one validator, the smallest difference first."""
    for difference in range(1, POWER_MAX):
        for key, power in units.power.items():
            for other in (power + difference, power - difference):
                changed = replace(units, power={**units.power, key: other})
                if 1 <= other <= POWER_MAX and changed.holds():
                    validator = topology.validators[key].model_copy(update={"power": other})
                    validators = {**topology.validators, key: validator}
                    yield Candidate(
                        says=f"set validators.{key}.power to {other} (it is {power})",
                        topology=topology.model_copy(update={"validators": validators}),
                    )


def _other_machines(before: Plan, finding: Finding) -> Iterator[Candidate]:
    """As large a machine with another processor, for the validators of the worst domain with their engines."""
    topology = before.topology
    lost = Survey(before).membership.members(finding.failures[0].lost[0])
    for key, validator in topology.validators.items():
        partner = before.hosts[f"validator-{key}"].partner
        if lost.isdisjoint({f"validator-{key}", partner}):
            continue
        engine = before.hosts[partner].key if partner else ""
        for machine in _same_size(before.hosts[f"validator-{key}"].provider, validator.machine):
            validators = {**topology.validators, key: validator.model_copy(update={"machine": machine})}
            engines = {**topology.engines, engine: topology.engines[engine].model_copy(update={"machine": machine})}
            yield Candidate(
                says=f"use machine {machine} for validators.{key} and engines.{engine}",
                topology=topology.model_copy(update={"validators": validators, "engines": engines}),
            )


def _same_size(provider: str, name: str) -> Iterator[str]:
    machine = catalog().machine(provider, name)
    for other in catalog().machines.values():
        same = (other.provider, other.vcpus, other.memory_gib) == (provider, machine.vcpus, machine.memory_gib)
        known = other.cpu_vendor is not None and other.cpu_family is not None
        if same and known and (other.cpu_vendor, other.cpu_family) != (machine.cpu_vendor, machine.cpu_family):
            yield other.name


def _more_validators(topology: Topology, units: _Units) -> Iterator[Candidate]:
    """One validator with its engine more, or two, at sites that are there."""
    sites = [site for site in topology.sites if any(item.site == site for item in topology.validators.values())]
    for count in (1, 2):
        for chosen in combinations_with_replacement(sites, count):
            changed, says = topology, []
            for site in chosen:
                changed, said = _with_validator(changed, site)
                says.append(said)
            added = [key for key in changed.validators if key not in topology.validators]
            twins = {key: _twin(units, topology, changed.validators[key].site, key) for key in added}
            if replace(units, of={**units.of, **twins}, power={**units.power, **dict.fromkeys(added, 1)}).holds():
                yield Candidate(says="; ".join(says), topology=changed)


def _twin(units: _Units, topology: Topology, site: str, key: str) -> Identities:
    """The domains of one more validator at a site: those of one that is there, but hosts and racks of its own."""
    neighbour = next(name for name, item in topology.validators.items() if item.site == site)
    own: Identities = {"host": frozenset({f"{key}-new"}), "rack": frozenset({f"{key}-new"})}
    return {kind: own.get(kind, identities) for kind, identities in units.of[neighbour].items()}


def _with_validator(topology: Topology, site: str) -> tuple[Topology, str]:
    machine = _machine_at(topology, site) or ""
    key = _free_name({**topology.validators, **topology.engines}, site)
    changed = topology.model_copy(
        update={
            "validators": {**topology.validators, key: Validator(site=site, machine=machine)},
            "engines": {**topology.engines, key: Engine(site=site, machine=machine)},
        }
    )
    return changed, f"add validators.{key} and engines.{key}: {{site: {site}, machine: {machine}}}"


def _other_places(before: Plan, finding: Finding, units: _Units) -> Iterator[Candidate]:
    """One site of the worst domain elsewhere at the same provider, the nearest places first."""
    topology = before.topology
    lost = Survey(before).membership.members(finding.failures[0].lost[0])
    moves = [
        (great_circle_km(_at(site.place), _at(place)), key, place)
        for key, site in before.sites.items()
        if any(host.name in lost for host in before.at_site(key, "validator"))
        for place in catalog().places.values()
        if place.provider == site.place.provider and _moved(before, units, key, place).holds()
    ]
    for _, key, place in _one_a_metro(sorted(moves, key=lambda move: (move[0], move[1], move[2].id))):
        sites = {**topology.sites, key: topology.sites[key].model_copy(update={"at": place.id})}
        yield Candidate(
            says=f"move sites.{key} to {place.id} ({place.city})", topology=topology.model_copy(update={"sites": sites})
        )


def _one_a_metro(moves: Iterable[tuple[float, str, Place]]) -> Iterator[tuple[float, str, Place]]:
    seen: set[tuple[str, str]] = set()
    for move in moves:
        if (move[1], move[2].metro) not in seen and len(seen) < PLACES_MAX:
            seen.add((move[1], move[2].metro))
            yield move


def _moved(before: Plan, units: _Units, site: str, place: Place) -> _Units:
    there = of_place(place)
    of = {
        key: {kind: there.get(kind, identities) for kind, identities in unit.items()}
        if before.topology.validators[key].site == site
        else unit
        for key, unit in units.of.items()
    }
    return replace(units, of=of)


def _more_sites(before: Plan, units: _Units) -> Iterator[Candidate]:
    """A site more with a validator and its engine, joined to the two nearest sites by two carriers."""
    topology = before.topology
    centre = [_at(site.place) for site in before.sites.values()]
    places = sorted(
        (
            place
            for place in catalog().places.values()
            if any(s.place.provider == place.provider for s in before.sites.values())
        ),
        key=lambda place: (max(great_circle_km(_at(place), there) for there in centre), place.id),
    )
    for _, _, place in _one_a_metro((0.0, "", place) for place in places if _fits(units, place)):
        yield _with_site(before, topology, place)


def _fits(units: _Units, place: Place) -> bool:
    there, new = of_place(place), "new"
    fallback: frozenset[str] = frozenset({new})
    one = {kind: there.get(kind, fallback) for kind in units.kinds}
    return replace(units, of={**units.of, new: one}, power={**units.power, new: 1}).holds()


def _with_site(before: Plan, topology: Topology, place: Place) -> Candidate:
    key = _free_name(topology.sites, place.metro)
    near = sorted(before.sites, key=lambda site: (great_circle_km(_at(before.sites[site].place), _at(place)), site))[:2]
    carriers = sorted({link.carrier for link in topology.links.values() if link.kind == "wireguard"})
    carriers = [*carriers, "transit-a", "transit-b"][:2]
    links = {
        _free_name(topology.links, f"{key[:7]}-{site[:7]}"): Link(kind="wireguard", ends=(key, site), carrier=carrier)
        for site, carrier in zip(near, carriers, strict=False)
    }
    sites = {**topology.sites, key: Site(at=place.id)}
    changed = topology.model_copy(update={"sites": sites, "links": {**topology.links, **links}})
    changed, said = _with_validator(changed, key)
    return Candidate(
        says=f"add sites.{key}: {{at: {place.id}}}, linked to {' and '.join(near)}; {said}", topology=changed
    )


def _free_name(taken: Mapping[str, object], wanted: str) -> str:
    name = wanted[:NAME_LENGTH_MAX]
    numbered = (f"{wanted[: NAME_LENGTH_MAX - 2]}-{number}" for number in range(2, 100))
    return next(free for free in chain([name], numbered) if free not in taken)


def _km(before: Plan, a: str, b: str) -> float:
    return great_circle_km(_at(before.sites[a].place), _at(before.sites[b].place))


def _at(place: Place) -> tuple[float, float]:
    return place.latitude, place.longitude
