"""What a loss does: against an oracle that enumerates, against what the lab measured, and in words."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diversite import stackfile
from diversite.domains import CUTTING, DESTROYING, FREEZING, KINDS, LYING, Domain, domains_of, parse
from diversite.outcome import CLASSES, Outcome, Row, predict
from diversite.plan import Plan, plan
from diversite.standing import Survey
from diversite.topology import Topology
from tests.support.venues import renamed, venue, venues

STACKS = Path(__file__).parents[2] / "stacks"


@pytest.fixture(scope="module")
def europe() -> Plan:
    """The flagship, planned."""
    return plan(stackfile.load(STACKS / "europe.yaml"))


def lose(planned: Plan, *names: str, down: tuple[str, ...] = ()) -> Outcome:
    """The outcome of losing what a person names."""
    return predict(planned, [parse(name, planned) for name in names], down=down)


# Against an oracle


@settings(max_examples=40, deadline=None)
@given(topology=venues(), data=st.data())
def test_the_outcome_is_what_a_plain_reading_of_the_rules_gives(topology: Topology, data: st.DataObject) -> None:
    """For any domains lost and hosts down, the venue's class equals that of an independent enumeration."""
    planned = plan(topology)
    domains = list(chain.from_iterable(domains_of(planned).all(kind) for kind in KINDS))
    lost = data.draw(st.lists(st.sampled_from(domains), max_size=3, unique=True))
    down = data.draw(st.sets(st.sampled_from(sorted(planned.hosts)), max_size=2))
    assert predict(planned, lost, down=down).outcome == _by_the_rules(planned, lost, down)


def _by_the_rules(planned: Plan, lost: list[Domain], down: set[str]) -> str:
    def members(kinds: frozenset[str]) -> set[str]:
        return set().union(*(domains_of(planned).members(domain) for domain in lost if domain.kind in kinds))

    stopped = members(frozenset(KINDS) - CUTTING - FREEZING) | down
    cut = members(frozenset(CUTTING))
    graph: networkx.Graph[str] = networkx.Graph()
    graph.add_nodes_from(planned.sites)
    for link in planned.links.values():
        if link.name not in cut and not {link.a.gateway, link.b.gateway} & stopped:
            graph.add_edge(*link.sites)
    total = sum(host.voting_power for host in planned.hosts.values())
    validators = planned.of_role("validator")
    for gone, limit in ((members(frozenset(DESTROYING)), 2 * total), (members(frozenset(LYING)), total - 1)):
        power = sum(host.voting_power for host in validators if {host.name, host.partner} & gone)
        if 3 * power > limit:
            return "could_lose_data"
    for part in networkx.connected_components(graph):
        up = (host for host in validators if host.site in part and not {host.name, host.partner} & stopped)
        entrances = [host for host in planned.of_role("entry") if host.site in part and host.name not in stopped]
        if 3 * sum(host.voting_power for host in up) > 2 * total:
            return "continues" if entrances else "halts_safely"
    return "halts_safely"


@settings(max_examples=30, deadline=None)
@given(topology=venues(), data=st.data())
def test_losing_more_never_helps(topology: Topology, data: st.DataObject) -> None:
    """Whatever else fails, the outcome is no better, and no more power or entrances are left."""
    planned = plan(topology)
    domains = list(chain.from_iterable(domains_of(planned).all(kind) for kind in KINDS))
    some = data.draw(st.lists(st.sampled_from(domains), max_size=2, unique=True))
    more = [*some, *data.draw(st.lists(st.sampled_from(domains), min_size=1, max_size=2, unique=True))]
    survey = Survey(planned)
    before, after = (survey.standing(survey.loss(lost)) for lost in (some, more))
    assert CLASSES.index(after.outcome) >= CLASSES.index(before.outcome)
    assert after.lost_power >= before.lost_power
    assert set(after.serving) <= set(before.serving)


@settings(max_examples=20, deadline=None)
@given(venues())
def test_renaming_changes_nothing(topology: Topology) -> None:
    """Names decide nothing: every single loss has the same outcome under other names, in the same order."""
    assert _outcomes(topology) == _outcomes(renamed(topology))


def _outcomes(topology: Topology) -> list[tuple[str, str, int]]:
    survey = Survey(plan(topology))
    kinds = (kind for kind in KINDS if kind not in ("link", "carrier"))
    standings = [
        (kind, survey.standing(survey.loss([domain]))) for kind in kinds for domain in survey.membership.all(kind)
    ]
    return [(kind, standing.outcome, standing.lost_power) for kind, standing in standings]


# Classes


@pytest.mark.parametrize(
    ("lost", "outcome"),
    [
        ("site:par", "continues"),
        ("metro:london", "continues"),
        ("carrier:transit-a", "continues"),
        ("provider:gcp", "continues"),
        ("provider:aws", "halts_safely"),
        ("release:cometbft-0-38-26", "could_lose_data"),
        ("release:haproxy", "halts_safely"),
        ("control-plane:gcp", "continues"),
    ],
)
def test_the_flagship_survives_what_it_should(lost: str, outcome: str, europe: Plan) -> None:
    """One loss of a kind, one class of outcome."""
    assert lose(europe, lost).outcome == outcome


def test_a_halt_loses_nothing_and_says_what_brings_it_back(europe: Plan) -> None:
    """Losing AWS halts the venue: no order is lost, and the missing power is named."""
    found = lose(europe, "provider:aws")
    assert (found.orders_lost, found.rto_seconds, found.latency) == (0, None, None)
    assert set(found.engines.values()) == {"halted", "stopped"}
    assert found.actions[0].startswith("bring back 9.5 % of the voting power, of dub, lon, par")
    assert lose(europe, "provider:aws", "synchronous-area:nordic").actions[0].startswith("bring back 38.1 %")
    assert found.resume_seconds is not None


def test_two_thirds_destroyed_may_take_acknowledged_orders_along() -> None:
    """Where a whole quorum's disks may be gone, any number of orders may be lost."""
    found = lose(plan(venue((1, 1, 1, 1), places=("aws/eu-west-3/euw3-az1",) * 4)), "metro:paris")
    assert (found.outcome, found.orders_lost) == ("could_lose_data", None)


def test_a_blackout_leaves_the_disks() -> None:
    """Losing the grid of every site halts the venue and destroys nothing."""
    found = lose(plan(venue((1, 1, 1, 1), places=("aws/eu-west-3/euw3-az1",) * 4)), "grid:rte")
    assert (found.outcome, found.orders_lost) == ("halts_safely", 0)


def test_a_lost_control_plane_stops_nothing_but_change(europe: Plan) -> None:
    """Running hosts run on; nobody can replace one there."""
    found = lose(europe, "control-plane:hetzner")
    assert (found.outcome, found.lost_power) == ("continues", 0)
    assert found.actions == ("nothing can be made, replaced or removed at hel, nbg until it is back",)


def test_consensus_without_an_entrance_is_a_halted_venue() -> None:
    """Blocks go on, but nobody can send an order."""
    found = lose(plan(venue(entrances=[0])), "host:entry-s0")
    assert (found.consensus, found.outcome) == ("continues", "halts_safely")
    assert "no entrance" in found.reason
    assert any(action.startswith("bring an entrance back") for action in found.actions)


# Declared, deployed, healthy


def test_what_is_not_deployed_counts_in_the_total_and_not_in_the_quorum(europe: Plan) -> None:
    """A venue of which two validators are not there yet stands one loss before the halt."""
    deployed = frozenset([*europe.hosts, *europe.links]) - {"validator-hel", "validator-sto"}
    paris = [parse("site:par", europe)]
    assert predict(europe, [], deployed=deployed).outcome == "continues"
    assert predict(europe, paris, deployed=deployed).outcome == "halts_safely"


def test_a_host_that_is_down_already_is_not_lost_twice(europe: Plan) -> None:
    """Losing the site of a host that was down takes no more power than the site has."""
    assert lose(europe, "site:par", down=("validator-par",)).lost_power == lose(europe, "site:par").lost_power


# Links and entrances


def test_traffic_takes_another_way_with_its_new_round_trip(europe: Plan) -> None:
    """Losing a carrier reroutes the pairs that it carried, over links that are left."""
    found = lose(europe, "carrier:transit-a")
    lost = {name for name, link in europe.links.items() if link.carrier == "transit-a"}
    assert set(found.links_lost) == lost
    pairs = {reroute.sites: reroute for reroute in found.reroutes}
    assert ("ldn", "lon") in pairs
    for reroute in found.reroutes:
        assert lost & set(reroute.before.links)
        assert reroute.after is not None
        assert reroute.after.avoids(lost)
        assert reroute.after.rtt_ms > reroute.before.rtt_ms


def test_clients_of_a_lost_entrance_take_longer_than_others(europe: Plan) -> None:
    """The lost entrance's clients must find another one first."""
    found = lose(europe, "site:par")
    lost, other = found.entrances["entry-par"], found.entrances["entry-lon"]
    assert (lost.serves, other.serves, other.engine_site) == (False, True, "lon")
    assert lost.rto_seconds is not None
    assert other.rto_seconds is not None
    assert lost.rto_seconds.high > other.rto_seconds.high


def test_an_entrance_goes_on_with_another_engine(europe: Plan) -> None:
    """If the engine beside an entrance dies, its orders go to the nearest that votes."""
    found = lose(europe, "host:engine-par")
    assert found.entrances["entry-par"].engine_site == "lon"
    assert found.entrances["entry-par"].rtt_ms == pytest.approx(2 * europe.one_way_ms["par", "lon"])


def test_monitors_at_two_sites_watch_each_other(europe: Plan) -> None:
    """If the site of one monitor fails, the other still sees all that is left."""
    watching = lose(europe, "site:dub").monitoring
    assert (watching.watching, watching.unseen_sites) == (("monitor-hel",), ())


# Time


@pytest.mark.parametrize("site", ["par", "dub", "lon", "ldn", "sto", "nbg", "hel"])
def test_a_lost_site_stalls_each_rotation_once(site: str, europe: Plan) -> None:
    """One dead proposer: the longest gap is about one propose and one precommit time-out and five hops."""
    found = lose(europe, f"site:{site}")
    timing = europe.timing
    assert found.gap_seconds is not None
    assert found.gap_seconds.low * 1000 >= timing.propose_ms + timing.precommit_ms
    assert found.gap_seconds.high < 1.2


def test_losing_an_entrance_alone_stalls_nothing(europe: Plan) -> None:
    """No proposer is missing, so the venue's own gap is that of a block."""
    found = lose(europe, "host:entry-par")
    assert found.recovery is not None
    assert [term.name for term in found.recovery.terms] == ["commit"]


def test_a_cut_that_a_quorum_needs_waits_for_detection() -> None:
    """Where every way breaks and backups take over, BFD and new routes come before the next block."""
    first = {name: link.model_copy(update={"carrier": "first"}) for name, link in venue().links.items()}
    backup = {"carrier": "second", "preference": 2}
    links = first | {f"{name}-b": link.model_copy(update=backup) for name, link in first.items()}
    planned = plan(venue(links=links))
    found = lose(planned, "carrier:first")
    assert found.recovery is not None
    names = [term.name for term in found.recovery.terms]
    assert names == ["link detection", "route convergence", "retransmission", "commit"]
    assert found.rto_seconds is not None
    assert found.rto_seconds.low * 1000 > planned.detection.bfd_ms / 2


def test_a_cut_that_gossip_gets_past_waits_for_nothing(europe: Plan) -> None:
    """Where a quorum still talks over untouched routes, a cut stalls no block (docs/measurements.md: none of six)."""
    found = lose(europe, "link:par-ldn")
    assert found.recovery is not None
    assert [term.name for term in found.recovery.terms] == ["commit"]


def test_every_term_has_its_source(europe: Plan) -> None:
    """A predicted time says where each of its parts comes from."""
    found = lose(europe, "site:par")
    assert found.recovery is not None
    terms = [*found.recovery.terms, *chain.from_iterable(found.recovery.entrances.values())]
    assert all(term.source and 0 <= term.ms.low <= term.ms.high for term in terms)


@settings(max_examples=20, deadline=None)
@given(topology=venues(), data=st.data())
def test_intervals_are_ordered_and_a_dead_proposer_slows_orders(topology: Topology, data: st.DataObject) -> None:
    """Low is never above high, p50 never above p99, and no loss makes the slowest orders faster."""
    planned = plan(topology)
    lost = data.draw(st.sampled_from(domains_of(planned).all("host")))
    found, whole = predict(planned, [lost]), predict(planned, [])
    for row in found.rows():
        assert 0 <= row.low <= row.high
    if found.latency and whole.latency and found.lost_power:
        assert found.latency.p50_ms <= found.latency.p99_ms
        assert found.latency.p99_ms.high >= whole.latency.p99_ms.low


def test_a_lost_site_costs_what_the_lab_measured(europe: Plan) -> None:
    """One dead of seven: p50 133 and p99 526 ms in docs/measurements.md, time-outs 250 and 120 ms; ours 240 and 120."""
    found = lose(europe, "site:par").latency
    assert found is not None
    assert found.p50_ms.low <= 140 <= found.p50_ms.high
    assert found.p99_ms.low <= 560 <= found.p99_ms.high


def test_rows_are_what_a_drill_measures(europe: Plan) -> None:
    """A loss that is survived and one that is not each have their own rows."""
    survived = [row.name for row in lose(europe, "site:par").rows()]
    halted = [row.name for row in lose(europe, "provider:aws").rows()]
    assert survived == ["rto_seconds", "gap_seconds", "p50_ms", "p99_ms", "orders_lost"]
    assert halted == ["resume_seconds", "orders_lost"]


# In words


@pytest.mark.parametrize(("measured", "inside"), [(0.9, False), (1.0, True), (1.5, True), (2.0, True), (2.1, False)])
def test_a_figure_at_the_end_of_an_interval_is_inside(measured: float, inside: bool) -> None:
    """What was predicted holds from its low end to its high end, both included."""
    assert Row(name="x", low=1.0, high=2.0).contains(measured) is inside


def test_every_engine_has_the_state_of_its_site(europe: Plan) -> None:
    """A lost engine is stopped, one in the minority cut off, the others serve; without a quorum those left halt."""
    assert lose(europe, "site:par").engines["engine-par"] == "stopped"
    assert lose(europe, "host:gateway-dub").engines["engine-dub"] == "cut off"
    assert lose(europe, "site:par").engines["engine-lon"] == "serves"
    halted = lose(europe, "provider:aws").engines
    assert (halted["engine-par"], halted["engine-nbg"]) == ("stopped", "halted")


def test_a_bad_release_is_named_as_the_reason(europe: Plan) -> None:
    """Where programs may lie, the one that does is named, whatever else is lost; where disks are gone, they are."""
    lying = lose(europe, "release:cometbft-0-38-26", "site:par", "metro:dublin").reason
    assert "a fault in cometbft-0-38-26 may make" in lying
    burnt = plan(venue((1, 1, 1, 1), places=("aws/eu-west-3/euw3-az1",) * 4))
    assert "a whole quorum is destroyed" in lose(burnt, "metro:paris").reason
    assert "a whole quorum is destroyed" in lose(burnt, "metro:paris", "release:haproxy").reason


def test_a_halt_is_not_told_as_a_danger(europe: Plan) -> None:
    """What halts safely loses nothing, and is not said to."""
    assert lose(europe, "provider:aws").reason.endswith("and a byzantine quorum is lost at 1 of 3")
    assert "quorum is lost only at" in lose(europe, "site:par").reason
    for lost in ("provider:aws", "site:par"):
        assert not any("entrance back" in action for action in lose(europe, lost).actions)


def test_a_signers_disk_is_told_and_no_others(europe: Plan) -> None:
    """Only who lost a validator must take care that two never sign."""
    told = "two signers break safety"
    assert any(told in action for action in lose(europe, "host:validator-par").actions)
    assert not any(told in action for action in lose(europe, "host:engine-par").actions)


def test_a_rerouted_pair_is_told_once(europe: Plan) -> None:
    """A way is the same in both directions."""
    pairs = [reroute.sites for reroute in lose(europe, "link:par-nbg").reroutes]
    assert pairs
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)


def test_the_last_unit_that_is_missing_is_not_told_as_nothing() -> None:
    """Where exactly a third is gone any of it mends the venue."""
    found = lose(plan(venue((1, 1, 1))), "host:validator-s0")
    assert found.actions[0] == "bring back any part of the voting power, of s0"
