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

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, StringConstraints, Tag
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from diversite.docstrings import describe

SITES_MAX = 64
VALIDATORS_MAX = 200
LINKS_MAX = 512
NAME_LENGTH_MAX = 16

NAME_PATTERN = rf"^[a-z]([a-z0-9-]{{0,{NAME_LENGTH_MAX - 2}}}[a-z0-9])?$"
PLACE_PATTERN = r"^(aws|gcp|hetzner)/[a-z0-9-]{1,40}/[a-z0-9-]{1,40}$"
MACHINE_PATTERN = r"^[a-z][a-z0-9.-]{1,39}$"
MARKET_PATTERN = r"^[A-Z0-9-]{1,16}$"
ADDRESS_PATTERN = r"^https://[^\s]+$"
SHA256_PATTERN = r"^[0-9a-f]{64}$"
IMAGE_PLACE_PATTERN = r"^(aws/[a-z0-9-]{1,40}|gcp|hetzner)$"
IMAGE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9/_.:-]{0,199}$"
ZONE_ID_PATTERN = r"^Z[A-Z0-9]{1,31}$"
DOMAIN_PATTERN = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$"
OPERATOR_PATTERN = r"^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
PlaceId = Annotated[str, StringConstraints(pattern=PLACE_PATTERN)]
Machine = Annotated[str, StringConstraints(pattern=MACHINE_PATTERN)]
Image = Annotated[str, StringConstraints(pattern=IMAGE_PATTERN)]
MarketName = Annotated[str, StringConstraints(pattern=MARKET_PATTERN)]
OperatorKey = Annotated[str, StringConstraints(pattern=OPERATOR_PATTERN)]
Provider = Literal["aws", "gcp", "hetzner"]
ImagePlace = Annotated[str, StringConstraints(pattern=IMAGE_PLACE_PATTERN)]
SoftwareRole = Literal["validator", "engine", "store", "queue"]
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


def _date_of(value: object) -> object:
    """A quoted date is a date too: YAML 1.2 knows no dates, so editors ask for a text."""
    try:
        return datetime.date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value


Date = Annotated[datetime.date, BeforeValidator(_date_of)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)


class Consensus(_Part):
    """How the validators agree."""

    engine: Literal["cometbft"] = "cometbft"
    """The consensus software that validators run."""
    fault_model: Literal["byzantine", "crash"] = "byzantine"
    """A byzantine quorum is lost at a third of the power, a crash quorum at half. CometBFT is byzantine."""
    halt_height: Annotated[int, Field(ge=1, le=2**53)] | None = None
    """The last block that engines let pass, for an upgrade that changes what a block does; `rollout --at-height`."""


class Objective(_Part):
    """One failure that the venue must get through, and how."""

    any: DomainKind
    """The kind of failure domain of which any single one may fail."""
    outcome: OutcomeClass = "continues"
    """The worst outcome that is accepted."""
    while_: Literal["maintenance"] | None = Field(default=None, alias="while")
    """`maintenance`: the objective must hold with any one node already down."""


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
    store_write_ms_max: Milliseconds | None = None
    """What the network adds to a confirmed write: from any member that may be primary to its synchronous standbys."""
    recovery: Recovery = Recovery()
    """How fast and how whole the venue comes back."""


class Site(_Part):
    """A place where hosts stand."""

    at: PlaceId
    """`provider/region/zone`, by physical identity: an AWS AZ ID, a Google zone, a Hetzner location."""
    account: Name | None = None
    """The provider account (AWS account, Google or Hetzner project), as the venue calls it; default: one a provider."""


class Validator(_Part):
    """A host that proposes blocks and votes on them."""

    site: Name
    """Key of `sites`."""
    machine: Machine
    """Machine type of the site's provider."""
    power: Annotated[int, Field(ge=1, le=1_000)] = 1
    """Relative voting power. The plan scales it, so that the order of proposers is fixed."""
    release: Name | None = None
    """Key of `releases`; default: that of `software`, and in a lab the release that diversite pins."""


class Engine(_Part):
    """A host that matches the orders of committed blocks, beside a validator of its site."""

    site: Name
    """Key of `sites`. A site has as many engines as validators: each validator executes blocks in one beside it."""
    machine: Machine
    """Machine type of the site's provider."""
    release: Name | None = None
    """Key of `releases`; default: that of `software`, and in a lab the reference matching engine."""


class Store(_Part):
    """A database whose writes are confirmed only when they are at several sites."""

    kind: Literal["postgresql"]
    """PostgreSQL with synchronous replication; Patroni on etcd promotes a standby without a person."""
    members: Annotated[dict[Name, Name], Field(min_length=3, max_length=7)]
    """Member to site: an odd number of hosts, each with a copy of everything and a vote on who is primary."""
    synchronous: Annotated[int, Field(ge=1, le=6)] = 1
    """How many standbys have a write on disk before it is confirmed: any of them (quorum commit)."""
    primary: Name
    """The member that is primary while all are well."""
    backup: Name | None = None
    """The site that keeps backups and the log; in a cloud it stands at another provider than the primary."""
    machine: dict[Provider, Machine] = {}
    """Machine type by provider; default: the smallest that the plan takes for a database."""
    release: Name | None = None
    """Key of `releases`, with Patroni; default: that of `software`, and in a lab what scripts/setup installs."""


class Queue(_Part):
    """An ordered, replicated queue that holds orders while nobody can carry them out."""

    kind: Literal["jetstream"]
    """NATS JetStream."""
    members: Annotated[dict[Name, Name], Field(min_length=3, max_length=7)]
    """Member to site: an odd number of servers."""
    replicas: Literal[3, 5] = 3
    """How many members keep each message; a message is taken when most of them have it."""
    sync: Literal["always", "interval"] = "always"
    """`always`: on disk before it is acknowledged. `interval` is the software's default of two minutes, which loses
    acknowledged messages in a power cut; the judge refuses it."""
    messages_max: Annotated[int, Field(ge=1, le=100_000_000)] = 1_000_000
    """How many it holds; more are refused with a reason."""
    machine: dict[Provider, Machine] = {}
    """Machine type by provider; default: the smallest that the plan takes for a queue."""
    release: Name | None = None
    """Key of `releases`, with nats-server; default: that of `software`, and in a lab what scripts/setup installs."""


class PassiveEngine(_Part):
    """An engine of which one member works and the others follow, its state in a store, its orders in a queue."""

    mode: Literal["active_passive"]
    """One member holds the lease and works; another takes over without a person."""
    members: Annotated[dict[Name, Name], Field(min_length=2, max_length=5)]
    """Member to site, the first preferred."""
    store: Name
    """Key of `stores`: applied orders and their effects are committed there together."""
    queue: Name
    """Key of `queues`: where orders wait in order."""
    machine: dict[Provider, Machine] = {}
    """Machine type by provider; default: the smallest that the plan takes for an engine."""
    release: Name | None = None
    """Key of `releases`; default: that of `software` for engines."""


def _mode(value: object) -> str:
    mode = value.get("mode") if isinstance(value, dict) else getattr(value, "mode", None)
    return "active_active" if mode is None else "active_passive"


AnyEngine = Annotated[
    Annotated[Engine, Tag("active_active")] | Annotated[PassiveEngine, Tag("active_passive")], Discriminator(_mode)
]


class Link(_Part):
    """Private connectivity between sites: every two of `ends` are joined."""

    kind: LinkKind
    """`backbone`: one provider's own network (hetzner: one network zone). `vpn`: managed tunnels between aws and gcp.
    `circuit`: dedicated lines of aws and gcp. `cross_cloud`: from aws to gcp, made by the two. `wireguard`: our own
    tunnel between any two gateways."""
    ends: Annotated[tuple[Name, ...], Field(min_length=2, max_length=SITES_MAX)]
    """Keys of `sites`; every two of them are joined."""
    carrier: Name
    """Who carries it, as contracted; which carriers serve a site is not public."""
    duct: Name | None = None
    """The physical path it shares with other links of the same duct, where the carrier says so."""
    preference: Annotated[int, Field(ge=1, le=3)] = 1
    """1 carries the traffic; the next takes over when detection takes it away."""


class OrderEntry(_Part):
    """A balancer that accepts orders at a site and passes them to engines that could acknowledge."""

    site: Name
    """Key of `sites`."""
    machine: Machine
    """Machine type of the site's provider."""
    orders_per_second_per_client_max: Annotated[int, Field(ge=1, le=100_000)] = 200
    """What one client may send; more is refused with a reason."""


class Monitor(_Part):
    """A host that watches every site and raises alerts."""

    site: Name
    """Key of `sites`."""
    machine: Machine
    """Machine type of the site's provider."""


class Market(_Part):
    """An instrument and the granularity of its orders."""

    tick: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1
    """Prices are multiples of it."""
    lot: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1
    """Quantities are multiples of it."""


class Acceptance(_Part):
    """Who accepted a provider's terms for nodes of this kind, and when."""

    accepted_by: Annotated[str, StringConstraints(min_length=3, max_length=200)]
    """The person or role that read the terms and accepted them."""
    accepted_on: Date
    """The day of it, as 2026-11-22."""


class Images(_Part):
    """The boot images of a provider, or of a region where images are regional, by processor architecture."""

    x86_64: Image | None = None
    """An AMI id, a Google image (`projects/<project>/global/images/<name>`), a Hetzner image id."""
    arm64: Image | None = None
    """The same for machines with ARM processors."""


class Steering(_Part):
    """A name in Route 53 that leads clients to the nearest healthy entrance."""

    zone: Annotated[str, StringConstraints(pattern=DOMAIN_PATTERN, max_length=253)]
    """A hosted zone of the venue's AWS account."""
    zone_id: Annotated[str, StringConstraints(pattern=ZONE_ID_PATTERN)]
    """Its id, so that a preview needs no look-up."""
    record: Name = "orders"
    """The record in it: `orders.venue.example`."""


class Build(_Part):
    """A release for one processor architecture: a gzipped tar archive whose `bin/` holds what the host starts."""

    address: Annotated[str, StringConstraints(pattern=ADDRESS_PATTERN, max_length=500)]
    """Where hosts fetch it, over https."""
    sha256: Annotated[str, StringConstraints(pattern=SHA256_PATTERN)]
    """Its SHA-256 in lower-case hexadecimal; another content is refused."""


class Release(_Part):
    """A version of a program that the venue brings itself, by processor architecture. One release fails as one."""

    x86_64: Build | None = None
    """For machines with processors of Intel or AMD."""
    arm64: Build | None = None
    """For machines with ARM processors."""

    def build(self, architecture: str) -> Build | None:
        """The build for `x86_64` or `arm64`, where there is one."""
        return {"x86_64": self.x86_64, "arm64": self.arm64}[architecture]


class Topology(_Part):
    """A venue: what stands where, how it is joined, and what it must survive."""

    venue: Name
    """The venue's name: the first part of every resource's name."""
    consensus: Consensus = Consensus()
    """How the validators agree."""
    survive: Annotated[tuple[Objective, ...], Field(min_length=1, max_length=64)]
    """The failures that the venue must get through. Each kind is stated at most once, and once more for `while`."""
    bounds: Bounds = Bounds()
    """Limits in time that the placement must keep."""
    markets: Annotated[dict[MarketName, Market], Field(min_length=1, max_length=64)] = {"BTC-PERP": Market()}
    """What is traded, by its symbol."""
    operators: Annotated[tuple[OperatorKey, ...], Field(max_length=16)] = ()
    """Who may halt markets and change voting power by signed transactions: ed25519 public keys. Fixed at genesis."""
    sites: Annotated[dict[Name, Site], Field(min_length=1, max_length=SITES_MAX)]
    """Where hosts stand. Each site must be reachable from each other one over `links`."""
    validators: Annotated[dict[Name, Validator], Field(min_length=1, max_length=VALIDATORS_MAX)]
    """Hosts that propose blocks and vote on them."""
    engines: Annotated[dict[Name, AnyEngine], Field(min_length=1, max_length=VALIDATORS_MAX)]
    """Hosts that match the orders of committed blocks, as many at a site as it has validators; and engines whose mode
    is `active_passive`, beside consensus."""
    links: Annotated[dict[Name, Link], Field(max_length=LINKS_MAX)] = {}
    """How sites are joined. Two links of one pair have different preferences."""
    order_entry: Annotated[dict[Name, OrderEntry], Field(min_length=1, max_length=SITES_MAX)]
    """Where orders come in."""
    monitoring: Annotated[dict[Name, Monitor], Field(min_length=1, max_length=8)]
    """Where the venue is watched from."""
    stores: Annotated[dict[Name, Store], Field(max_length=4)] = {}
    """Databases beside consensus."""
    queues: Annotated[dict[Name, Queue], Field(max_length=4)] = {}
    """Order queues of active-passive engines."""
    terms: dict[Provider, Acceptance] = {}
    """Whose terms for nodes of this kind were accepted, by provider."""
    releases: Annotated[dict[Name, Release], Field(max_length=16)] = {}
    """The venue's own binaries. A cloud's hosts need them; a lab brings its own."""
    software: dict[SoftwareRole, Name] = {}
    """The release that hosts of a role run where they name none: key of `releases`."""
    images: Annotated[dict[ImagePlace, Images], Field(max_length=SITES_MAX)] = {}
    """The boot images of a cloud's hosts, by `aws/<region>`, `gcp` or `hetzner`, pinned."""
    steering: Steering | None = None
    """How clients find the nearest healthy entrance by name."""

    def halting_at(self, height: int | None) -> Topology:
        """The same venue with a halt height; as it is for None."""
        if height is None:
            return self
        consensus = Consensus.model_validate({**self.consensus.model_dump(), "halt_height": height})
        return self.model_copy(update={"consensus": consensus})

    @property
    def replicated_engines(self) -> dict[str, Engine]:
        """The engines that execute blocks beside a validator."""
        return {name: engine for name, engine in self.engines.items() if isinstance(engine, Engine)}

    @property
    def passive_engines(self) -> dict[str, PassiveEngine]:
        """The engines of which one member works at a time."""
        return {name: engine for name, engine in self.engines.items() if isinstance(engine, PassiveEngine)}


def schema() -> dict[str, Any]:
    """The JSON schema of a stack file, for editors."""
    describe(*_Part.__subclasses__())
    dialect = {"$schema": GenerateJsonSchema.schema_dialect}
    return dialect | Topology.model_json_schema(by_alias=True, schema_generator=_StackFileSchema)


class _StackFileSchema(GenerateJsonSchema):
    """What may be left out may not be empty instead, names of other forms are refused, titles are noise."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        described = super().default_schema(schema)
        if described.get("default", ...) in (None, {}) or "$ref" in described:
            described.pop("default", None)
        return described

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        described = super().dict_schema(schema)
        return described | ({"additionalProperties": False} if "patternProperties" in described else {})

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False
