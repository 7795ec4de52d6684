"""From the files to facts: sources, metros, grids, places and measurements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast, get_args

from diversite.catalog.facts import Confidence, Grid, Measurement, Metro, Place, Region, Source
from diversite.catalog.node import Node
from diversite.errors import CatalogError


def read_sources(root: Node) -> dict[str, Source]:
    """The register."""
    return {id_: _source(id_, node) for id_, node in root.nodes("sources")}


def read_metros(root: Node) -> dict[str, Metro]:
    """Every metro."""
    return {id_: _metro(id_, node, root.texts("sources")) for id_, node in root.nodes("metros")}


def read_grids(root: Node) -> dict[str, Grid]:
    """Every local grid; its control areas must be declared in the same file."""
    areas = {name for name, _ in root.nodes("control_areas")}
    return {id_: _grid(id_, node, areas, root.texts("sources")) for id_, node in root.nodes("grids")}


def read_places(root: Node, metros: Mapping[str, Metro], grids: Mapping[str, Grid]) -> tuple[list[Region], list[Place]]:
    """The regions and places of one provider."""
    regions: list[Region] = []
    places: list[Place] = []
    for name, node in root.nodes("regions"):
        regions.append(_region(root, name, node))
        places += [_place(regions[-1], zone, at, metros, grids) for zone, at in _zones(node)]
    return regions, places


def read_measurements(root: Node, sources: Mapping[str, Source]) -> list[Measurement]:
    """The rows of one source."""
    source = sources[root.text("source")]
    return [_measurement(root, row, source) for row in root.rows()]


def _source(id_: str, node: Node) -> Source:
    node.only("what", "where", "date", "licence", "caution")
    what, where, day, licence = (node.text(key) for key in ("what", "where", "date", "licence"))
    return Source(id=id_, what=what, where=where, date=day, licence=licence, caution=node.text("caution", ""))


def _metro(id_: str, node: Node, sources: tuple[str, ...]) -> Metro:
    node.only("name", "city", "country", "latitude", "longitude", "geonames", "notes", "sources")
    known = "latitude" in node.values
    return Metro(
        id=id_,
        name=node.text("name"),
        city=node.text("city", node.text("name")),
        country=node.text("country"),
        latitude=node.number("latitude") if known else None,
        longitude=node.number("longitude") if known else None,
        notes=node.text("notes", ""),
        sources=node.texts("sources", sources),
    )


def _grid(id_: str, node: Node, areas: set[str], sources: tuple[str, ...]) -> Grid:
    node.only("control_areas", "synchronous_area", "confidence", "utility", "notes", "sources")
    if unknown := set(node.texts("control_areas")) - areas:
        raise CatalogError(f"{node.where}.control_areas names {sorted(unknown)}; declare it under control_areas.")
    return Grid(
        local_grid=id_,
        control_areas=node.texts("control_areas"),
        synchronous_area=node.text("synchronous_area"),
        confidence=cast(Confidence, node.choice("confidence", get_args(Confidence))),
        notes=node.text("notes", ""),
        sources=node.texts("sources", sources),
    )


def _zones(region: Node) -> Iterator[tuple[str, Node]]:
    """Zones as a list share all that the region says; as a mapping each says where it stands itself."""
    if isinstance(region.values.get("zones"), dict):
        yield from region.nodes("zones")
        return
    for zone in region.texts("zones"):
        yield zone, region


def _region(root: Node, name: str, node: Node) -> Region:
    node.only("name", "city", "partition", "metro", "grid", "latitude", "longitude", "zones", "notes", "sources")
    return Region(
        provider=root.text("provider"),
        region=name,
        name=node.text("name"),
        zones=tuple(zone for zone, _ in _zones(node)),
        partition=node.text("partition", "aws") if root.text("provider") == "aws" else None,
        notes=node.text("notes", ""),
        sources=node.texts("sources", root.texts("sources")),
    )


def _place(region: Region, zone: str, at: Node, metros: Mapping[str, Metro], grids: Mapping[str, Grid]) -> Place:
    metro, grid = metros.get(at.text("metro")), grids.get(at.text("grid"))
    if metro is None or metro.latitude is None or metro.longitude is None:
        raise at.fault("metro", "a metro of metros.yaml that has coordinates")
    if grid is None:
        raise at.fault("grid", "a grid of power.yaml")
    own = "latitude" in at.values
    return Place(
        id=f"{region.provider}/{region.region}/{zone}",
        provider=region.provider,
        region=region.region,
        zone=zone,
        city=at.text("city", metro.city),
        metro=metro.id,
        country=metro.country,
        latitude=at.number("latitude") if own else metro.latitude,
        longitude=at.number("longitude") if own else metro.longitude,
        grid=grid,
        partition=region.partition,
        notes=at.text("notes", ""),
        sources=at.texts("sources", region.sources),
    )


def _measurement(root: Node, row: Mapping[str, str], source: Source) -> Measurement:
    try:
        return Measurement(
            ends=(row["end_a"], row["end_b"]),
            lowest_ms=float(row["lowest_ms"]),
            typical_ms=float(row["typical_ms"]),
            source=source.id,
            measured=source.date,
        )
    except ValueError as error:
        raise CatalogError(f"{root.where}.rows has {' '.join(row.values())!r}; times are numbers: {error}.") from error
