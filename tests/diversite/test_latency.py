"""Round trips are intervals with evidence, above the fibre floor, and right for the reference venue."""

from __future__ import annotations

from itertools import combinations
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diversite.catalog import Place, catalog
from diversite.geography import fibre_floor_rtt_ms, great_circle_km
from diversite.latency import Rtt, rtt

PLACES = tuple(catalog().places.values())
VENUE = tuple(
    catalog().place(id_)
    for id_ in (
        "aws/eu-west-3/euw3-az1",
        "aws/eu-west-1/euw1-az1",
        "aws/eu-west-2/euw2-az1",
        "gcp/europe-west2/europe-west2-a",
        "gcp/europe-north2/europe-north2-a",
        "hetzner/eu-central/nbg1",
        "hetzner/eu-central/hel1",
    )
)
places = st.sampled_from(PLACES)


def between(a: str, b: str) -> Rtt:
    """The round trip between two places by id."""
    return rtt(catalog().place(a), catalog().place(b))


@given(places, places)
def test_a_round_trip_is_the_same_from_both_ends(a: Place, b: Place) -> None:
    """Symmetry holds for every pair of places."""
    assert rtt(a, b) == rtt(b, a)


@given(places, places)
@settings(max_examples=500)
def test_the_interval_is_ordered_above_the_floor(a: Place, b: Place) -> None:
    """The floor is at most low, low at most typical, typical at most high, and all say why."""
    found = rtt(a, b)
    assert 0 <= found.floor_ms <= found.low_ms <= found.typical_ms <= found.high_ms
    assert found.typical_ms > 0
    assert found.evidence
    assert set(found.sources) <= set(catalog().sources)
    assert (found.measured is None) == (found.basis != "measured")


@given(places, places)
def test_the_floor_is_light_in_common_fibre(a: Place, b: Place) -> None:
    """The floor that is shown is the great circle's."""
    distance_km = great_circle_km((a.latitude, a.longitude), (b.latitude, b.longitude))
    assert rtt(a, b).floor_ms == pytest.approx(fibre_floor_rtt_ms(distance_km), abs=1e-9)


def test_every_pair_of_regions_has_an_answer() -> None:
    """No pair of the catalogue's places lacks a round trip: each distance has its class."""
    one_a_region = {(place.region, place.metro): place for place in PLACES}
    assert all(rtt(a, b).typical_ms > 0 for a, b in combinations(one_a_region.values(), 2))


def test_two_machines_of_one_zone_are_half_a_millisecond_apart_at_most() -> None:
    """A place and itself are one site."""
    found = between("aws/eu-west-3/euw3-az1", "aws/eu-west-3/euw3-az1")
    assert found.basis == "same-site"
    assert found.high_ms <= 0.5


def test_two_zones_of_a_region_are_further_apart_than_one_zone() -> None:
    """Zones of a region are different sites."""
    found = between("aws/eu-west-3/euw3-az1", "aws/eu-west-3/euw3-az2")
    assert found.basis == "same-region"
    assert found.typical_ms > between("aws/eu-west-3/euw3-az1", "aws/eu-west-3/euw3-az1").typical_ms


def test_two_locations_of_a_hetzner_network_zone_are_not_one_region() -> None:
    """A network zone spans countries, so its locations are as far apart as their metros."""
    found = between("hetzner/eu-central/nbg1", "hetzner/eu-central/hel1")
    assert found.basis == "measured"
    assert found.typical_ms == pytest.approx(27.86)


def test_two_providers_of_a_metro_never_measured_are_still_near() -> None:
    """Same metro, no figure: the range that such pairs were seen to take."""
    found = between("aws/eu-north-1/eun1-az1", "gcp/europe-north2/europe-north2-a")
    assert found.basis == "same-metro"
    assert found.high_ms < 5


def test_a_circuit_within_a_metro_may_beat_what_was_measured_there() -> None:
    """Two providers of London were measured over public addresses, so the interval reaches down to a building's."""
    found = between("aws/eu-west-2/euw2-az1", "gcp/europe-west2/europe-west2-a")
    assert found.basis == "measured"
    assert found.low_ms < 1 < found.typical_ms < 5


def test_the_own_path_decides_before_another_providers() -> None:
    """Within one provider only the figures of that very pair of regions count."""
    aws, gcp = "aws/eu-west-2/euw2-az1", "gcp/europe-west2/europe-west2-a"
    own = between(aws, "aws/eu-central-1/euc1-az1")
    other = between(gcp, "aws/eu-central-1/euc1-az1")
    assert "eu-central-1 and eu-west-2" in own.evidence
    assert "metros" in other.evidence
    assert other.high_ms / other.typical_ms > own.high_ms / own.typical_ms


def test_a_pair_nobody_measured_says_so() -> None:
    """An estimate is an interval between multiples of the floor."""
    found = between("gcp/me-central1/me-central1-a", "gcp/us-west4/us-west4-a")
    assert found.basis == "estimated"
    assert found.measured is None
    assert "nobody measured" in found.evidence
    assert found.low_ms > found.floor_ms


def test_evidence_older_than_the_catalogue_allows_is_called_old() -> None:
    """An old figure is used and marked; a fresh one is not marked."""
    old = between("hetzner/eu-central/nbg1", "aws/eu-west-3/euw3-az1")
    fresh = between("aws/eu-west-2/euw2-az1", "aws/eu-west-3/euw3-az1")
    assert (old.old, old.measured) == (True, "2020-07-20")
    assert "old" in old.evidence
    assert (fresh.old, fresh.measured) == (False, "2025-05-29")


def test_the_reference_venue_has_a_quorum_within_23_ms() -> None:
    """With equal powers, a site hears from more than two thirds of seven within about 23 ms at the mean."""
    quorum_ms = [sorted(0.0 if a is b else rtt(a, b).typical_ms for b in VENUE)[4] for a in VENUE]
    assert mean(quorum_ms) == pytest.approx(23, abs=0.7)


def test_the_reference_venue_is_measured_throughout() -> None:
    """No link of the reference venue stands on an estimate."""
    assert {rtt(a, b).basis for a, b in combinations(VENUE, 2)} == {"measured"}


def test_no_figure_is_so_near_the_floor_that_it_needs_proof() -> None:
    """Below 1.08 times the floor, the best trading route, a figure would ask for evidence of its own."""
    ratios = {
        row.ends: row.lowest_ms / fibre_floor_rtt_ms(great_circle_km(*(catalog().coordinates(end) for end in row.ends)))
        for rows in catalog().measurements.values()
        for row in rows
        if great_circle_km(*(catalog().coordinates(end) for end in row.ends)) > 1
    }
    assert min(ratios.values()) >= 1.08
