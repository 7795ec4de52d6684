"""The smallest change of a stack file that removes a blocker: proposed by arithmetic, confirmed by the judge.

Candidates come smallest first; giving up the wish comes last. Each is planned and judged like any topology; one that
leaves the blocker or makes another is passed over. The search is bounded: "no change found" does not mean that there
is none. Where arithmetic forbids the wish, the ways out are told instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice

from diversite import quorum
from diversite.bench import Bench
from diversite.catalog import PROVIDERS
from diversite.edits import direct_links, left_standing, more_entrances, more_links, more_monitors
from diversite.errors import DiversiteError
from diversite.plan import Plan, plan
from diversite.rebalance import power_elsewhere
from diversite.standing import Survey
from diversite.topology import Bounds, DomainKind, Objective, Recovery, Topology
from diversite.verdict import Change, Failure, Finding

TRIALS_MAX = 6
"""How many candidates of one blocker are judged."""
TRIALS_TIMES_VALIDATORS = 100
"""How many candidates of a venue are judged, times its validators: a large venue takes longer to judge."""
ROUNDING_MS = 5
COUNTED: frozenset[DomainKind] = frozenset({"provider", "provider_terms"})
"""Kinds of which there are only as many domains as diversite knows providers."""


def with_remedies(before: Plan, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings, each blocker with the smallest change found, and the ways out where arithmetic forbids it."""
    search = _Search(before, frozenset(finding.id for finding in findings if not finding.met))
    return tuple(finding if finding.met else search.remedied(finding) for finding in findings)


class _Search:
    """For changes of one plan that has these blockers."""

    def __init__(self, before: Plan, broken: frozenset[str]) -> None:
        self._plan = before
        self._broken = broken
        self._trials_left = max(3, TRIALS_TIMES_VALIDATORS // len(before.topology.validators))
        self._found: list[tuple[Change, frozenset[str]]] = []

    def remedied(self, finding: Finding) -> Finding:
        """The finding with its change and its ways out."""
        objective = _objective(self._plan.topology, finding)
        ways_out = tuple(_ways_out(self._plan, finding, objective)) if objective else ()
        edits = () if ways_out else _edits(self._plan, finding, objective)
        change = self._first(finding, edits) or _loosened(self._plan, finding, objective)
        return replace(finding, change=change, ways_out=ways_out)

    def _first(self, finding: Finding, candidates: Iterable[Change]) -> Change | None:
        for change, mended in self._found:
            if finding.id in mended:
                return change
        for change in islice(candidates, TRIALS_MAX):
            if self._trials_left <= 0:
                return None
            self._trials_left -= 1
            mended = self._mended(change, finding)
            if finding.id in mended:
                self._found.append((change, mended))
                return change
        return None

    def _mended(self, change: Change, finding: Finding) -> frozenset[str]:
        """The blockers that a change removes; none where it leaves this one or makes another."""
        try:
            bench = Bench(plan(change.topology))
        except DiversiteError:
            return frozenset()
        objective = _objective(change.topology, finding)
        if objective and not bench.objective(int(finding.path[-1]), objective).met:
            return frozenset()
        left = set()
        for found in bench.findings():
            if not found.met and (found.id not in self._broken or found.id == finding.id):
                return frozenset()
            left |= set() if found.met else {found.id}
        return self._broken - left


def _objective(topology: Topology, finding: Finding) -> Objective | None:
    section, index = finding.path[0], finding.path[-1]
    return topology.survive[index] if section == "survive" and isinstance(index, int) else None


def _edits(before: Plan, finding: Finding, objective: Objective | None) -> Iterator[Change]:
    """Edits of the venue by what is missing in the worst failure."""
    worst = finding.failures[0]
    if worst.cause == "monitoring":
        return more_monitors(before, worst)
    if worst.cause == "entrance":
        return chain(more_entrances(before, worst), more_links(before, finding.failures))
    if worst.cause == "network":
        return more_links(before, finding.failures)
    if worst.cause == "time":
        return _faster(before, finding)
    if objective is None or worst.cause == "state":  # who keeps what where is the venue's own choice
        return iter(())
    more = more_links(before, finding.failures)
    return more if worst.lost[0].kind in ("link", "carrier") else chain(more, power_elsewhere(before, worst))


def _faster(before: Plan, finding: Finding) -> Iterator[Change]:
    worst = finding.failures[0]
    if finding.path[-1] == "rto_seconds_max":
        return more_entrances(before, worst)
    return direct_links(before, worst)


def _loosened(before: Plan, finding: Finding, objective: Objective | None) -> Change | None:
    """The wish given up as far as it must be; it touches no other finding, so nothing is planned anew."""
    topology = before.topology
    if objective and objective.outcome == "continues":
        index = int(finding.path[-1])
        weaker = objective.model_copy(update={"outcome": "halts_safely"})
        if not Bench(before).objective(index, weaker).met:
            return None
        survive = (*topology.survive[:index], weaker, *topology.survive[index + 1 :])
        changed = topology.model_copy(update={"survive": survive})
        return Change(says=f"accept {finding.id}.outcome: halts_safely", topology=changed, loosens=True)
    if finding.path[0] == "bounds" and finding.path[-1] != "orders_lost_max":
        return _raised(topology, finding)
    return None


def _raised(topology: Topology, finding: Finding) -> Change:
    name, bounds = str(finding.path[-1]), topology.bounds
    part: Bounds | Recovery = bounds.recovery if finding.path[1] == "recovery" else bounds
    value = getattr(part, name) + finding.failures[0].excess
    value = math.ceil(value / ROUNDING_MS) * ROUNDING_MS if name.endswith("_ms_max") else math.ceil(value)
    part = part.model_copy(update={name: value})
    whole = bounds.model_copy(update={"recovery": part}) if finding.path[1] == "recovery" else part
    changed = topology.model_copy(update={"bounds": whole})
    return Change(says=f"raise {finding.id} to {value}", topology=changed, loosens=True)


def _ways_out(before: Plan, finding: Finding, objective: Objective) -> Iterator[str]:
    """What can be done instead, where no placement can fulfil the wish."""
    worst, model = finding.failures[0], before.topology.consensus.fault_model
    if worst.cause != "power":
        return
    if objective.any in COUNTED and objective.outcome == "continues" and len(PROVIDERS) < quorum.domains_needed(model):
        yield from _too_few_providers(before, finding, objective.any)
    if objective.any == "release":
        yield (
            "let no release run a third of the voting power: bring others in `releases` and name them at validators "
            "and engines; one program in two versions may still hold the same fault"
        )
    if worst.unknown and not _known_ones_suffice(before, worst):
        yield f"make known what is not: {len(worst.unknown)} hosts count in every domain of that kind"


def _too_few_providers(before: Plan, finding: Finding, kind: DomainKind) -> Iterator[str]:
    model = before.topology.consensus.fault_model
    count, needed = len(PROVIDERS), quorum.domains_needed(model)
    yield (
        f"{count} providers cannot each hold less than a third of the power: the largest holds a third or more, and "
        f"its loss halts a {model} quorum, whatever the powers are"
    )
    yield f"accept it: {finding.id}.outcome: halts_safely; the venue stops, loses nothing and goes on when it is back"
    yield f"stand in a {needed}th {kind.replace('_', ' ')} too; diversite knows {', '.join(PROVIDERS)}"
    survey = Survey(before)
    most = max(survey.power_of(survey.membership.members(domain)) for domain in survey.membership.all(kind))
    placed = "as placed" if not quorum.is_lost(most, survey.total, "crash") else "if none of them holds half"
    yield f"a crash-fault consensus engine would go on, {placed}: it loses its quorum at half; CometBFT is byzantine"


def _known_ones_suffice(before: Plan, failure: Failure) -> bool:
    """Whether the domain halts the venue even without those of unknown domain."""
    survey = Survey(before)
    unknown = {item.member for item in survey.membership.unknown_of(failure.lost[0].kind)}
    stopped = left_standing(before, failure).loss.stopped - unknown
    return survey.standing(survey.loss((), stopped)).consensus != "continues"
