"""The stack file as frozen typed objects.

`Topology` is what a person writes in `stacks/<name>.yaml`: which sites, what stands in them, how they are joined, and
which failures the venue must survive. Nothing here is computed: addresses, time-outs and names are the plan's.
`stackfile.load` reads a file and reports all of its problems at once; `stacks/topology.schema.json` is generated from
these classes.

Maps are keyed by name everywhere, so that adding one item renames no other.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

SITES_MAX = 64
VALIDATORS_MAX = 200
LINKS_MAX = 512
NAME_LENGTH_MAX = 16

NAME_PATTERN = rf"^[a-z]([a-z0-9-]{{0,{NAME_LENGTH_MAX - 2}}}[a-z0-9])?$"
PLACE_PATTERN = r"^(aws|gcp|hetzner)/[a-z0-9-]{1,40}/[a-z0-9-]{1,40}$"
MACHINE_PATTERN = r"^[a-z][a-z0-9.-]{1,39}$"
MARKET_PATTERN = r"^[A-Z0-9-]{1,16}$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
PlaceId = Annotated[str, StringConstraints(pattern=PLACE_PATTERN)]
Machine = Annotated[str, StringConstraints(pattern=MACHINE_PATTERN)]
Provider = Literal["aws", "gcp", "hetzner"]
DomainKind = Literal[
    "host",
    "rack",
    "site",
    "metro",
    "local_grid",
    "control_area",
    "synchronous_area",
    "provider",
    "account",
    "provider_region",
    "link",
    "carrier",
    "country",
    "hardware",
    "release",
    "control_plane",
    "provider_terms",
]
OutcomeClass = Literal["continues", "halts_safely"]
LinkKind = Literal["backbone", "vpn", "circuit", "cross_cloud", "wireguard"]
Milliseconds = Annotated[float, Field(gt=0, le=60_000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True)


class Consensus(_Part):
    """How the validators agree."""

    engine: Literal["cometbft"] = "cometbft"
    """The consensus software that validators run."""
    fault_model: Literal["byzantine", "crash"] = "byzantine"
    """A byzantine quorum is lost at a third of the power, a crash quorum at half. CometBFT is byzantine."""


class Objective(_Part):
    """One failure that the venue must get through, and how."""

    any: DomainKind
    """The kind of domain of which any single one may fail."""
    outcome: OutcomeClass = "continues"
    """The worst outcome that is accepted."""
    while_: Literal["maintenance"] | None = Field(default=None, alias="while")
    """`maintenance`: the objective holds with any one node already down."""


class Recovery(_Part):
    """How fast and how whole the venue comes back after a loss that it survives."""

    rto_seconds_max: Annotated[float, Field(gt=0, le=86_400)] | None = None
    """From the failure to the first acknowledgement of an order that was sent after it."""
    orders_lost_max: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Acknowledged orders that may be missing afterwards."""


class Bounds(_Part):
    """Limits in time that the placement must keep."""

    quorum_rtt_ms_max: Milliseconds | None = None
    """Worst proposer's round trip to a quorum of the voting power, all nodes up."""
    quorum_rtt_after_loss_ms_max: Milliseconds | None = None
    """The same after the worst single loss that an objective names."""
    pair_rtt_ms_max: Milliseconds | None = None
    """Round trip between any two sites over the declared links."""
    recovery: Recovery = Recovery()


class Site(_Part):
    """A place where hosts stand."""

    at: PlaceId
    """`provider/region/zone`, by physical identity: an AWS AZ ID, a Google zone, a Hetzner location."""
    account: Name | None = None
    """The provider account (AWS account, Google or Hetzner project), as the venue calls it; default: one a provider."""


class Validator(_Part):
    """A host that proposes blocks and votes on them."""

    site: Name
    machine: Machine
    power: Annotated[int, Field(ge=1, le=1_000)] = 1
    """Relative voting power. The plan scales it, so that the order of proposers is fixed."""
    release: Name | None = None
    """Key of `releases`; default: the release that diversite pins."""


class Engine(_Part):
    """A host that matches the orders of committed blocks, beside a validator of its site."""

    site: Name
    machine: Machine
    release: Name | None = None


class Link(_Part):
    """Private connectivity between sites: every two of `ends` are joined."""

    kind: LinkKind
    ends: Annotated[tuple[Name, ...], Field(min_length=2, max_length=SITES_MAX)]
    carrier: Name
    """Who carries it, as contracted; which carriers serve a site is not public."""
    duct: Name | None = None
    """The physical path it shares with other links of the same duct, where the carrier says so."""
    preference: Annotated[int, Field(ge=1, le=3)] = 1
    """1 carries the traffic; the next takes over when detection takes it away."""


class OrderEntry(_Part):
    """A balancer that accepts orders at a site and passes them to engines that could acknowledge."""

    site: Name
    machine: Machine
    orders_per_second_per_client_max: Annotated[int, Field(ge=1, le=100_000)] = 200


class Monitor(_Part):
    """A host that watches every site and raises alerts."""

    site: Name
    machine: Machine


class Market(_Part):
    """An instrument and the granularity of its orders."""

    tick: Annotated[int, Field(ge=1)] = 1
    """Prices are multiples of it."""
    lot: Annotated[int, Field(ge=1)] = 1
    """Quantities are multiples of it."""


class Acceptance(_Part):
    """Who accepted a provider's terms for nodes of this kind, and when."""

    accepted_by: Annotated[str, StringConstraints(min_length=3, max_length=200)]
    accepted_on: datetime.date


class Release(_Part):
    """A binary that the venue brings itself."""

    address: Annotated[str, StringConstraints(pattern=r"^https://[^\s]+$", max_length=500)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Topology(_Part):
    """A venue: what stands where, how it is joined, and what it must survive."""

    venue: Name
    consensus: Consensus = Consensus()
    survive: Annotated[tuple[Objective, ...], Field(min_length=1, max_length=64)]
    bounds: Bounds = Bounds()
    markets: Annotated[
        dict[Annotated[str, StringConstraints(pattern=MARKET_PATTERN)], Market], Field(min_length=1, max_length=64)
    ] = {"BTC-PERP": Market()}
    sites: Annotated[dict[Name, Site], Field(min_length=1, max_length=SITES_MAX)]
    validators: Annotated[dict[Name, Validator], Field(min_length=1, max_length=VALIDATORS_MAX)]
    engines: Annotated[dict[Name, Engine], Field(min_length=1, max_length=VALIDATORS_MAX)]
    links: Annotated[dict[Name, Link], Field(max_length=LINKS_MAX)] = {}
    order_entry: Annotated[dict[Name, OrderEntry], Field(min_length=1, max_length=SITES_MAX)]
    monitoring: Annotated[dict[Name, Monitor], Field(min_length=1, max_length=8)]
    terms: dict[Provider, Acceptance] = {}
    releases: Annotated[dict[Name, Release], Field(max_length=16)] = {}


def schema() -> dict[str, Any]:
    """The JSON schema of a stack file, for editors."""
    return Topology.model_json_schema(by_alias=True)
