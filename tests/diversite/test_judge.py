"""The judge: every blocker at once, and the smallest change that removes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from diversite import stackfile
from diversite.domains import domains_of
from diversite.judge import Finding, Verdict, judge
from diversite.outcome import predict
from diversite.plan import Plan, plan
from diversite.topology import Bounds, Recovery, Site, Topology
from tests.support.venues import venue, venues

STACKS = Path(__file__).parents[2] / "stacks"


@pytest.fixture(scope="module")
def flagship() -> Topology:
    """The flagship's stack file."""
    return stackfile.load(STACKS / "europe.yaml")


@pytest.fixture(scope="module")
def europe(flagship: Topology) -> Plan:
    """The flagship, planned."""
    return plan(flagship)


def wishing(topology: Topology, *wishes: dict[str, str], bounds: Bounds | None = None) -> Topology:
    """The same venue with other objectives."""
    data = topology.model_dump(by_alias=True)
    return Topology.model_validate({**data, "survive": wishes, "bounds": bounds or Bounds()})


def verdict(topology: Topology) -> Verdict:
    """The verdict with remedies."""
    return judge(plan(topology))


def ids(verdict: Verdict) -> set[str]:
    """The ids of what is not met."""
    return {finding.id for finding in verdict.blockers}


# Objectives


def test_the_flagship_survives_all_that_it_names(europe: Plan) -> None:
    """Every `survive` objective of the flagship is met, and so are its network and its time-outs."""
    found = judge(europe)
    assert not [id_ for id_ in ids(found) if not id_.startswith("bounds.")]


@settings(max_examples=25, deadline=None)
@given(venues())
def test_an_objective_is_met_exactly_when_every_loss_is_survived(topology: Topology) -> None:
    """The verdict on `survive` equals trying every domain by hand, and each failing domain is told."""
    planned = plan(topology)
    found = judge(planned, remedies=False)
    for index, objective in enumerate(topology.survive):
        broken = set()
        for domain in domains_of(planned).all(objective.any):
            outcome = predict(planned, [domain])
            if outcome.outcome != "continues" or not outcome.monitoring.watching:
                broken.add(domain)
        finding = found.finding(f"survive[{index}]")
        assert finding.failure_count == len(broken)
        assert {failure.lost[0] for failure in finding.failures} <= broken
        assert finding.met == (not broken)


def test_every_blocker_is_told_at_once() -> None:
    """A venue with several faults gets all of them in one verdict."""
    bounds = Bounds(pair_rtt_ms_max=1, quorum_rtt_ms_max=1, recovery=Recovery(rto_seconds_max=0.1))
    wishes = ({"any": "site"}, {"any": "provider"}, {"any": "host"})
    topology = wishing(venue((1, 1, 1), monitors=[0]), *wishes, bounds=bounds)
    found = ids(judge(plan(topology), remedies=False))
    assert found >= {"survive[0]", "survive[1]", "survive[2]", "bounds.pair_rtt_ms_max", "bounds.quorum_rtt_ms_max"}


def test_a_blocker_says_what_breaks_it_and_by_how_much() -> None:
    """Three equal sites: losing any one takes a third of the power."""
    finding = judge(plan(venue((1, 1, 1))), remedies=False).finding("survive[0]")
    assert finding.path == ("survive", 0)
    assert finding.failure_count >= 1
    worst = finding.failures[0]
    assert (worst.cause, worst.found) == ("power", "halts_safely")
    assert "1 of 3 (33.3 %) of the power takes no part" in worst.says


def test_a_third_to_the_last_unit_is_not_told_as_nothing() -> None:
    """Where exactly a third is lost, the excess is one unit of power: that is said, and not `0.0 %`."""
    finding = verdict(venue((1, 1, 1))).finding("survive[0]")
    assert "1 of 3 (33.3 %) of the power takes no part, just what a byzantine quorum must not lose" in (
        finding.failures[-1].says
    )


def test_without_remedies_none_is_looked_for() -> None:
    """A caller who asks for none gets the findings alone."""
    found = judge(plan(venue((4, 1, 1, 1, 1))), remedies=False)
    assert found.blockers
    assert {finding.change for finding in found.blockers} == {None}


def test_a_finding_that_is_met_says_how_close_it_is(europe: Plan) -> None:
    """The margin names the worst case."""
    assert judge(europe).finding("survive[2]").margin == "at worst 2 of 7 (28.5 %) of the power is lost"


def test_maintenance_takes_one_more_host_away(flagship: Topology) -> None:
    """A site may be lost with any host down; two sites of one metro and a third host may not."""
    wishes = [{"any": kind, "outcome": "continues", "while": "maintenance"} for kind in ("site", "metro")]
    found = judge(plan(wishing(flagship, *wishes)), remedies=False)
    assert found.finding("survive[0]").met
    failure = found.finding("survive[1]").failures[0]
    assert str(failure.lost[0]) == "metro:london"
    assert len(failure.down) == 1


def test_a_single_monitor_blocks_the_loss_of_its_site() -> None:
    """A failure that nobody sees is not survived."""
    finding = judge(plan(venue(monitors=[2])), remedies=False).finding("survive[0]")
    assert [failure.cause for failure in finding.failures] == ["monitoring"]


def test_an_unknown_domain_is_told_as_the_reason(flagship: Topology) -> None:
    """Where nobody knows the processor, the verdict says that this is why, not a known overlap."""
    finding = verdict(wishing(flagship, {"any": "hardware"})).finding("survive[0]")
    assert any("does not say which processor a ccx23 has" in reason for reason in finding.failures[0].unknown)
    assert any("make known what is not" in way for way in finding.ways_out)


def test_the_coefficients_of_the_flagship_are_known(europe: Plan) -> None:
    """One provider, two metros or three sites halt it."""
    found = judge(europe).coefficients
    assert (found["provider"], found["metro"], found["site"]) == (1, 2, 3)


# What arithmetic forbids


def test_three_providers_and_byzantine_consensus_is_told_with_its_ways_out(flagship: Topology) -> None:
    """No split of power over three providers survives the largest: accept the halt, add one, or change the engine."""
    finding = verdict(wishing(flagship, {"any": "provider"})).finding("survive[0]")
    said = "\n".join(finding.ways_out)
    assert "3 providers cannot each hold less than a third" in said
    assert "survive[0].outcome: halts_safely" in said
    assert "4th provider" in said
    assert "crash-fault" in said
    assert finding.change is not None
    assert finding.change.loosens


def test_halting_safely_is_a_wish_that_three_providers_fulfil(flagship: Topology) -> None:
    """With the outcome that arithmetic allows, the objective is met."""
    found = verdict(wishing(flagship, {"any": "provider", "outcome": "halts_safely"})).finding("survive[0]")
    assert found.met
    assert found.wish == "the venue at worst halts safely when any one provider is lost"


# Network and time


def test_a_single_carrier_may_not_cut_a_site_off() -> None:
    """A site whose ways all belong to one carrier is cut off with it."""
    links = {
        name: link.model_copy(update={"carrier": "only"}) if "s3" in link.ends else link
        for name, link in venue().links.items()
    }
    finding = judge(plan(venue(links=links)), remedies=False).finding("links")
    assert [str(failure.lost[0]) for failure in finding.failures] == ["carrier:only"]
    assert "cuts s3 off" in finding.failures[0].says


def test_a_shared_duct_may_not_cut_a_site_off() -> None:
    """Two carriers in one duct are one way."""
    links = {
        name: link.model_copy(update={"duct": "bridge"}) if "s3" in link.ends else link
        for name, link in venue().links.items()
    }
    finding = judge(plan(venue(links=links)), remedies=False).finding("links")
    assert [str(failure.lost[0]) for failure in finding.failures] == ["carrier:duct bridge"]


def test_a_chain_has_no_two_disjoint_ways() -> None:
    """Each link and each middle site of a chain cuts it."""
    chain = {name: link for name, link in venue().links.items() if name in ("l0", "l3", "l5")}
    finding = judge(plan(venue(links=chain)), remedies=False).finding("links")
    kinds = [failure.lost[0].kind for failure in finding.failures]
    assert (kinds.count("link"), kinds.count("site")) == (3, 2)


def test_two_links_that_together_halt_the_venue_are_noted() -> None:
    """A ring survives one cut; which two halt it is told."""
    ring = {name: link for name, link in venue().links.items() if name in ("l0", "l3", "l5", "l2")}
    notes = judge(plan(venue(links=ring)), remedies=False).notes
    assert any("together cut" in note and "halts" in note for note in notes)


def test_a_loss_counts_for_the_quorum_bound_only_where_an_objective_names_it(flagship: Topology) -> None:
    """The bound after a loss follows the objectives: fewer named losses, a smaller worst case."""
    bounds = Bounds(quorum_rtt_after_loss_ms_max=1)
    few = judge(plan(wishing(flagship, {"any": "site"}, bounds=bounds)), remedies=False)
    more = judge(plan(wishing(flagship, {"any": "site"}, {"any": "metro"}, bounds=bounds)), remedies=False)
    after = "bounds.quorum_rtt_after_loss_ms_max"
    assert more.finding(after).failures[0].excess >= few.finding(after).failures[0].excess


def test_time_outs_of_the_flagship_hold_after_every_named_loss(europe: Plan) -> None:
    """A proposal reaches a quorum in time over the routes that each loss leaves."""
    assert judge(europe).finding("time-outs").met


# Remedies


@settings(max_examples=12, deadline=None)
@given(venues(sites_min=4))
def test_the_change_that_is_proposed_removes_its_blocker_and_makes_no_other(topology: Topology) -> None:
    """Judging the changed stack file finds the objective met, and nothing unmet that was met before."""
    before = verdict(topology)
    for finding in before.blockers:
        if finding.change:
            after = judge(plan(finding.change.topology), remedies=False)
            assert after.finding(finding.id).met
            assert ids(after) < ids(before)


def test_uneven_power_is_evened() -> None:
    """If one site holds too much, the smallest change is its power."""
    finding = verdict(venue((4, 1, 1, 1, 1))).finding("survive[0]")
    assert _change(finding).startswith("set validators.s0.power to 1 (it is 4)")


def test_a_missing_entrance_is_added() -> None:
    """If the only entrance is lost, another one is proposed elsewhere."""
    assert _change(verdict(venue(entrances=[0])).finding("survive[0]")).startswith("add order_entry.s1:")


def test_a_missing_monitor_is_added() -> None:
    """If the only monitor is lost, another one is proposed elsewhere."""
    assert _change(verdict(venue(monitors=[0])).finding("survive[0]")).startswith("add monitoring.s1:")


def test_a_site_that_hangs_on_one_link_gets_another() -> None:
    """If a link cuts a site off, another link by another carrier is proposed."""
    links = {name: link for name, link in venue().links.items() if name not in ("l2", "l4")}
    finding = verdict(venue(links=links)).finding("links")
    assert _change(finding).startswith("add links.")
    assert "s3" in _change(finding)


def test_two_sites_in_one_metro_are_parted(flagship: Topology) -> None:
    """If one of three sites of a metro moves, the metro no longer halts the venue."""
    sites = {**flagship.sites, "dub": Site(at="aws/eu-west-2/euw2-az2")}
    moved = wishing(flagship.model_copy(update={"sites": sites}), {"any": "metro"})
    finding = verdict(moved).finding("survive[0]")
    assert not finding.met
    assert finding.change is not None
    assert not finding.change.loosens


def test_a_bound_that_nothing_meets_is_raised_as_far_as_needed(flagship: Topology) -> None:
    """If no link shortens the way, the bound that holds is told, and that the wish is given up."""
    finding = verdict(wishing(flagship, {"any": "site"}, bounds=Bounds(pair_rtt_ms_max=30))).finding(
        "bounds.pair_rtt_ms_max"
    )
    assert finding.change is not None
    assert finding.change.loosens
    assert finding.change.says.startswith("raise bounds.pair_rtt_ms_max to ")


def _change(finding: Finding) -> str:
    assert finding.change is not None
    return finding.change.says
