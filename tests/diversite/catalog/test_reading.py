"""A malformed file is refused with the file, the path, the value and what is wanted."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not among the dependencies

from diversite.catalog import Catalog, Measurement, catalog
from diversite.catalog.node import Node, read
from diversite.catalog.provisions import read_limits, read_machines, read_terms
from diversite.catalog.reading import read_grids, read_measurements, read_metros, read_places
from diversite.errors import CatalogError

GRID = """
sources: [electricitymaps]
control_areas: {pjm: {name: PJM}}
grids: {virginia: {control_areas: [pjm], synchronous_area: east, confidence: zone}}
"""
METRO = """
sources: [geonames]
metros: {ashburn: {name: Northern Virginia, country: US, latitude: 39.0, longitude: -77.5}}
"""
PLACES = """
provider: gcp
sources: [gcp-zones]
regions: {us-east4: {name: Virginia, metro: ashburn, grid: virginia, zones: [us-east4-a]}}
"""


def node(text: str) -> Node:
    """A file of the catalogue with that text."""
    parsed: dict[str, Any] = yaml.safe_load(text)
    return Node("file.yaml:", parsed)


def places(text: str) -> list[str]:
    """The ids of the places of a file, beside a small world of one metro and grid."""
    return [place.id for place in read_places(node(text), read_metros(node(METRO)), read_grids(node(GRID)))[1]]


def test_a_small_world_is_read() -> None:
    """The examples below are one change away from a file that is right."""
    assert places(PLACES) == ["gcp/us-east4/us-east4-a"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("metro: ashburn", "metro: asburn", r"regions\.us-east4\.metro is 'asburn'; .*metros\.yaml"),
        ("grid: virginia", "grid: ohio", r"regions\.us-east4\.grid is 'ohio'; .*power\.yaml"),
        ("zones: [us-east4-a]", "zones: [1]", r"regions\.us-east4\.zones is \[1\]; .*list of texts"),
        ("metro: ashburn", "metro: no", r"metro is False; .*text"),
        ("name: Virginia", "nmae: Virginia", r"regions\.us-east4\.nmae is not a key .*allowed: name"),
        ("{name: Virginia, metro: ashburn, grid: virginia, zones: [us-east4-a]}", "7", r"us-east4 is 7; .*mapping"),
    ],
)
def test_a_wrong_place_is_refused_with_its_path(old: str, new: str, message: str) -> None:
    """The message leads to the line that must be mended."""
    with pytest.raises(CatalogError, match=message):
        places(PLACES.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("control_areas: [pjm]", "control_areas: [pjn]", r"virginia\.control_areas names \['pjn'\]"),
        ("confidence: zone", "confidence: sure", r"virginia\.confidence is 'sure'; .*documented, metro"),
        ("synchronous_area: east", "synchronous_area: 1", r"synchronous_area is 1; .*text"),
    ],
)
def test_a_wrong_grid_is_refused_with_its_path(old: str, new: str, message: str) -> None:
    """A grid may only name areas that are declared and degrees of confidence that are defined."""
    with pytest.raises(CatalogError, match=message):
        read_grids(node(GRID.replace(old, new)))


def test_a_metro_without_a_number_is_refused() -> None:
    """Coordinates are numbers."""
    with pytest.raises(CatalogError, match=r"ashburn\.latitude is '39N'; .*a number"):
        read_metros(node(METRO.replace("39.0", "39N")))


@pytest.mark.parametrize("row", ["paris london 7.7", "paris london fast faster", "paris"])
def test_a_row_that_is_no_measurement_is_refused(row: str) -> None:
    """A row has two ends and two times."""
    text = f"source: doit-2022-02\ncolumns: [end_a, end_b, lowest_ms, typical_ms]\nrows: |\n  {row}\n"
    with pytest.raises(CatalogError, match=r"file\.yaml:\.rows has"):
        read_measurements(node(text), catalog().sources)


def test_a_machine_without_a_whole_number_is_refused() -> None:
    """Virtual processors are counted."""
    text = (
        "providers: {aws: {sources: [general-knowledge], columns: [name, vcpus, memory_gib, cpu_vendor, cpu_family, "
        "architecture], rows: 't3.small two 2 intel - x86_64'}}"
    )
    with pytest.raises(CatalogError, match=r"'two'.*whole number"):
        read_machines(node(text))


def test_a_misspelt_section_of_limits_is_refused() -> None:
    """A limit under a name that nobody reads would never be applied."""
    with pytest.raises(CatalogError, match=r"aws\.bdf is not a key"):
        read_limits(node("providers: {aws: {bdf: {}}}"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bytes_max: {network: 9001", "bytes_max: {network: big", r"aws\.mtu\.bytes_max\.network is 'big'; .*a number"),
        ("key_length_max: 128", "key_length_max: 12.5", r"aws\.labels\.key_length_max is 12\.5; .*whole number"),
        ("interval_ms_min: 300, ", "", r"aws\.bfd\.kinds\.circuit\.interval_ms_min is None; .*a number"),
        ("    bgp:", "    bgb:", r"aws\.bgb is not a key"),
    ],
)
def test_a_wrong_limit_is_refused_with_its_path(old: str, new: str, message: str) -> None:
    """A limit is a number under a name that is read."""
    text = files("diversite.catalog").joinpath("limits.yaml").read_text("utf-8")
    with pytest.raises(CatalogError, match=message):
        read_limits(node(text.replace(old, new, 1)))


def test_a_finding_about_terms_is_one_of_those_defined() -> None:
    """A free word about mining would be read by nobody."""
    text = files("diversite.catalog").joinpath("terms.yaml").read_text("utf-8")
    with pytest.raises(CatalogError, match=r"hetzner\.mining is 'frowned on'; .*forbidden, by-permission"):
        read_terms(node(text.replace("mining: forbidden", "mining: frowned on")))


def measured(one: str, other: str, lowest_ms: float, typical_ms: float) -> Measurement:
    """A row of a table."""
    ends = (one, other)
    return Measurement(
        ends=ends, lowest_ms=lowest_ms, typical_ms=typical_ms, source="doit-2022-02", measured="2022-02-17"
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (measured("london", "paris", 3.3, 4), r"light in fibre needs 3\.35 ms.*correct the row"),
        (measured("london", "paris", 5, 4), r"5 ms at the lowest and 4 ms typical"),
        (measured("londn", "paris", 5, 6), r"'londn' is neither a region nor a metro"),
    ],
)
def test_a_figure_faster_than_light_is_refused(row: Measurement, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading fails on a figure below the floor of the fastest fibre, on a crossed pair and on an unknown end."""
    monkeypatch.setattr("diversite.catalog.catalogue.read_measurements", lambda *_: [row])
    with pytest.raises(CatalogError, match=message):
        Catalog().measurements  # noqa: B018, reading it loads it


def test_a_figure_between_the_two_floors_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fibre of the lowest index is honest: 3.36 ms for London-Paris is above its floor and below the common one."""
    monkeypatch.setattr(
        "diversite.catalog.catalogue.read_measurements", lambda *_: [measured("london", "paris", 3.36, 4)]
    )
    assert Catalog().measurements


def test_every_file_is_yaml_that_both_loaders_read_alike() -> None:
    """The quick loader and the plain one agree, so a machine without libyaml has the same catalogue."""
    for name in ("metros.yaml", "power.yaml", "limits.yaml", "terms.yaml", "places/aws.yaml", "sources.yaml"):
        text = files("diversite.catalog").joinpath(name).read_text("utf-8")
        assert read(name).values == yaml.safe_load(text)
