"""The catalogue's facts as frozen objects; an unknown value is None or empty, never guessed: readers fail closed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Confidence = Literal["documented", "metro", "operator", "zone", "conflict", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where facts were read, and when."""

    id: str
    what: str
    where: str
    date: str
    """Of the copy or the measurement, ISO; the first of January where only the year is known."""
    licence: str
    caution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Who feeds a place. A place with several control areas counts in each: which one feeds it is not public."""

    local_grid: str | None
    control_areas: tuple[str, ...]
    synchronous_area: str | None
    confidence: Confidence
    notes: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Metro:
    """What lies so close together that one event may take it all."""

    id: str
    name: str
    city: str
    country: str
    """ISO 3166-1, two letters."""
    latitude: float | None
    longitude: float | None
    notes: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Somewhere a site may stand: an availability zone, a zone, or a location."""

    id: str
    """`provider/region/zone`, such as aws/eu-west-3/euw3-az1."""
    provider: str
    region: str
    zone: str
    city: str
    metro: str
    country: str
    latitude: float
    """Of the town, in degrees; buildings are not published."""
    longitude: float
    grid: Grid
    partition: str | None = None
    """AWS: the part of the cloud that an account belongs to."""
    notes: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A provider's region; without zones it is known to exist and cannot be used."""

    provider: str
    region: str
    name: str
    zones: tuple[str, ...]
    partition: str | None = None
    notes: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one source measured between two ends, each a region or a metro; round trips in milliseconds."""

    ends: tuple[str, str]
    lowest_ms: float
    typical_ms: float
    source: str
    measured: str
