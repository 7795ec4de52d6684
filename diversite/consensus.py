"""The time of consensus over a latency matrix: one commit, the order limit, time-outs, and stalls.

All functions work on sites, not nodes: validators of one site hear and speak at the same time, so their power adds up.
`OneWay` maps (site, site) to the one-way delay in milliseconds; `Power` maps a site to the voting power that stands
there. A Byzantine quorum is more than two thirds of the whole power.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import add, sub
from statistics import fmean, median

OneWay = Mapping[tuple[str, str], float]
Power = Mapping[str, int]

PROCESSING_MS = 150.0
"""What making, gossiping and checking a proposal takes beside the wire: nearly twice the p50 of an order, 81 ms, of
seven nodes with every wire at zero (docs/measurements.md)."""
ROUNDING_MS = 10


@dataclass(frozen=True, kw_only=True)
class Timing:
    """CometBFT's time-outs, in milliseconds, and its gossip pace."""

    propose_ms: int
    propose_delta_ms: int
    prevote_ms: int
    prevote_delta_ms: int
    precommit_ms: int
    precommit_delta_ms: int
    commit_ms: int = 0
    empty_blocks_interval_ms: int = 1000
    gossip_sleep_ms: int = 2
    flush_throttle_ms: int = 1
    hop_ms_max: float
    """The longest one-way delay between two validators, from which the rest follows."""


def timing(one_way: OneWay, power: Power) -> Timing:
    """Time-outs from the latency matrix.

    A proposal must reach the farthest validator although that one entered the height last: two hops of skew and two for
    the proposal, and the processing. Votes need one hop of skew and one for the vote.
    """
    hop = max((one_way[a, b] for a in power for b in power), default=0.0)
    votes = _round_up(2 * hop + PROCESSING_MS / 2)
    return Timing(
        propose_ms=_round_up(4 * hop + PROCESSING_MS),
        propose_delta_ms=100,
        prevote_ms=votes,
        prevote_delta_ms=50,
        precommit_ms=votes,
        precommit_delta_ms=50,
        hop_ms_max=hop,
    )


def quorum_arrival_ms(arrivals: Iterable[tuple[float, int]], total: int) -> float:
    """When more than two thirds of `total` have arrived; infinite where they never do."""
    when, shares = zip(*arrivals, strict=True)
    return _heard_ms(when, shares, total)


def quorum_rtt_ms(one_way: OneWay, power: Power, site: str, total: int | None = None) -> float:
    """The round trip within which a site hears from a quorum, itself included.

    `power` holds who is up; `total` is the power of the whole set (default: all are up).
    """
    whole = sum(power.values()) if total is None else total
    return quorum_arrival_ms(
        ((one_way[site, other] + one_way[other, site], share) for other, share in power.items()), whole
    )


def quorum_rtts_ms(one_way: OneWay, power: Power, total: int) -> dict[str, float]:
    """The same for every site that has power."""
    shares = tuple(power.values())
    return {
        site: _heard_ms([one_way[site, other] + one_way[other, site] for other in power], shares, total)
        for site in power
    }


def nearest_quorum_ms(one_way: OneWay, power: Power, total: int) -> float:
    """The shortest one-way time in which any site hears a quorum."""
    shares = tuple(power.values())
    return min(_heard_ms([one_way[other, site] for other in power], shares, total) for site in power)


def commit_ms(one_way: OneWay, power: Power, proposer: str, total: int | None = None) -> dict[str, float]:
    """When each validator site has the commit of a proposal that left `proposer` at zero.

    A site prevotes when the proposal is there, precommits at a quorum of prevotes, has the commit at a quorum of
    precommits. No processing time: the exact limit of the placement.
    """
    return commits_ms(one_way, power, (proposer,), total)[proposer]


def commits_ms(
    one_way: OneWay, power: Power, proposers: Iterable[str], total: int | None = None
) -> dict[str, dict[str, float]]:
    """The same for several proposers' sites."""
    next_phase = _phases(one_way, power, total)
    found = {}
    for proposer in proposers:
        locked = next_phase([one_way[proposer, site] for site in power])
        found[proposer] = dict(zip(power, next_phase(locked), strict=True))
    return found


def commit_range_ms(
    one_way: OneWay, power: Power, total: int | None = None, *, most_only: bool = False
) -> tuple[float, float]:
    """The least and the most of `commits_ms` over all proposers and sites; with `most_only` zero in place of the least.

    Not every proposer is tried: where each site has the proposal of one at most x later than that of another, it has
    the commit at most x later, too. Far proposers are tried first, then those that could still be outside the range.
    """
    next_phase, names = _phases(one_way, power, total), tuple(power)
    ways_from = {proposer: [one_way[proposer, site] for site in names] for proposer in names}
    least, most = 0.0 if most_only else math.inf, -math.inf
    farthest_first = sorted(names, key=lambda name: -sum(ways_from[name]))
    bounds = dict.fromkeys(farthest_first, (0.0 if most_only else -math.inf, math.inf))
    while bounds:
        proposer = max(bounds, key=lambda name: max(bounds[name][1] - most, least - bounds[name][0]))
        low, high = bounds.pop(proposer)
        if low >= least and high <= most:
            break
        found = next_phase(next_phase(ways_from[proposer]))
        earliest, latest = min(found), max(found)
        least, most = min(least, earliest), max(most, latest)
        for other, (low, high) in bounds.items():
            later = list(map(sub, ways_from[other], ways_from[proposer]))
            bounds[other] = max(low, earliest + min(later)), min(high, latest + max(later))
    return least, most


def _phases(one_way: OneWay, power: Power, total: int | None) -> Callable[[Sequence[float]], list[float]]:
    """From when each site of `power` spoke to when each has heard a quorum."""
    whole, shares = sum(power.values()) if total is None else total, tuple(power.values())
    ways_to = [[one_way[other, site] for other in power] for site in power]
    return lambda spoke: [_heard_ms(list(map(add, spoke, ways)), shares, whole) for ways in ways_to]


def order_limit_ms(one_way: OneWay, power: Power, entrances: Sequence[str], rotation: Sequence[str]) -> float:
    """L: what an order's acknowledgement takes at the median if nothing but the wire took time.

    The median over entrance e and proposer p of d(e, p) + C(p, e), plus half the mean of C(p, next proposer): an order
    waits on average half a block for its turn. `entrances` and `rotation` are validator sites.
    """
    commits = commits_ms(one_way, power, set(rotation))
    ways = [one_way[entrance, p] + commits[p][entrance] for entrance in entrances for p in rotation]
    following = [*rotation[1:], rotation[0]]
    return median(ways) + fmean(commits[p][after] for p, after in zip(rotation, following, strict=True)) / 2


def rounds_ms(timing: Timing, dead_in_a_row: int, hop_ms: float) -> float:
    """How long the rounds of `dead_in_a_row` dead proposers last, before a living one can propose.

    Σ over rounds r < k of (propose + r·Δpropose) + (precommit + r·Δprecommit) + 2 hops. Nil prevotes of all lead
    straight to precommit; its wait is added, prevote's only where prevotes split.
    """
    return sum(
        timing.propose_ms
        + r * timing.propose_delta_ms
        + timing.precommit_ms
        + r * timing.precommit_delta_ms
        + 2 * hop_ms
        for r in range(dead_in_a_row)
    )


def stall_ms(timing: Timing, dead_in_a_row: int, hop_ms: float | None = None) -> float:
    """S(k): how long one height stands still when the next k proposers in a row are dead.

    Their rounds, plus 3 hops for the round that succeeds. A hop is the longest one of the plan, unless given.
    """
    hop = timing.hop_ms_max if hop_ms is None else hop_ms
    return rounds_ms(timing, dead_in_a_row, hop) + 3 * hop if dead_in_a_row else 0.0


def propose_needed_ms(
    one_way: OneWay, power: Power, commits: Mapping[str, Mapping[str, float]], total: int
) -> dict[str, float]:
    """For each proposer's site a propose time-out with which a quorum prevotes for its proposals.

    A voter begins to wait when it has the commit before, the proposer when it has it itself; then the proposal is made
    and travels. For each voter the worst previous proposer is taken; `commits` is `commits_ms` of all sites. Infinite
    where those who are up are no quorum.
    """
    needed = {}
    for proposer in power:
        arrivals = (
            (one_way[proposer, site] + max(had[proposer] - had[site] for had in commits.values()), share)
            for site, share in power.items()
        )
        needed[proposer] = PROCESSING_MS + quorum_arrival_ms(arrivals, total)
    return needed


def _heard_ms(when: Sequence[float], shares: Sequence[int], total: int) -> float:
    """`quorum_arrival_ms` of times and powers that come apart: this is where the judge spends its time."""
    missing = 2 * total // 3  # more than two thirds have arrived when less than nothing of this is missing
    for place in sorted(range(len(when)), key=when.__getitem__):
        missing -= shares[place]
        if missing < 0:
            return when[place]
    return math.inf


def _round_up(value_ms: float) -> int:
    return math.ceil(value_ms / ROUNDING_MS) * ROUNDING_MS
