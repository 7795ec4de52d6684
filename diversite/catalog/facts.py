"""The catalogue's facts as frozen objects; an unknown value is None or empty, never guessed: readers fail closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Confidence = Literal["documented", "metro", "operator", "zone", "conflict", "missing"]
Finding = Literal["forbidden", "by-permission", "not-mentioned"]
TermsConfidence = Literal["documented", "secondary", "missing"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine type; what the provider does not fix is None and counts as shared with every other such machine."""

    provider: str
    name: str
    vcpus: int
    memory_gib: float
    cpu_vendor: str | None
    """Who designed the processor: intel, amd, amazon, google, ampere."""
    cpu_family: str | None
    architecture: str
    """x86_64 or arm64."""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BfdLimit:
    """The fastest detection that a provider's end of a link agrees to."""

    interval_ms_min: int
    multiplier_min: int

    @property
    def detection_ms(self) -> int:
        """The least time from the cut to its detection, in milliseconds."""
        return self.interval_ms_min * self.multiplier_min


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a provider refuses, or does only slowly. The keys under a link kind are those of a topology's links."""

    provider: str
    name_length_max: Mapping[str, int]
    """By kind of resource; `resource` is what applies to any other kind."""
    label_key_length_max: int
    label_value_length_max: int
    label_count_max: int | None
    bfd: Mapping[str, BfdLimit | None]
    """By link kind: None where the provider speaks no BFD, absent where it makes no such link."""
    bgp_hold_seconds_min: Mapping[str, int]
    dead_peer_seconds_min: Mapping[str, int]
    mtu_bytes_max: Mapping[str, int]
    """By path: `network` inside it, `internet`, and the link kinds."""
    health_check_interval_seconds_min: Mapping[str, int]
    """By checker: `balancer` and `uptime`."""
    sources: Mapping[str, tuple[str, ...]]
    """By section of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a provider's terms say of mining and of blockchain nodes; None is not found, which is no permission."""

    provider: str
    mining: Finding | None
    nodes: Finding | None
    confidence: TermsConfidence
    statement: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRamp:
    """A building where a private circuit reaches a cloud."""

    provider: str
    codes: tuple[str, ...]
    """The Direct Connect code, or Google's: one for each edge availability domain there."""
    metro: str | None
    """None in a town that is no metro of the catalogue."""
    region: str | None
    """The region that the provider associates with it."""
    peeringdb: int | None
    """The facility's number in PeeringDB; the same number is the same building."""
    facility: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossCloud:
    """A building for which Google offers Cross-Cloud Interconnect to AWS."""

    direct_connect: str
    google: tuple[str, ...]
    remote_location: str
    """What Google calls the far end."""
    sources: tuple[str, ...] = ()
