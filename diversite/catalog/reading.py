"""Reads the catalogue's files into facts, and refuses what is malformed with the file and the path of the fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Any, cast, get_args

import yaml  # type: ignore[import-untyped]  # its stubs are not among the dependencies

from diversite.catalog.facts import Confidence, Grid, Measurement, Metro, Place, Region, Source
from diversite.errors import CatalogError

# PyYAML with libyaml: the whole catalogue in tens of milliseconds, where a loader in Python needs a second.
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Node:
    """A mapping of a file with the way to it, so that a fault can be found."""

    where: str
    values: Mapping[str, Any]

    def text(self, key: str, default: str | None = None) -> str:
        """The text under a key; dates come as ISO text."""
        value = self.values.get(key, default)
        if isinstance(value, date):
            return value.isoformat()
        if not isinstance(value, str):
            raise self.fault(key, "text")
        return value

    def number(self, key: str) -> float:
        """The number under a key."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fault(key, "a number")
        return float(value)

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """The list of texts under a key."""
        value = self.values.get(key, default)
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise self.fault(key, "a list of texts")
        return tuple(value)

    def nodes(self, key: str) -> Iterator[tuple[str, Node]]:
        """The mappings under a key, by name."""
        value = self.values.get(key)
        if not isinstance(value, dict):
            raise self.fault(key, "a mapping")
        for name, item in value.items():
            yield str(name), self._child(f"{key}.{name}", item)

    def items(self, key: str) -> Iterator[Node]:
        """The mappings of the list under a key."""
        value = self.values.get(key)
        if not isinstance(value, list):
            raise self.fault(key, "a list")
        for index, item in enumerate(value):
            yield self._child(f"{key}[{index}]", item)

    def only(self, *allowed: str) -> Node:
        """Itself, after refusing any key that nobody reads."""
        for key in self.values:
            if key not in allowed:
                raise CatalogError(f"{self.where}.{key} is not a key of the catalogue; allowed: {', '.join(allowed)}.")
        return self

    def fault(self, key: str, wanted: str) -> CatalogError:
        """The error for a value of the wrong kind."""
        return CatalogError(f"{self.where}.{key} is {self.values.get(key)!r}; the catalogue wants {wanted} there.")

    def _child(self, path: str, item: object) -> Node:
        if not isinstance(item, dict):
            raise CatalogError(f"{self.where}.{path} is {item!r}; the catalogue wants a mapping there.")
        return Node(f"{self.where}.{path}", item)


def read(name: str) -> Node:
    """A file of the catalogue, by its path inside it."""
    text = files("diversite.catalog").joinpath(name).read_text("utf-8")
    return Node(f"diversite/catalog/{name}:", yaml.load(text, Loader=_LOADER))  # noqa: S506, the loader is a safe one


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
    return [_measurement(root.where, line, source) for line in root.text("rows").splitlines()]


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
    if node.text("confidence") not in get_args(Confidence):
        raise node.fault("confidence", f"one of {', '.join(get_args(Confidence))}")
    return Grid(
        local_grid=id_,
        control_areas=node.texts("control_areas"),
        synchronous_area=node.text("synchronous_area"),
        confidence=cast(Confidence, node.text("confidence")),
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


def _measurement(where: str, line: str, source: Source) -> Measurement:
    try:
        one, other, lowest, typical = line.split()
        return Measurement(
            ends=(one, other),
            lowest_ms=float(lowest),
            typical_ms=float(typical),
            source=source.id,
            measured=source.date,
        )
    except ValueError as error:
        raise CatalogError(f"{where}.rows has {line!r}; a row is: end end lowest_ms typical_ms.") from error
