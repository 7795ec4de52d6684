"""No fact about a place is missing, contradictory or expired."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

import pytest

from diversite.catalog import Place, catalog
from diversite.geography import great_circle_km

PLACES = tuple(catalog().places.values())
every_place = pytest.mark.parametrize("place", PLACES, ids=lambda place: place.id)

CROSS_BORDER_AREAS = {
    "continental-europe", "nordic", "eastern-interconnection", "western-interconnection", "gcc-interconnection",
    "southern-african-power-pool", "peninsular-malaysia-and-singapore",
}  # fmt: skip


@every_place
def test_a_place_is_whole(place: Place) -> None:
    """Each place has an id of its parts, a town, a country, coordinates and sources of the register."""
    assert place.id == f"{place.provider}/{place.region}/{place.zone}"
    assert place.city
    assert len(place.country) == 2
    assert place.country.isupper()
    assert -90 <= place.latitude <= 90
    assert -180 <= place.longitude <= 180
    assert place.sources
    assert set(place.sources) <= set(catalog().sources)


@every_place
def test_a_zone_is_named_after_its_region(place: Place) -> None:
    """A zone copied under another region would be seen: providers derive zone names from the region's."""
    if place.provider == "gcp":
        assert place.zone.startswith(f"{place.region}-")
    if place.provider == "aws":
        siblings = catalog().regions["aws", place.region].zones
        assert {zone.rsplit("-az", 1)[0] for zone in siblings} == {place.zone.rsplit("-az", 1)[0]}
        assert place.partition == "aws"


@every_place
def test_a_grid_says_how_sure_it_is(place: Place) -> None:
    """A grid has an area of each kind, and several candidates only where sources or feeders differ."""
    grid = place.grid
    assert grid.local_grid
    assert grid.synchronous_area
    assert grid.control_areas
    assert grid.sources
    assert set(grid.sources) <= set(catalog().sources)
    assert grid.confidence != "missing"
    assert (len(grid.control_areas) > 1) == (grid.confidence in {"conflict", "metro"})


@every_place
def test_a_grid_that_is_documented_has_a_source_beside_the_map(place: Place) -> None:
    """Only the confidence `zone` may rest on the map of electricity zones alone."""
    if place.grid.confidence != "zone":
        assert set(place.grid.sources) - {"electricitymaps"}


@every_place
def test_the_facts_of_a_place_have_not_expired(place: Place) -> None:
    """No fact is older than its class allows on the day of the catalogue's review."""
    ages = catalog().maximum_age_days
    assert max(map(catalog().age_days, place.sources)) <= ages["place"]
    assert max(map(catalog().age_days, place.grid.sources)) <= ages["power"]


def test_places_of_a_metro_stand_together() -> None:
    """A place given the wrong metro would lie far from the others of it."""
    metros: dict[str, list[Place]] = defaultdict(list)
    for place in PLACES:
        metros[place.metro].append(place)
    for metro, members in metros.items():
        town = (catalog().metros[metro].latitude or 0.0, catalog().metros[metro].longitude or 0.0)
        assert all(great_circle_km(town, (place.latitude, place.longitude)) < 60 for place in members), metro


def test_two_metros_are_not_one_town() -> None:
    """Places of one town are not split over two metros, which would hide that they fall together."""
    used = {place.metro for place in PLACES}
    towns = {id_: (m.latitude or 0.0, m.longitude or 0.0) for id_, m in catalog().metros.items() if id_ in used}
    near = {frozenset(pair) for pair in combinations(towns, 2) if great_circle_km(towns[pair[0]], towns[pair[1]]) < 40}
    assert not near


def test_a_local_grid_is_in_one_metro_or_one_utility() -> None:
    """A local grid reaches no further than a utility's territory."""
    grids: dict[str | None, list[Place]] = defaultdict(list)
    for place in PLACES:
        grids[place.grid.local_grid].append(place)
    for members in grids.values():
        assert len({place.country for place in members}) == 1
        assert len({place.grid for place in members}) == 1


def test_a_synchronous_area_crosses_borders_only_where_it_is_known_to() -> None:
    """A synchronous area typed under the wrong country would be seen."""
    countries: dict[str | None, set[str]] = defaultdict(set)
    for place in PLACES:
        countries[place.grid.synchronous_area].add(place.country)
    assert {area for area, members in countries.items() if len(members) > 1} <= CROSS_BORDER_AREAS


def test_every_region_is_there() -> None:
    """109 AZ IDs, 130 Google zones and six Hetzner locations, of 41, 45 and 4 regions, announced ones among them."""
    counts = {p: sum(place.provider == p for place in PLACES) for p in ("aws", "gcp", "hetzner")}
    assert counts == {"aws": 109, "gcp": 130, "hetzner": 6}
    regions = [provider for provider, _ in catalog().regions]
    assert (regions.count("aws"), regions.count("gcp"), regions.count("hetzner")) == (41, 45, 4)


def test_a_region_without_zones_says_why() -> None:
    """Silence about a region that cannot be used would look like an omission."""
    assert all(region.notes for region in catalog().regions.values() if not region.zones)


def test_the_well_known_power_domains_are_as_published() -> None:
    """Northern Virginia is one grid of three providers; Frankfurt's two feeders both count; Europe has its areas."""
    grids = {id_: catalog().place(id_).grid for id_ in (
        "aws/us-east-1/use1-az1", "gcp/us-east4/us-east4-a", "hetzner/us-east/ash", "aws/eu-central-1/euc1-az1",
        "hetzner/eu-central/nbg1", "hetzner/eu-central/fsn1", "hetzner/eu-central/hel1",
    )}  # fmt: skip
    virginia = {grids[id_] for id_ in list(grids)[:3]}
    assert len(virginia) == 1
    assert grids["aws/us-east-1/use1-az1"].control_areas == ("pjm",)
    assert grids["aws/eu-central-1/euc1-az1"].control_areas == ("tennet-de", "amprion")
    assert grids["hetzner/eu-central/nbg1"].control_areas == ("tennet-de",)
    assert grids["hetzner/eu-central/fsn1"].control_areas == ("50hertz",)
    assert grids["hetzner/eu-central/hel1"].synchronous_area == "nordic"
