"""One plan before the judge: every objective against every failure it names, every bound, every cut.

Every single loss of each kind that an objective names is tried (with any one host already down, where it says `while:
maintenance`), the bounds in time before and after those losses, and every way to cut the network. Findings are
complete: a blocker never hides another. What would remove one is the business of `remedies`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product

from diversite import consensus, network, quorum, recovery, rotation, safekeeping
from diversite.domains import KINDS, Domain
from diversite.outcome import share
from diversite.plan import Host, Plan
from diversite.standing import CLASSES, Loss, Standing, Survey
from diversite.topology import DomainKind, Objective
from diversite.verdict import Cause, Failure, Finding

FAILURES_TOLD_MAX = 8
"""How many failures of one objective are told, worst first; the others are counted."""

_Effect = tuple[frozenset[str], frozenset[str], tuple[str, ...]]


@dataclass(frozen=True)
class Bench:
    """One plan before the judge."""

    plan: Plan
    _cases: dict[DomainKind, tuple[tuple[Domain, Standing], ...]] = field(default_factory=dict, repr=False)
    _quorums: dict[_Effect, tuple[float, str]] = field(default_factory=dict, repr=False)
    _proposals: dict[_Effect, tuple[float, str]] = field(default_factory=dict, repr=False)
    _times: dict[tuple[_Effect, recovery.Commits], recovery.Recovery] = field(default_factory=dict, repr=False)

    @cached_property
    def survey(self) -> Survey:
        """The plan, read once."""
        return Survey(self.plan)

    def findings(self) -> Iterator[Finding]:
        """Everything that is judged, in the order of the stack file."""
        for index, objective in enumerate(self.plan.topology.survive):
            yield self.objective(index, objective)
        yield from self._bounds()
        yield self._network()
        yield self._time_outs()
        yield from safekeeping.findings(self.plan, self.survey.membership)

    def cases(self, kind: DomainKind) -> tuple[tuple[Domain, Standing], ...]:
        """Every single loss of a kind, and what it leaves standing."""
        if kind not in self._cases:
            survey = self.survey
            lost = survey.membership.all(kind)
            self._cases[kind] = tuple((domain, survey.standing(survey.loss([domain]))) for domain in lost)
        return self._cases[kind]

    @cached_property
    def named(self) -> tuple[tuple[Domain, Standing], ...]:
        """Every single loss that some objective names, and what it leaves standing."""
        kinds = dict.fromkeys(objective.any for objective in self.plan.topology.survive)
        return tuple(case for kind in kinds for case in self.cases(kind))

    def coefficients(self) -> dict[DomainKind, int | None]:
        """The Nakamoto coefficient of every kind that applies to hosts."""
        return {kind: self._coefficient(kind) for kind in KINDS if kind not in ("link", "carrier", "control_plane")}

    def _coefficient(self, kind: DomainKind) -> int | None:
        survey = self.survey
        members = {str(domain): survey.membership.members(domain) for domain in survey.membership.all(kind)}
        units = {
            name: {unit.key for unit in survey.units.values() if not hosts.isdisjoint(unit.hosts)}
            for name, hosts in members.items()
        }
        return quorum.coefficient(units, survey.power, survey.fault_model)

    def objective(self, index: int, objective: Objective) -> Finding:
        """One entry of `survive`."""
        pairs = self._with_maintenance(objective.any) if objective.while_ else self.cases(objective.any)
        failures = [failure for domain, standing in pairs for failure in self._broken(objective, domain, standing)]
        closest = max((standing for _, standing in pairs), key=lambda standing: standing.lost_power, default=None)
        return _finding(
            f"survive[{index}]",
            ("survive", index),
            _wish(objective),
            _worst_of_each(failures),
            f"at worst {share(closest.lost_power, closest.total)} of the power is lost"
            if closest
            else "no such domain",
        )

    def _broken(self, objective: Objective, domain: Domain, standing: Standing) -> Iterator[Failure]:
        broken = Failure(
            lost=(domain,),
            down=tuple(sorted(standing.loss.down)),
            found=standing.outcome,
            cause="monitoring",
            says="no monitor is left that sees the venue",
            unknown=tuple(item.reason for item in self.survey.membership.unknown_of(objective.any)),
        )
        if CLASSES.index(standing.outcome) > CLASSES.index(objective.outcome):
            excess, says = self._excess(standing)
            yield replace(broken, cause=self._cause(standing), excess=excess, says=says)
        elif not standing.watching and not objective.while_:
            yield broken

    def _cause(self, standing: Standing) -> Cause:
        if standing.consensus != "continues":
            return "power"
        return "state" if any(item.outcome != "continues" for item in standing.kept) else "entrance"

    def _excess(self, standing: Standing) -> tuple[float, str]:
        model, total = self.survey.fault_model, standing.total
        if standing.consensus != "continues":
            over = (standing.lost_power - quorum.lost_max(total, model)) / total
            halts = "the venue halts" if standing.consensus == "halts_safely" else "orders could be lost"
            lost = f"{share(standing.lost_power, total)} of the power takes no part"
            return over, f"{halts}: {lost}, {_too_much(over, model)}"
        for item in standing.kept:
            if item.outcome == standing.outcome:
                return 1.0, f"{item.name} {'halts' if item.recovery is None else 'stops'}: {item.reason}"
        return 1.0, "no order can be entered: every entrance is lost or cut off from the engines that go on"

    def _with_maintenance(self, kind: DomainKind) -> tuple[tuple[Domain, Standing], ...]:
        """Every single loss of a kind with every host already down; hosts whose absence means the same are one."""
        survey = self.survey
        down = {self._meaning(host, kind): host.name for host in self.plan.hosts.values()}
        return tuple(
            (domain, survey.standing(survey.loss([domain], [name])))
            for domain, name in product(survey.membership.all(kind), down.values())
        )

    def _meaning(self, host: Host, kind: DomainKind) -> tuple[object, ...]:
        unit = next((unit for unit in self.survey.units.values() if host.name in unit.hosts), None)
        role = ("unit", unit.power) if unit else (host.name if host.role in _KEEPING else host.role, 0)
        return (host.site, *role, self.survey.membership.of[host.name][kind] if kind in _HOST_KINDS else None)

    def _bounds(self) -> Iterator[Finding]:
        bounds = self.plan.topology.bounds
        if bounds.quorum_rtt_ms_max is not None:
            yield self._bound("quorum_rtt_ms_max", bounds.quorum_rtt_ms_max, self._quorum_now(), "ms")
        if bounds.quorum_rtt_after_loss_ms_max is not None:
            limit = bounds.quorum_rtt_after_loss_ms_max
            yield self._bound("quorum_rtt_after_loss_ms_max", limit, self._quorum_after_loss(), "ms")
        if bounds.pair_rtt_ms_max is not None:
            yield self._bound("pair_rtt_ms_max", bounds.pair_rtt_ms_max, self._pairs(), "ms")
        if bounds.recovery.rto_seconds_max is not None:
            limit = bounds.recovery.rto_seconds_max
            yield self._bound("recovery.rto_seconds_max", limit, self._recoveries(limit), "s")
        yield self._orders_lost(bounds.recovery.orders_lost_max)

    def _bound(self, name: str, limit: float, values: Iterable[_Value], unit: str) -> Finding:
        found = sorted(values, key=lambda value: -value.value)
        failures = [
            Failure(
                lost=value.lost,
                cause="time",
                excess=value.value - limit,
                says=f"{value.what} takes {value.value:.1f} {unit}, {value.value - limit:.1f} {unit} too much",
            )
            for value in found
            if value.value > limit
        ]
        margin = f"at worst {found[0].value:.1f} {unit}: {found[0].what}" if found else "nothing to measure"
        path = ("bounds", *name.split("."))
        return _finding(f"bounds.{name}", path, f"{name} of {limit:g} {unit}", failures, margin)

    def _quorum_now(self) -> Iterator[_Value]:
        yield from self._quorum_rtts((), self.survey.standing(Loss()))

    def _quorum_after_loss(self) -> Iterator[_Value]:
        for domain, standing in self.named:
            if standing.main:
                yield from self._quorum_rtts((domain,), standing)

    def _quorum_rtts(self, lost: tuple[Domain, ...], standing: Standing) -> Iterator[_Value]:
        if standing.main and standing.voting:
            rtt_ms, site = self._quorum_rtt(standing)
            after = f" after the loss of {lost[0]}" if lost else ""
            yield _Value(rtt_ms, f"a quorum seen from {site}{after}", lost)

    def _quorum_rtt(self, standing: Standing) -> tuple[float, str]:
        """The slowest proposer's round trip to a quorum of those who are left, and its site."""
        effect = self._effect(standing)
        if effect not in self._quorums:
            one_way, power = self.survey.one_way_ms(effect[1]), self.survey.voting_power(standing)
            rtts = consensus.quorum_rtts_ms(one_way, power, standing.total)
            self._quorums[effect] = max((rtt_ms, site) for site, rtt_ms in rtts.items())
        return self._quorums[effect]

    def _effect(self, standing: Standing) -> _Effect:
        """What matters for time: losses that agree in it take equally long."""
        return standing.voting, self.survey.unreachable(standing.loss), standing.serving

    def _pairs(self) -> Iterator[_Value]:
        for (a, b), route in self.plan.routes.items():
            if a < b:
                yield _Value(route.rtt_ms, f"{a} to {b} over {', '.join(route.links)}", ())

    def _recoveries(self, limit: float) -> Iterator[_Value]:
        """What named losses take: the worst, and all beyond the limit; what is neither may be left out."""
        going_on = (case for case in self.named if case[1].outcome == "continues")
        bounded = [(self._recovery(standing, recovery.three_hops), domain, standing) for domain, standing in going_on]
        worst = 0.0
        for bound, domain, standing in sorted(bounded, key=lambda case: -case[0].rto_seconds.high):
            if bound.rto_seconds.high <= min(worst, limit):
                return
            found = self._recovery(standing, recovery.exact_most)
            worst = max(worst, found.rto_seconds.high)
            terms = ", ".join(f"{term.name} {term.ms.high / 1000:.1f} s" for term in found.terms)
            yield _Value(found.rto_seconds.high, f"going on after the loss of {domain} ({terms})", (domain,))

    def _recovery(self, standing: Standing, commits: recovery.Commits) -> recovery.Recovery:
        key = self._effect(standing), commits
        if key not in self._times:
            self._times[key] = recovery.recovery(self.survey, standing, commits)
        return self._times[key]

    def _orders_lost(self, limit: int) -> Finding:
        failures = [
            Failure(
                lost=(domain,),
                found=standing.outcome,
                cause=self._cause(standing),
                excess=1.0,
                says=self._excess(standing)[1],
            )
            for domain, standing in self.named
            if standing.outcome == "could_lose_data"
        ]
        wish = f"at most {limit} acknowledged orders lost"
        path = ("bounds", "recovery", "orders_lost_max")
        return _finding("bounds.recovery.orders_lost_max", path, wish, failures, "no named loss can lose an order")

    def _network(self) -> Finding:
        """No single link, carrier, duct or site may cut another site off."""
        wish = "two disjoint ways between any two sites: no link, carrier, duct or site cuts another off"
        links, sites = tuple(self.plan.links.values()), tuple(self.plan.sites)
        failures = []
        for domain, lost in self._network_losses():
            left = [site for site in sites if site not in lost]
            parts = network.islands(left, [link for link in links if lost.isdisjoint(link.sites)], lost)
            if len(parts) > 1:
                off = sorted(network.smallest(parts))
                says = f"the loss of {domain} cuts {', '.join(off)} off from the other sites"
                failures.append(Failure(lost=(domain,), cause="network", excess=float(len(off)), says=says))
        return _finding("links", ("links",), wish, failures, "no single loss cuts a site off")

    def _network_losses(self) -> Iterator[tuple[Domain, frozenset[str]]]:
        """Each link that may cut, carrier and duct; and each place, as the facility in which its sites' ways meet."""
        membership = self.survey.membership
        for name in sorted(network.bridges(self.plan.sites, self.plan.links.values())):
            yield Domain("link", name), frozenset({name})
        for domain in membership.all("carrier"):
            yield domain, membership.members(domain)
        for domain in membership.all("site"):
            hosts = membership.members(domain)
            yield domain, frozenset(self.plan.hosts[name].site for name in hosts)

    def _time_outs(self) -> Finding:
        """With every named loss a proposal still reaches a quorum before it gives up."""
        timing, failures, worst_ms = self.plan.timing, [], 0.0
        for lost, standing in (((), self.survey.standing(Loss())), *(((d,), s) for d, s in self.named)):
            if standing.main:
                needed, site = self._propose_needed(standing)
                worst_ms = max(worst_ms, needed)
                if needed > timing.propose_ms:
                    says = f"a proposal of {site} needs {needed:.0f} ms to be prevoted, it has {timing.propose_ms} ms"
                    failures.append(Failure(lost=lost, cause="time", excess=needed - timing.propose_ms, says=says))
        margin = f"a proposal needs at most {worst_ms:.0f} of {timing.propose_ms} ms"
        return _finding("time-outs", ("links",), "consensus time-outs fit the latency matrix", failures, margin)

    def _propose_needed(self, standing: Standing) -> tuple[float, str]:
        """The time that the slowest proposer's proposal needs at most, and its site.

        No two sites have a commit more than a hop apart, so two hops are a bound; exact only where that is too much.
        """
        effect = self._effect(standing)
        if effect not in self._proposals:
            one_way, power = self.survey.one_way_ms(effect[1]), self.survey.voting_power(standing)
            hop = self.survey.hop_ms(standing)
            site = max(a for a in power if hop in map(one_way.__getitem__, product((a,), power)))
            self._proposals[effect] = (consensus.PROCESSING_MS + 2 * hop, site)
            if self._proposals[effect][0] > self.plan.timing.propose_ms:
                commits = self.survey.commits_ms(standing)
                needed = consensus.propose_needed_ms(one_way, power, commits, standing.total)
                self._proposals[effect] = max((when, site) for site, when in needed.items())
        return self._proposals[effect]

    def notes(self) -> Iterator[str]:
        """What no objective forbids and a person should know."""
        yield from self._cut_pairs()
        yield from self._proposer_runs()
        old = sorted({name for name, link in self.plan.links.items() if link.rtt.old})
        if old:
            yield f"the round trip of {', '.join(old)} is measured, but longer ago than the catalogue lets it be"

    def _cut_pairs(self) -> Iterator[str]:
        links = tuple(self.plan.links.values())
        for pair, off in network.cut_pairs(tuple(self.plan.sites), links):
            standing = self.survey.standing(replace(Loss(), cut=frozenset(pair)))
            if standing.outcome != "continues":
                yield f"links {pair[0]} and {pair[1]} together cut {', '.join(sorted(off))} off, and the venue halts"

    def _proposer_runs(self) -> Iterator[str]:
        for domain, standing in self.named:
            run = rotation.longest_run(self.survey.turns, self.survey.power.keys() - standing.voting)
            if run > 1 and standing.main:
                stall_ms = consensus.stall_ms(self.plan.timing, run)
                yield f"{domain} has {run} proposers in a row: its loss stalls each rotation for {stall_ms:.0f} ms"


@dataclass(frozen=True)
class _Value:
    value: float
    what: str
    lost: tuple[Domain, ...]


_KEEPING = frozenset({"store", "queue", "passive"})
"""Roles of which no two hosts are alike: who is down decides what else may be lost."""
_HOST_KINDS = frozenset(KINDS) - {"link", "carrier"}


def _finding(id_: str, path: tuple[str | int, ...], wish: str, failures: Sequence[Failure], margin: str) -> Finding:
    worst_first = sorted(failures, key=_badness, reverse=True)
    return Finding(
        id=id_,
        path=path,
        wish=wish,
        failures=tuple(worst_first[:FAILURES_TOLD_MAX]),
        failure_count=len(failures),
        margin="" if failures else margin,
    )


def _too_much(over: float, model: str) -> str:
    """How far a share of the power is beyond what may be lost; a third of the power is beyond it by one unit."""
    if over < quorum.SHARE_TOLD_MIN:
        return f"just what a {model} quorum must not lose"
    return f"{100 * over:.1f} % too much for a {model} quorum"


def _badness(failure: Failure) -> tuple[int, float]:
    return CLASSES.index(failure.found) if failure.found else 0, failure.excess


def _worst_of_each(failures: Iterable[Failure]) -> list[Failure]:
    """Of the same lost domain with different hosts down, the worst."""
    worst: dict[tuple[Domain, ...], Failure] = {}
    for failure in failures:
        if failure.lost not in worst or _badness(failure) > _badness(worst[failure.lost]):
            worst[failure.lost] = failure
    return list(worst.values())


def _wish(objective: Objective) -> str:
    outcome = "continues" if objective.outcome == "continues" else "at worst halts safely"
    maintenance = " with any one host already down" if objective.while_ else ""
    return f"the venue {outcome} when any one {objective.any.replace('_', ' ')} is lost{maintenance}"
