"""What a wire, a time-out, a replica and a measurement may be, at the edge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from diversite.geography import great_circle_km
from diversite.latency import Basis
from policies.declared import UNKNOWN
from policies.rules.latency import above_the_floor, evidence_good, minimum_distance, synchronous_replica, time_outs_fit
from policies.venue import Venue
from tests.policies import asked
from tests.policies.asked import blamed, said

TOKYO = "aws/ap-northeast-1/apne1-az1"


def measured(venue: Venue, *links: str, **changes: Any) -> Venue:
    """The same stack, with other round trips of some links in its plan."""
    same, plan = asked.without(venue), asked.plan_of(venue)
    other = {name: replace(plan.links[name], rtt=replace(plan.links[name].rtt, **changes)) for name in links}
    vars(same)["plan"] = replace(plan, links={**plan.links, **other})
    return same


@pytest.mark.parametrize(
    ("floor_ms", "delay_us", "passes"),
    [(6.4, 3199, True), (6.4, 3198, False), (6.401, 3200, True), (6.401, 3199, False), (6.4, 9000, True)],
)
def test_a_wire_may_be_a_microsecond_faster_than_light(floor_ms: float, delay_us: int, passes: bool) -> None:
    """Half of a round trip of 6.4 ms is 3200 us; rounding to whole microseconds may take one away, and no more."""
    wire = asked.changed(asked.right(), "par-nbg", delayMicroseconds=delay_us)
    assert (not said(above_the_floor, measured(wire, "par-nbg", floor_ms=floor_ms))) is passes


def test_a_wire_whose_delay_nobody_knows_hides_no_other() -> None:
    """What is not known is no finding; those after it are judged all the same."""
    wires = asked.changed(asked.right(), "aws-par-dub", delayMicroseconds=UNKNOWN)
    assert said(above_the_floor, wires) == []
    assert blamed(above_the_floor, asked.changed(wires, "dub-nbg", delayMicroseconds=1)) == ["dub-nbg"]


@pytest.mark.parametrize(
    ("propose", "says"),
    [
        ("210ms", []),
        ("211ms", []),
        ("100s", []),
        ("209ms", ["timeout_propose is 209 ms; the matrix needs 210 ms"]),
        ("0.02s", ["timeout_propose is 20 ms; the matrix needs 210 ms"]),
        ("2.5ms", ["timeout_propose is 2.5 ms; the matrix needs 210 ms"]),
    ],
)
def test_a_time_out_may_be_what_the_matrix_needs(propose: str, says: list[str]) -> None:
    """A longer one is slow, not wrong; seconds are read as seconds."""
    files = {"/config.toml": f'[consensus]\ntimeout_propose = "{propose}"\n'}
    assert said(time_outs_fit, asked.changed(asked.right(), "validator-par-cometbft", files=files)) == says


@pytest.mark.parametrize("site", ["dub", "par"])
def test_only_the_engine_that_is_far_from_all_others_is_found(site: str) -> None:
    """The nearest of the others counts, whatever the sites are called."""
    far = asked.tagged(asked.right(), *(host.name for host in asked.right().hosts() if host.site == site), at=TOKYO)
    assert blamed(synchronous_replica, far) == [f"engine-{site}"]


def test_a_replica_may_be_as_far_as_the_bound() -> None:
    """A round trip of exactly the most is near enough."""
    plan = asked.plan_of(asked.right())
    nearest_ms = [min(route.rtt_ms for (a, b), route in plan.routes.items() if site == a != b) for site in plan.sites]
    assert said(synchronous_replica, asked.right(), replica_rtt_ms_max=max(nearest_ms)) == []
    assert said(synchronous_replica, asked.right(), replica_rtt_ms_max=max(nearest_ms) - 0.01) != []


def test_an_engine_alone_has_no_replica() -> None:
    """Where there is no other engine none can follow."""
    alone = asked.without(asked.right(), "engine-dub", "engine-ldn", "engine-nbg")
    assert said(synchronous_replica, alone) == ["the next engine of engine-par is out of reach; 100 ms is the most"]


@pytest.mark.parametrize(
    ("basis", "old", "says"),
    [
        ("measured", False, []),
        ("same-metro", False, []),
        ("measured", True, ["the round trip is measured too long ago"]),
        ("same-metro", True, ["the round trip is measured too long ago"]),
        ("estimated", False, ["the round trip is estimated"]),
        ("estimated", True, ["the round trip is estimated"]),
    ],
)
def test_a_round_trip_is_good_that_was_measured_lately(basis: Basis, old: bool, says: list[str]) -> None:
    """An estimate is none, however new; a model of one metro is as good as a measurement."""
    links = asked.right().facts.links
    venue = measured(asked.right(), *links, basis="measured", old=False)
    assert said(evidence_good, measured(venue, "par-nbg", basis=basis, old=old)) == says


def test_validators_may_be_as_near_as_the_bound() -> None:
    """Paris and London are the nearest two of the venue, and exactly as far as that is far enough."""
    sites = asked.plan_of(asked.right()).sites
    here, there = ((it.place.latitude, it.place.longitude) for it in (sites["par"], sites["ldn"]))
    apart_km = great_circle_km(here, there)
    assert said(minimum_distance, asked.right(), metro_distance_km_min=apart_km) == []
    near = ["validator-ldn", "validator-par"]
    assert blamed(minimum_distance, asked.right(), metro_distance_km_min=apart_km + 1) == near


def test_any_two_places_are_compared() -> None:
    """Four places are six pairs."""
    assert len(said(minimum_distance, asked.right(), metro_distance_km_min=10_000)) == 6


def test_two_places_of_one_metro_are_not_too_near() -> None:
    """They count as one in every objective of metros; how near they are says nothing more."""
    near = asked.tagged(asked.right(), "validator-dub", at="aws/eu-west-3/euw3-az2")
    assert said(minimum_distance, near) == []
