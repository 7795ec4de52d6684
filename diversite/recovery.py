"""How long a venue takes to go on after a loss, and how it fares until it is whole again.

Every figure is an interval: the low end is what the wires and time-outs take alone, the high end adds detection that
begins late, processing and retries. Each term carries its source; the plan's own timers are read, never assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from diversite import consensus, quorum, rotation
from diversite.plan import Host, Plan
from diversite.processing import Interval
from diversite.standing import Standing, Survey

CONVERGENCE_MS = (100.0, 1_500.0)
"""From the detection of a dead link to routes that avoid it: BIRD gathers changes for up to a second, then the new
routes are flooded and computed; 0.4 to 1.4 s after BFD's 900 ms (docs/measurements.md, a silent cut)."""
BFD_EARLIEST = 0.75
"""BFD packets come up to a quarter earlier than the interval says (RFC 5880, section 6.8.7)."""
CLIENT_RETRY_MS = (0.0, 2_050.0)
"""How long a client waits for a silent entrance before it sends the order to the next: the load generator's patience
and its pause. A refusal or a reset moves it on at once."""
RESTART_SECONDS = (1.0, 6.0)
"""From the restart of missing hosts to the next block: 1.4 to 4.1 s (docs/measurements.md, three of seven)."""
HEAL_SECONDS = (1.0, 16.0)
"""From the end of a cut to the next block: up to 12.0 s, and 15.6 s to the head (docs/measurements.md): peers redial
every 5 to 8 s, and routes come back after OSPF's hello."""
LATENCY_TURNS_MAX = 512
"""How many heights of a rotation are looked at for the percentiles."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """One part of the time until orders are acknowledged again."""

    name: str
    ms: Interval
    source: str


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """What an order's acknowledgement takes, from sending to answer, at a constant rate."""

    p50_ms: Interval
    p99_ms: Interval


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """The time to go on after a loss that leaves a quorum."""

    terms: tuple[Term, ...]
    """Of consensus, which every order waits for."""
    entrances: Mapping[str, tuple[Term, ...]]
    """What comes on top at each entrance (host name); a lost entrance's is what its clients take to find another."""
    dead_in_a_row: int
    """The longest run of proposers that take no part."""

    @property
    def gap_seconds(self) -> Interval:
        """The longest time between two acknowledgements, the whole venue taken."""
        least = max((term.ms.low for term in self.terms), default=0.0)
        return Interval(least / 1000, self._best_entrance(self.terms))

    @property
    def rto_seconds(self) -> Interval:
        """From the failure to the first acknowledgement of an order sent after it, the whole venue taken."""
        needed = sum(term.ms.low for term in self.terms if term.name != PROPOSERS)
        return Interval(needed / 1000, self._best_entrance(self.terms))

    def rto_seconds_at(self, entrance: str) -> Interval:
        """The same for the clients of one entrance."""
        terms = (*self.terms, *self.entrances[entrance])
        return Interval(self.rto_seconds.low, sum(term.ms.high for term in terms) / 1000)

    def _best_entrance(self, terms: Sequence[Term]) -> float:
        extra = min((sum(term.ms.high for term in more) for more in self.entrances.values()), default=0.0)
        return (sum(term.ms.high for term in terms) + extra) / 1000


PROPOSERS = "proposer rounds"


Commits = Callable[[Survey, Standing], tuple[float, float]]
"""The least and the most that a commit takes, in milliseconds."""


def exact(survey: Survey, standing: Standing) -> tuple[float, float]:
    """What a commit takes."""
    return survey.commit_range_ms(standing)


def exact_most(survey: Survey, standing: Standing) -> tuple[float, float]:
    """For those who ask only for high ends: the least is taken as zero."""
    return survey.commit_range_ms(standing, most_only=True)


def three_hops(survey: Survey, standing: Standing) -> tuple[float, float]:
    """A bound that costs nothing: a proposal, a prevote and a precommit each take at most the longest hop."""
    return 0.0, 3 * survey.hop_ms(standing)


def recovery(survey: Survey, standing: Standing, commits: Commits = exact) -> Recovery:
    """The terms of the time to go on; only for a standing with a quorum."""
    dead = survey.power.keys() - standing.voting
    run = rotation.longest_run(survey.turns, dead)
    commit = _commit_term(survey, standing, commits)
    terms = (*_route_terms(survey, standing), *_proposer_terms(survey, standing, run), commit)
    stall_ms = sum(term.ms.high for term in terms)
    entrances = survey.plan.of_role("entry")
    return Recovery(
        terms=terms,
        entrances={host.name: tuple(_entrance_terms(survey, standing, host, stall_ms)) for host in entrances},
        dead_in_a_row=run,
    )


def resume_seconds(standing: Standing) -> Interval:
    """From the repair of what was lost to the next block."""
    low, high = HEAL_SECONDS if standing.loss.cut or len(standing.islands) > 1 else RESTART_SECONDS
    return Interval(low, high)


def settling_seconds(plan: Plan) -> float:
    """How long routes may go on moving after a link is lost; percentiles of a degraded venue are of the time after."""
    return (plan.detection.bfd_ms + CONVERGENCE_MS[1]) / 1000


def latency(survey: Survey, standing: Standing) -> Percentiles:
    """Percentiles of acknowledgement at a constant rate over all serving entrances, dead proposers' turns included."""
    processing = survey.plan.processing
    return Percentiles(
        p50_ms=_quantiles(survey, standing, 0.5, processing.block_ms),
        p99_ms=_quantiles(survey, standing, 0.99, processing.slow_block_ms),
    )


def nearest_engine(
    survey: Survey, standing: Standing, site: str, one_way: Mapping[tuple[str, str], float]
) -> tuple[str, float]:
    """The site of the nearest engine that can acknowledge, and the round trip to it in milliseconds."""
    sites = {survey.units[key].site for key in standing.voting}
    nearest = min(sites, key=lambda other: (one_way[site, other], other))
    return nearest, one_way[site, nearest] + one_way[nearest, site]


def _route_terms(survey: Survey, standing: Standing) -> Iterator[Term]:
    """Nothing where a quorum still talks over routes that the loss did not touch: votes are gossiped past a gap."""
    if _quorum_without_reroute(survey, standing):
        return
    detection = survey.plan.detection
    earliest = (detection.bfd_multiplier - 1) * detection.bfd_interval_ms * BFD_EARLIEST
    yield Term(
        name="link detection",
        ms=Interval(earliest, detection.bfd_ms),
        source=f"BFD of the plan, {detection.bfd_interval_ms} ms times {detection.bfd_multiplier}",
    )
    yield Term(name="route convergence", ms=Interval(*CONVERGENCE_MS), source="OSPF in BIRD, docs/measurements.md")
    outage = detection.bfd_ms + CONVERGENCE_MS[1]
    yield Term(name="retransmission", ms=Interval(0.0, outage), source="TCP doubles its wait, at most the outage again")


def _quorum_without_reroute(survey: Survey, standing: Standing) -> bool:
    lost, power = survey.unreachable(standing.loss), survey.voting_power(standing)
    if not lost:
        return True
    groups = {site: frozenset({site}) for site in power}
    for (a, b), route in survey.plan.routes.items():
        if a < b and a in groups and b in groups and groups[a] is not groups[b] and route.avoids(lost):
            joined = groups[a] | groups[b]
            groups |= dict.fromkeys(joined, joined)
    most = max(sum(power[site] for site in group) for group in groups.values())
    return quorum.holds(most, survey.total, survey.fault_model)


def _proposer_terms(survey: Survey, standing: Standing, run: int) -> Iterator[Term]:
    if run:
        low, high = _hops(survey, standing)
        timing = survey.plan.timing
        yield Term(
            name=PROPOSERS,
            ms=Interval(consensus.rounds_ms(timing, run, low), consensus.stall_ms(timing, run, high)),
            source=f"S({run}) of the plan's time-outs, propose {timing.propose_ms} and precommit "
            f"{timing.precommit_ms} ms",
        )


def _commit_term(survey: Survey, standing: Standing, commits: Commits) -> Term:
    least, most = commits(survey, standing)
    return Term(
        name="commit",
        ms=Interval(least, 2 * (most + survey.plan.processing.slow_block_ms.high) + survey.hop_ms(standing)),
        source="weighted quorums of one-way delays; at most the block under way, then the order's own",
    )


def _entrance_terms(survey: Survey, standing: Standing, entrance: Host, stall_ms: float) -> Iterator[Term]:
    check = survey.plan.health_check
    detection = f"health check of the plan, {check.fall} times {check.interval_ms} ms and {check.timeout_ms} ms"
    if entrance.name not in standing.serving:
        yield Term(name="client retry", ms=Interval(*CLIENT_RETRY_MS), source="the client's patience with an entrance")
        return
    unfit = _unfit_engines(survey, standing, entrance)
    if unfit:
        yield Term(name="health check", ms=Interval(0.0, check.detection_ms), source=detection)
    if unfit - standing.loss.stopped:
        yield Term(name="stale engine", ms=Interval(0.0, check.stall_ms), source="an engine is ready without blocks")
    if stall_ms > check.stall_ms:
        back = (check.rise + 1) * check.interval_ms
        yield Term(name="engines return", ms=Interval(0.0, back), source="all engines were unready during the stall")


def _unfit_engines(survey: Survey, standing: Standing, entrance: Host) -> frozenset[str]:
    """The nearest engines of an entrance that can no longer acknowledge."""
    one_way = survey.plan.one_way_ms
    engines = [host for host in survey.plan.of_role("engine") if (entrance.site, host.site) in one_way]
    nearest = min(one_way[entrance.site, host.site] for host in engines)
    fit = frozenset().union(*(survey.units[key].hosts for key in standing.voting))
    near = {host.name for host in engines if one_way[entrance.site, host.site] == nearest}
    return frozenset(near - fit)


def _hops(survey: Survey, standing: Standing) -> tuple[float, float]:
    """The shortest and the longest time that one hop of gossip takes, in milliseconds."""
    one_way = survey.one_way_ms(survey.unreachable(standing.loss))
    low = consensus.nearest_quorum_ms(one_way, survey.voting_power(standing), survey.total)
    processing = survey.plan.processing.hop_ms
    return low + processing.low, survey.hop_ms(standing) + processing.high


class _Wait(NamedTuple):
    """Orders that arrive evenly within `span_ms` and wait the longer the earlier they arrive."""

    least_ms: float
    span_ms: float


def _waits(survey: Survey, standing: Standing, hop_ms: float, block_ms: float) -> list[_Wait]:
    """How long orders wait over one rotation, where a hop takes so long and a block so much beside its wires."""
    one_way = survey.one_way_ms(survey.unreachable(standing.loss))
    blocks, length_ms = _blocks(survey, standing, hop_ms, block_ms)
    return [
        wait
        for entrance, extra_ms in _ways_in(survey, standing, one_way)
        for wait in _waits_at(entrance, extra_ms, blocks, length_ms, one_way)
    ]


class _Block(NamedTuple):
    proposer: str
    proposed_ms: float
    committed_ms: Mapping[str, float]


def _blocks(survey: Survey, standing: Standing, hop_ms: float, block_ms: float) -> tuple[list[_Block], float]:
    """The blocks of one rotation with their times, and how long the rotation takes, in milliseconds."""
    turns = survey.turns[:LATENCY_TURNS_MAX]
    runs = rotation.dead_runs(turns, survey.power.keys() - standing.voting)
    sites = [survey.units[turns[(turn + run) % len(turns)]].site for turn, run in enumerate(runs)]
    commits = survey.commits_ms(standing)
    now, blocks = 0.0, []
    for run, site, following in zip(runs, sites, [*sites[1:], sites[0]], strict=True):
        now += consensus.rounds_ms(survey.plan.timing, run, hop_ms)
        done = {at: now + when + block_ms for at, when in commits[site].items()}
        blocks.append(_Block(site, now, done))
        now = done[following]
    return blocks, now


def _ways_in(
    survey: Survey, standing: Standing, one_way: Mapping[tuple[str, str], float]
) -> Iterator[tuple[str, float]]:
    """For each serving entrance the site of its nearest voting engine, and the round trip to it."""
    for name in standing.serving:
        yield nearest_engine(survey, standing, survey.plan.hosts[name].site, one_way)


def _waits_at(
    engine: str, extra_ms: float, blocks: Sequence[_Block], length_ms: float, one_way: Mapping[tuple[str, str], float]
) -> Iterator[_Wait]:
    """An order makes the first block whose proposer it reaches in time; its wait ends when `engine` has the commit."""
    closing = [block.proposed_ms - one_way[engine, block.proposer] for block in blocks]
    latest = closing[-1] - length_ms
    for block, close in zip(blocks, closing, strict=True):
        if close > latest:
            yield _Wait(block.committed_ms[engine] - close + extra_ms, close - latest)
            latest = close


def _quantiles(survey: Survey, standing: Standing, quantile: float, block_ms: Interval) -> Interval:
    """The wait below which this share of all orders stays, at both ends."""
    hops = _hops(survey, standing)
    waits = [_waits(survey, standing, hop, block) for hop, block in zip(hops, block_ms, strict=True)]
    return Interval(*(_quantile(found, quantile * sum(wait.span_ms for wait in found)) for found in waits))


def _quantile(waits: Sequence[_Wait], orders: float) -> float:
    low, high = 0.0, max(wait.least_ms + wait.span_ms for wait in waits)
    for _ in range(40):
        middle = (low + high) / 2
        below = sum(min(max(middle - wait.least_ms, 0.0), wait.span_ms) for wait in waits)
        low, high = (middle, high) if below < orders else (low, middle)
    return high
