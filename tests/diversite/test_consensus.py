"""The time of consensus: quorums of weighted delays, the order limit, time-outs and stalls."""

from __future__ import annotations

import math
from itertools import combinations
from statistics import fmean, median

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from diversite import consensus
from diversite.consensus import Timing

DEFAULTS = Timing(
    propose_ms=3000,
    propose_delta_ms=500,
    prevote_ms=1000,
    prevote_delta_ms=500,
    precommit_ms=1000,
    precommit_delta_ms=500,
    hop_ms_max=0.0,
)
"""CometBFT's own time-outs, on wires without delay."""

Matrix = dict[tuple[str, str], float]


@st.composite
def matrices(draw: st.DrawFn) -> tuple[Matrix, dict[str, int]]:
    """Symmetric one-way delays among two to five sites, and their power."""
    sites = "abcde"[: draw(st.integers(2, 5))]
    delay = {(a, a): 0.1 for a in sites}
    for a, b in combinations(sites, 2):
        delay[a, b] = delay[b, a] = draw(st.integers(1, 80)) / 2
    return delay, {site: draw(st.integers(1, 5)) for site in sites}


@pytest.mark.parametrize(("dead", "seconds"), [(0, 0), (1, 4), (2, 9), (3, 15)])
def test_at_the_defaults_dead_proposers_stall_for_4_9_and_15_seconds(dead: int, seconds: int) -> None:
    """S(k) of the design page, at CometBFT's defaults and without delay."""
    assert consensus.stall_ms(DEFAULTS, dead) == seconds * 1000


def test_each_dead_proposer_adds_its_round_and_two_hops() -> None:
    """S(2) is two rounds with two hops each, and three hops for the round that succeeds."""
    timing = Timing(
        propose_ms=240,
        propose_delta_ms=100,
        prevote_ms=120,
        prevote_delta_ms=50,
        precommit_ms=120,
        precommit_delta_ms=50,
        hop_ms_max=20.0,
    )
    assert consensus.stall_ms(timing, 2) == (240 + 120 + 40) + (340 + 170 + 40) + 60


@given(matrices())
def test_a_commit_comes_when_messages_passed_one_by_one_say_so(case: tuple[Matrix, dict[str, int]]) -> None:
    """The exact commit time equals that of passing each vote as an event."""
    delay, power = case
    for proposer in power:
        assert consensus.commit_ms(delay, power, proposer) == pytest.approx(_by_events(delay, power, proposer))


@given(matrices(), st.integers(0, 3))
def test_the_range_of_commits_is_that_of_all_of_them(case: tuple[Matrix, dict[str, int]], missing: int) -> None:
    """What is passed over is inside the range, and three longest hops are never less than the most."""
    delay, power = case
    total = sum(power.values()) + missing
    assume(3 * sum(power.values()) > 2 * total)
    commits = [when for found in consensus.commits_ms(delay, power, power, total).values() for when in found.values()]
    least, most = consensus.commit_range_ms(delay, power, total)
    assert (least, most) == pytest.approx((min(commits), max(commits)))
    assert consensus.commit_range_ms(delay, power, total, most_only=True)[1] == pytest.approx(most)
    assert most <= 3 * max(delay.values())


@given(matrices())
def test_the_round_trips_of_all_sites_are_those_of_each(case: tuple[Matrix, dict[str, int]]) -> None:
    """Together they are what each is alone, and the nearest quorum is half the shortest of them."""
    delay, power = case
    found = consensus.quorum_rtts_ms(delay, power, sum(power.values()))
    assert found == {site: consensus.quorum_rtt_ms(delay, power, site) for site in power}
    assert consensus.nearest_quorum_ms(delay, power, sum(power.values())) == min(found.values()) / 2


def _by_events(delay: Matrix, power: dict[str, int], proposer: str) -> dict[str, float]:
    total = sum(power.values())
    events = [(delay[proposer, site], "proposal", site, site) for site in power]
    heard: dict[tuple[str, str], int] = {}
    said: dict[tuple[str, str], float] = {}
    while events:
        events.sort()
        now, what, sender, site = events.pop(0)
        if what == "proposal":
            events += [(now + delay[site, other], "prevote", site, other) for other in power]
            continue
        heard[what, site] = heard.get((what, site), 0) + power[sender]
        if 3 * heard[what, site] > 2 * total and (what, site) not in said:
            said[what, site] = now
            if what == "prevote":
                events += [(now + delay[site, other], "precommit", site, other) for other in power]
    return {site: said["precommit", site] for site in power}


@given(matrices())
def test_losing_a_site_never_makes_a_commit_faster(case: tuple[Matrix, dict[str, int]]) -> None:
    """With less power up a quorum is farther, or never there."""
    delay, power = case
    total, lost = sum(power.values()), next(iter(power))
    left = {site: share for site, share in power.items() if site != lost}
    for proposer in left:
        before = consensus.commit_ms(delay, power, proposer, total)
        after = consensus.commit_ms(delay, left, proposer, total)
        assert all(after[site] >= before[site] for site in left)


@given(matrices())
def test_without_a_quorum_nothing_is_committed(case: tuple[Matrix, dict[str, int]]) -> None:
    """Where a third of the power is missing, the commit never comes."""
    delay, power = case
    total = sum(power.values())
    assert set(consensus.commit_ms(delay, power, "a", 2 * total).values()) == {math.inf}


@given(matrices())
def test_a_quorum_is_as_far_as_the_nearest_enough_power(case: tuple[Matrix, dict[str, int]]) -> None:
    """The quorum round trip equals the best over every set of sites that is a quorum."""
    delay, power = case
    total = sum(power.values())
    for site in power:
        sets = (chosen for count in range(1, 6) for chosen in combinations(power, count))
        quorums = [chosen for chosen in sets if 3 * sum(power[one] for one in chosen) > 2 * total]
        best = min(max(2 * delay[site, one] for one in chosen) for chosen in quorums)
        assert consensus.quorum_rtt_ms(delay, power, site) == pytest.approx(best)


@given(matrices(), st.data())
def test_the_order_limit_is_the_formula_of_the_design_page(
    case: tuple[Matrix, dict[str, int]], data: st.DataObject
) -> None:
    """L: the median of d(e,p) + C(p,e), plus half the mean of C(p, next proposer)."""
    delay, power = case
    turns = data.draw(st.permutations(sorted(power)))
    entrances = data.draw(st.lists(st.sampled_from(sorted(power)), min_size=1, max_size=3))
    commits = {p: consensus.commit_ms(delay, power, p) for p in power}
    ways = median(delay[e, p] + commits[p][e] for e in entrances for p in turns)
    after = fmean(commits[p][turns[(at + 1) % len(turns)]] for at, p in enumerate(turns))
    assert consensus.order_limit_ms(delay, power, entrances, turns) == pytest.approx(ways + after / 2)


@given(matrices())
def test_the_time_outs_of_a_plan_fit_its_own_matrix(case: tuple[Matrix, dict[str, int]]) -> None:
    """A proposal reaches a quorum before it gives up, whoever proposed before."""
    delay, power = case
    commits = consensus.commits_ms(delay, power, power)
    needed = consensus.propose_needed_ms(delay, power, commits, sum(power.values()))
    assert max(needed.values()) <= consensus.timing(delay, power).propose_ms
