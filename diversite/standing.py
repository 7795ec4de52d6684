"""What still stands after a loss: which hosts run, which sites reach each other, where a quorum is, who serves orders.

`Survey` reads a plan once; `standing` then answers for any loss in microseconds, which is what lets the judge try every
pair of failures. Times and words are not here: see `recovery` and `outcome`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product

from diversite import consensus, network, quorum, rotation
from diversite.domains import CUTTING, DESTROYING, FREEZING, LYING, Domain, Membership, domains_of
from diversite.kept import Class, Islands, Kept, Missing, kept
from diversite.plan import Host, Plan, one_way_of

CLASSES: tuple[Class, ...] = ("continues", "halts_safely", "could_lose_data")
"""From best to worst."""
NOTHING: frozenset[str] = frozenset()


def worst(*classes: Class) -> Class:
    """The worst of several outcomes."""
    return max(classes, key=CLASSES.index)


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A validator and the engine that executes its blocks: neither is of use without the other."""

    key: str
    site: str
    power: int
    hosts: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What failing domains, and what was down before, take away."""

    domains: tuple[Domain, ...] = ()
    down: frozenset[str] = NOTHING
    """Hosts and links that were not running before."""
    stopped: frozenset[str] = NOTHING
    """Hosts that do not run, those already down included."""
    cut: frozenset[str] = NOTHING
    """Links that carry nothing, whether or not their ends run."""
    destroyed: frozenset[str] = NOTHING
    """Hosts whose disks may be gone for good."""
    lying: frozenset[str] = NOTHING
    """Hosts that may say what is wrong."""
    frozen: frozenset[str] = NOTHING
    """Hosts that nobody can change, replace or remove for now."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What stands after a loss."""

    loss: Loss
    islands: tuple[frozenset[str], ...]
    """Sites that reach each other, the sites of dead routers each by itself."""
    main: frozenset[str]
    """The island with a quorum; empty where there is none."""
    voting: frozenset[str]
    """Keys of the validators that take part in the quorum; without one, of those that run."""
    power: int
    """Their power; without a quorum that of the strongest island."""
    total: int
    consensus: Class
    serving: tuple[str, ...]
    """Entrances (host names) that can have an order acknowledged."""
    watching: tuple[str, ...]
    """Monitors (host names) that run and, where a quorum is left, see it."""
    kept: tuple[Kept, ...] = ()
    """What becomes of each store, queue and active-passive engine."""

    @property
    def outcome(self) -> Class:
        """The venue's outcome: it continues only while orders can be entered and acknowledged, by every engine."""
        beside = (item.outcome for item in self.kept)
        return worst(self.consensus, "continues" if self.serving else "halts_safely", *beside)

    @property
    def lost_power(self) -> int:
        """The power that takes no part."""
        return self.total - self.power


@dataclass(frozen=True)
class Survey:
    """A plan, read once for many questions."""

    plan: Plan
    deployed: frozenset[str] | None = None
    """Names of the hosts and links that exist; None: all that the plan declares."""
    _losses: dict[tuple[Domain, ...], Loss] = field(default_factory=dict, repr=False)
    _islands: dict[frozenset[str], Mapping[frozenset[str], int]] = field(default_factory=dict, repr=False)
    _keys_of: dict[frozenset[str], frozenset[str]] = field(default_factory=dict, repr=False)
    _routes: dict[frozenset[str], network.Routes] = field(default_factory=dict, repr=False)
    _commits: dict[tuple[frozenset[str], frozenset[str]], Mapping[str, Mapping[str, float]]] = field(
        default_factory=dict, repr=False
    )
    _hops: dict[tuple[frozenset[str], frozenset[str]], float] = field(default_factory=dict, repr=False)
    _one_way: dict[frozenset[str], Mapping[tuple[str, str], float]] = field(default_factory=dict, repr=False)

    @cached_property
    def membership(self) -> Membership:
        """The failure domains of all hosts and links."""
        return domains_of(self.plan)

    @cached_property
    def units(self) -> Mapping[str, Unit]:
        """The voting units by the validator's key."""
        return {
            host.key: Unit(
                key=host.key,
                site=host.site,
                power=host.voting_power,
                hosts=frozenset({host.name, host.partner} - {None}) if host.partner else frozenset({host.name}),
            )
            for host in self.plan.of_role("validator")
        }

    @cached_property
    def power(self) -> Mapping[str, int]:
        """The declared voting power by validator's key; who is not deployed counts in the total all the same."""
        return {key: unit.power for key, unit in self.units.items()}

    @cached_property
    def total(self) -> int:
        """All of the declared voting power."""
        return sum(self.power.values())

    @property
    def fault_model(self) -> quorum.FaultModel:
        """What consensus withstands."""
        return self.plan.topology.consensus.fault_model

    def loss(self, lost: Iterable[Domain], down: Iterable[str] = ()) -> Loss:
        """What the loss of these domains takes away while hosts or links named `down` do not run."""
        alone = self._loss_of(tuple(lost))
        absent = frozenset(down) | self._undeployed
        if not absent:
            return alone
        stopped, cut = alone.stopped | (absent & self._hosts), alone.cut | (absent - self._hosts)
        return replace(alone, down=absent, stopped=stopped, cut=cut)

    def standing(self, loss: Loss) -> Standing:
        """What stands after a loss."""
        without = self.unreachable(loss)
        standing = self.islands(without)
        islands = tuple(standing)
        down = {self._unit_of[name] for name in loss.stopped & self._unit_of.keys()}
        power = [whole - sum(unit.power for unit in down if unit.site in island) for island, whole in standing.items()]
        most = max(power, default=0)
        is_quorum = quorum.holds(most, self.total, self.fault_model)
        main = islands[power.index(most)] if is_quorum else NOTHING
        taking_part = self._keys_at(main) if main else self._keys
        return Standing(
            loss=loss,
            islands=islands,
            main=main,
            voting=taking_part.difference(unit.key for unit in down),
            power=most,
            total=self.total,
            consensus=worst(self._danger(loss), "continues" if main else "halts_safely"),
            serving=tuple(host.name for host in self._entrances if host.site in main and host.name not in loss.stopped),
            watching=tuple(
                host.name
                for host in self._monitors
                if host.name not in loss.stopped and (not main or host.site in main)
            ),
            kept=self._kept(loss, islands, rerouted=bool(without)),
        )

    def unreachable(self, loss: Loss) -> frozenset[str]:
        """Sites without a router, and cut links: what routes must avoid."""
        return loss.cut | {site for gateway, site in self._gateways.items() if gateway in loss.stopped}

    def islands(self, without: frozenset[str]) -> Mapping[frozenset[str], int]:
        """The groups of sites that reach each other without these links and routers, with the power there."""
        if without not in self._islands:
            found = network.islands(self.plan.sites, self.plan.links.values(), without)
            self._islands[without] = {island: sum(map(self._power_at.__getitem__, island)) for island in found}
        return self._islands[without]

    def routes(self, without: frozenset[str]) -> network.Routes:
        """The routes after detection has taken these links and routers away."""
        if without not in self._routes:
            self._routes[without] = network.routes_after(self.plan.routes, self.plan.links.values(), without)
        return self._routes[without]

    def one_way_ms(self, without: frozenset[str]) -> Mapping[tuple[str, str], float]:
        """One-way delays over those routes, within a site included."""
        if without not in self._one_way:
            self._one_way[without] = one_way_of(self.plan.sites, self.routes(without))
        return self._one_way[without]

    def commits_ms(self, standing: Standing) -> Mapping[str, Mapping[str, float]]:
        """For each voting site as the proposer's, when each has the commit (`consensus.commit_ms`)."""
        key = (standing.voting, self.unreachable(standing.loss))
        if key not in self._commits:
            power = self.voting_power(standing)
            self._commits[key] = consensus.commits_ms(self.one_way_ms(key[1]), power, power, standing.total)
        return self._commits[key]

    def commit_range_ms(self, standing: Standing, *, most_only: bool = False) -> tuple[float, float]:
        """The least and the most of `commits_ms`, found without all of them (`consensus.commit_range_ms`)."""
        one_way, power = self.one_way_ms(self.unreachable(standing.loss)), self.voting_power(standing)
        return consensus.commit_range_ms(one_way, power, standing.total, most_only=most_only)

    def hop_ms(self, standing: Standing) -> float:
        """The longest one-way delay between two sites that vote."""
        key = (standing.voting, self.unreachable(standing.loss))
        if key not in self._hops:
            one_way, sites = self.one_way_ms(key[1]), {self.units[name].site for name in standing.voting}
            self._hops[key] = max(map(one_way.__getitem__, product(sites, sites)))
        return self._hops[key]

    def voting_power(self, standing: Standing) -> Mapping[str, int]:
        """The power that takes part, by site."""
        power: dict[str, int] = defaultdict(int)
        for key in standing.voting:
            power[self.units[key].site] += self.units[key].power
        return power

    @cached_property
    def turns(self) -> tuple[str, ...]:
        """One rotation of proposers, by the validator's key."""
        return rotation.rotation_of(self.power)

    def power_of(self, hosts: frozenset[str]) -> int:
        """The voting power of the units that need any of these hosts."""
        return sum(unit.power for unit in {self._unit_of[name] for name in hosts & self._unit_of.keys()})

    def _danger(self, loss: Loss) -> Class:
        """What was signed may be gone with its disks, or be contradicted by those who lie."""
        gone = quorum.could_be_gone(self.power_of(loss.destroyed), self.total, self.fault_model)
        contradicted = bool(loss.lying) and quorum.is_lost(self.power_of(loss.lying), self.total, self.fault_model)
        return "could_lose_data" if gone or contradicted else "continues"

    def _kept(self, loss: Loss, islands: Islands, *, rerouted: bool) -> tuple[Kept, ...]:
        if not self._keeps:
            return ()
        gone = Missing(stopped=loss.stopped, destroyed=loss.destroyed, islands=islands, rerouted=rerouted)
        return kept(self.plan.keepings, gone)

    def _loss_of(self, domains: tuple[Domain, ...]) -> Loss:
        """What these domains take away while everything runs."""
        if domains not in self._losses:
            hosts = self._hosts
            self._losses[domains] = Loss(
                domains=domains,
                stopped=self._members(d for d in domains if d.kind not in CUTTING | FREEZING) & hosts,
                cut=self._members(d for d in domains if d.kind in CUTTING) - hosts,
                destroyed=self._members(d for d in domains if d.kind in DESTROYING) & hosts,
                lying=self._members(d for d in domains if d.kind in LYING) & hosts,
                frozen=self._members(d for d in domains if d.kind in FREEZING) & hosts,
            )
        return self._losses[domains]

    def _members(self, domains: Iterable[Domain]) -> frozenset[str]:
        return NOTHING.union(*(self.membership.members(domain) for domain in domains))

    @cached_property
    def _undeployed(self) -> frozenset[str]:
        return NOTHING if self.deployed is None else self._hosts.union(self.plan.links) - self.deployed

    @cached_property
    def _keeps(self) -> bool:
        keepings = self.plan.keepings
        return bool(keepings.stores or keepings.queues or keepings.engines)

    @cached_property
    def _power_at(self) -> Mapping[str, int]:
        """The declared voting power by site, of every site."""
        power = dict.fromkeys(self.plan.sites, 0)
        for unit in self.units.values():
            power[unit.site] += unit.power
        return power

    @cached_property
    def _unit_of(self) -> Mapping[str, Unit]:
        """By the name of a host that a unit needs."""
        return {name: unit for unit in self.units.values() for name in unit.hosts}

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(self.units)

    def _keys_at(self, sites: frozenset[str]) -> frozenset[str]:
        if sites not in self._keys_of:
            self._keys_of[sites] = frozenset(unit.key for unit in self.units.values() if unit.site in sites)
        return self._keys_of[sites]

    @cached_property
    def _hosts(self) -> frozenset[str]:
        return frozenset(self.plan.hosts)

    @cached_property
    def _gateways(self) -> Mapping[str, str]:
        return {host.name: host.site for host in self.plan.of_role("gateway")}

    @cached_property
    def _entrances(self) -> tuple[Host, ...]:
        return self.plan.of_role("entry")

    @cached_property
    def _monitors(self) -> tuple[Host, ...]:
        return self.plan.of_role("monitor")
