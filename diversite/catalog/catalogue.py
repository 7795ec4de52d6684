"""The catalogue as one object: look-ups by name, and the error with the nearest names where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from functools import cache, cached_property
from itertools import chain

from diversite.catalog.facts import (
    CrossCloud,
    Grid,
    Limits,
    Machine,
    Measurement,
    Metro,
    OnRamp,
    Place,
    Region,
    Source,
    Terms,
)
from diversite.catalog.node import Node, read
from diversite.catalog.provisions import (
    read_cross_cloud,
    read_limits,
    read_machines,
    read_managed_pairs,
    read_on_ramps,
    read_terms,
)
from diversite.catalog.reading import read_grids, read_measurements, read_metros, read_places, read_sources
from diversite.errors import CatalogError
from diversite.geography import LOWEST_GROUP_INDEX, fibre_floor_rtt_ms, great_circle_km

PROVIDERS = ("aws", "gcp", "hetzner")
MEASUREMENTS = (
    "cloudping_2025.yaml",
    "doit_2022.yaml",
    "fantoch_aws_2020.yaml",
    "fantoch_gcp_2020.yaml",
    "wonderproxy_2020.yaml",
)


@cache
def catalog() -> Catalog:
    """The catalogue that comes with diversite; each file is read on its first use and once."""
    return Catalog()


class Catalog:
    """Places, grids, machines, limits, terms, on-ramps and measured round trips, each with its sources."""

    @cached_property
    def places(self) -> Mapping[str, Place]:
        """Every place by its id."""
        return {place.id: place for _, places in self._by_provider for place in places}

    @cached_property
    def regions(self) -> Mapping[tuple[str, str], Region]:
        """Every region by provider and name, those without usable zones included."""
        return {(region.provider, region.region): region for regions, _ in self._by_provider for region in regions}

    @cached_property
    def metros(self) -> Mapping[str, Metro]:
        """Every metro by its id."""
        return read_metros(read("metros.yaml"))

    @cached_property
    def grids(self) -> Mapping[str, Grid]:
        """Every local grid by its id."""
        return read_grids(read("power.yaml"))

    @cached_property
    def sources(self) -> Mapping[str, Source]:
        """The register of sources by id."""
        return read_sources(self._register)

    @cached_property
    def reviewed(self) -> date:
        """The day up to which the age of a fact is counted; diversite has no clock."""
        return date.fromisoformat(self._register.text("reviewed"))

    @cached_property
    def maximum_age_days(self) -> Mapping[str, int]:
        """By class of fact, the age in days beyond which it has expired."""
        return dict(self._register.values["maximum_age_days"])

    @cached_property
    def measurements(self) -> Mapping[frozenset[str], tuple[Measurement, ...]]:
        """Measured round trips by the pair of metros; a figure below the fibre floor is a CatalogError."""
        pairs: dict[frozenset[str], list[Measurement]] = {}
        for name in MEASUREMENTS:
            for row in read_measurements(read(f"measurements/{name}"), self.sources):
                self._refuse_faster_than_light(row)
                pairs.setdefault(frozenset(self._ends[end][0] for end in row.ends), []).append(row)
        return {pair: tuple(rows) for pair, rows in pairs.items()}

    @cached_property
    def latency_model(self) -> Node:
        """What is assumed where nobody measured; latency.py reads it."""
        return read("measurements/model.yaml")

    @cached_property
    def machines(self) -> Mapping[tuple[str, str], Machine]:
        """Every machine type by provider and name."""
        return read_machines(read("machines.yaml"))

    @cached_property
    def all_on_ramps(self) -> tuple[OnRamp, ...]:
        """Every on-ramp, those in towns that are no metro of the catalogue included."""
        return tuple(read_on_ramps(self._ramps))

    @cached_property
    def cross_cloud(self) -> tuple[CrossCloud, ...]:
        """The buildings for which Google offers Cross-Cloud Interconnect to AWS."""
        return tuple(read_cross_cloud(self._ramps))

    @cached_property
    def managed_pairs(self) -> frozenset[tuple[str, str]]:
        """Pairs of an AWS and a Google region that both providers join as a managed product."""
        return read_managed_pairs(self._ramps)

    def coordinates(self, end: str) -> tuple[float, float]:
        """Latitude and longitude of a metro or a region, as a measurement names its ends."""
        return self._ends[end][1]

    def place(self, id_: str) -> Place:
        """The place of that id, or a CatalogError with the nearest names."""
        try:
            return self.places[id_]
        except KeyError:
            raise CatalogError(f"{id_!r} is not a place of the catalogue. {self._advice(id_)}") from None

    def machine(self, provider: str, name: str) -> Machine:
        """The machine type of that name, or a CatalogError with the nearest names."""
        try:
            return self.machines[provider, name]
        except KeyError:
            self._known_provider(provider)
            names = [machine for owner, machine in self.machines if owner == provider]
            nearest = get_close_matches(name, names, n=3, cutoff=0.4) or names[:3]
            raise CatalogError(
                f"{name!r} is not a machine type of {provider} in the catalogue. Nearest: {', '.join(nearest)}. "
                "All are in diversite/catalog/machines.yaml; a type that is missing there can be added with its source."
            ) from None

    def limits(self, provider: str) -> Limits:
        """What the provider refuses, or does only slowly."""
        return self._limits[self._known_provider(provider)]

    def terms(self, provider: str) -> Terms:
        """What the provider's terms say of nodes such as ours."""
        return self._terms[self._known_provider(provider)]

    def on_ramps(self, metro: str) -> tuple[OnRamp, ...]:
        """The buildings of a metro where a private circuit reaches a cloud; a CatalogError for an unknown metro."""
        if metro not in self.metros:
            nearest = get_close_matches(metro, self.metros, n=3, cutoff=0.4)
            raise CatalogError(f"{metro!r} is not a metro of the catalogue. Nearest: {', '.join(nearest) or 'none'}.")
        return tuple(ramp for ramp in self.all_on_ramps if ramp.metro == metro)

    def is_old(self, source: str) -> bool:
        """Whether a measurement of that source is beyond the age at which latency counts as old evidence."""
        return self.age_days(source) > self.maximum_age_days["latency"]

    def age_days(self, source: str) -> int:
        """The age of a source in days on the day of the catalogue's review."""
        return (self.reviewed - date.fromisoformat(self.sources[source].date)).days

    @cached_property
    def _register(self) -> Node:
        return read("sources.yaml").only("reviewed", "maximum_age_days", "sources")

    @cached_property
    def _limits(self) -> Mapping[str, Limits]:
        return read_limits(read("limits.yaml"))

    @cached_property
    def _terms(self) -> Mapping[str, Terms]:
        return read_terms(read("terms.yaml"))

    @cached_property
    def _ramps(self) -> Node:
        return read("on_ramps.yaml")

    def _known_provider(self, provider: str) -> str:
        if provider not in PROVIDERS:
            raise CatalogError(f"{provider!r} is not a provider of the catalogue; it knows {', '.join(PROVIDERS)}.")
        return provider

    @cached_property
    def _by_provider(self) -> list[tuple[list[Region], list[Place]]]:
        return [read_places(read(f"places/{provider}.yaml"), self.metros, self.grids) for provider in PROVIDERS]

    @cached_property
    def _ends(self) -> Mapping[str, tuple[str, tuple[float, float]]]:
        """What a measurement may name, with metro and coordinates: metros, and regions of AWS and Google."""
        metros = ((m.id, m.id, m.latitude, m.longitude) for m in self.metros.values() if m.latitude is not None)
        regions = ((p.region, p.metro, p.latitude, p.longitude) for p in self._places_of("aws", "gcp"))
        return {end: (metro, (lat, lon)) for end, metro, lat, lon in chain(metros, regions) if lon is not None}

    def _places_of(self, *providers: str) -> Iterable[Place]:
        return (place for place in self.places.values() if place.provider in providers)

    def _refuse_faster_than_light(self, row: Measurement) -> None:
        for end in row.ends:
            if end not in self._ends:
                raise CatalogError(f"{row.source}: {end!r} is neither a region nor a metro of the catalogue.")
        (_, here), (_, there) = (self._ends[end] for end in row.ends)
        floor_ms = fibre_floor_rtt_ms(great_circle_km(here, there), LOWEST_GROUP_INDEX)
        if row.lowest_ms < floor_ms or row.typical_ms < row.lowest_ms:
            raise CatalogError(
                f"{row.source}: {' - '.join(row.ends)} has {row.lowest_ms} ms at the lowest and {row.typical_ms} ms "
                f"typical; light in fibre needs {floor_ms:.2f} ms, and typical is not below lowest. One end is not "
                "where its row says, or the path is not fibre: correct the row or drop it."
            )

    def _advice(self, id_: str) -> str:
        provider, region = [*id_.split("/"), "", ""][:2]
        known = self.regions.get((provider, region))
        if known and not known.zones:
            return f"Region {region} has no zone that can be used: {known.notes}"
        if known:
            note = " An AWS zone is named by its AZ ID; AZ names differ from account to account." * (provider == "aws")
            return f"The zones of {provider}/{region}: {', '.join(known.zones)}.{note}"
        nearest = get_close_matches(id_, self.places, n=3, cutoff=0.4) or [f"{p}/…" for p in PROVIDERS]
        return f"Nearest: {', '.join(nearest)}. A place is provider/region/zone; all are in diversite/catalog/places/."
