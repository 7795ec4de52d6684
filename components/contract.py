"""What a sibling (aws, gcp, hcloud, lab) provides: the arguments of its components, and their shape as Protocols.

A sibling is a package with the classes named in `Sibling`; beside them the lab has those of `Rehearsal`, a cloud those
of `Cloud`. What one cannot do is absent: no method raises in its stead.

    Sibling     Foundation, Machine, paths()     every substrate
    Rehearsal   Link                             the whole of a link is one resource
    Cloud       Balancer                         an entrance that the world reaches
    Watches     Alarms                           the provider's own eyes on hosts, paths and entrances
    Attaches    Attachment                       a cloud's end of a private path to another region
    Steers      Steering                         a name that leads clients to the nearest healthy entrance
    HoldsKeys   of a Machine                     it tells the keys that it made while it is deployed
    KeepsGenesis   of a Foundation               it keeps what the chain of such keys began with
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import pulumi

from diversite.plan import Host, LinkPlan, Plan
from diversite.underlay import Region, Underlay
from services import Facts, PathsOf, Service


@dataclass(frozen=True, kw_only=True)
class FoundationArgs:
    """What a sibling makes once for a venue."""

    plan: Plan
    """The venue, decided."""
    owner: str
    """`<project>/<stack>`: who may change what is made."""
    accounts: Mapping[str, str] = field(default_factory=dict)
    """The provider's own id of each account that the topology names: an AWS account number, a Google project."""


class Foundation(Protocol):
    """A sibling's ground: the lab's world, or a cloud's provider objects and networks for all of its sites."""

    endpoints: Mapping[str, pulumi.Output[str]]
    """The public address of each site's gateway, by site, made before the gateway itself; empty in the lab."""

    def __init__(self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...


@dataclass(frozen=True, kw_only=True)
class MachineArgs:
    """A host to make."""

    plan: Plan
    """The venue, decided."""
    host: Host
    """Which of its hosts."""
    foundation: Foundation
    """The ground it stands on."""
    gateway: Machine | None
    """The router of its site; None for a router."""
    services: tuple[Service, ...]
    """What runs on it from the start; what needs the keys of others comes later, where the machine `HoldsKeys`."""
    known: Facts | None = None
    """The public keys of the venue; None until they came together, and where the machine `HoldsKeys`."""
    endpoints: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    """The public address of every gateway of the venue, by site: what a gateway's tunnels lead to."""
    held: bool = False
    """Whether it stays as it is though its image, boot script or release would differ: `diversite rollout` takes its
    site when it is that site's turn."""


class Machine(Protocol):
    """A host with its disk, its firewall, its place in the site's network, and what runs on it from the start."""

    ready: Sequence[pulumi.Resource]
    """What must be there for whoever needs its services."""

    def __init__(self, name: str, args: MachineArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...


@dataclass(frozen=True, kw_only=True)
class PublicKeys:
    """The public half of a validator's keys."""

    validator_public_key: str
    """ed25519, base64."""
    validator_address: str
    """Upper-case hexadecimal."""
    node_id: str
    """Hexadecimal."""
    created_at: str
    """RFC 3339."""


@runtime_checkable
class HoldsKeys(Protocol):
    """Capability: the machine makes its own keys, tells their public half, and starts consensus after that."""

    def keys(self, service: str) -> pulumi.Output[PublicKeys]:
        """The public half of the keys below a service's data; made where they are missing."""
        ...

    def certificate(self) -> pulumi.Output[str]:
        """The certificate of the host's own key, PEM; made where it is missing."""
        ...

    def start(self, service: pulumi.Output[Service], name: str, after: Sequence[pulumi.Resource]) -> None:
        """Start a service called `name` that could be rendered only now, once others are ready."""
        ...


@runtime_checkable
class KeepsGenesis(Protocol):
    """Capability: the foundation keeps a document as it was first made, for as long as the hosts' disks are there."""

    def keep(self, document: pulumi.Output[str]) -> pulumi.Output[str]:
        """The first document ever given, whatever is given now."""
        ...


@dataclass(frozen=True, kw_only=True)
class LinkArgs:
    """A private link to make."""

    plan: Plan
    """The venue, decided."""
    link: LinkPlan
    """Which of its links."""
    foundation: Foundation
    """The ground it stands on."""
    gateways: Mapping[str, Machine]
    """The routers by site."""


class Link(Protocol):
    """A private link between two sites, as a whole."""

    def __init__(self, name: str, args: LinkArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...


@dataclass(frozen=True, kw_only=True)
class AttachmentArgs:
    """One end of a private path between two regions."""

    plan: Plan
    """The venue, decided."""
    underlay: Underlay
    """Which of its paths."""
    region: Region
    """Which end."""
    foundation: Foundation
    """The ground of the cloud whose end it is."""
    secrets: Sequence[pulumi.Output[str]] = ()
    """The pre-shared key of each managed tunnel of a `vpn`, in the order of `underlay.tunnels`."""


class Attachment(Protocol):
    """A cloud's end of a private path. Two ends are introduced to each other by `join`, Google's offer first."""

    kinds: frozenset[str]
    """The kinds of link that this cloud can make an end of."""
    offer: Mapping[str, pulumi.Output[str]]
    """What the other end must know of this one: for a `vpn` Google tells `interface0` and `interface1` at once, AWS
    `tunnel0` to `tunnel3` after it was joined; for a peering the acceptor's `gateway`, a transit gateway's id."""

    order: Mapping[str, pulumi.Input[Any]]
    """What a carrier or a person must bring before it carries anything; empty where nothing. Whole after `join`."""

    def __init__(self, name: str, args: AttachmentArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...

    def join(self, offer: Mapping[str, pulumi.Output[str]]) -> None:
        """Make what needs the other end's offer, and the routes to its gateways."""
        ...


@dataclass(frozen=True, kw_only=True)
class BalancerArgs:
    """A way in for clients, before an entrance."""

    plan: Plan
    """The venue, decided."""
    host: Host
    """The entrance: a host of role `entry`."""
    machine: Machine
    """Its machine."""
    foundation: Foundation
    """The ground of its cloud."""


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """Where clients reach an entrance from outside."""

    address: pulumi.Output[str]
    """A public IPv4 address, which stays while the entrance is made anew."""


class Balancer(Protocol):
    """The provider's load balancer: active checks of the engine's own readiness, nothing but the order port."""

    entrance: Entrance

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...


@dataclass(frozen=True, kw_only=True)
class AlarmsArgs:
    """What a provider itself can see of the venue's sites with it."""

    plan: Plan
    """The venue, decided."""
    foundation: Foundation
    """The ground of the cloud."""
    machines: Mapping[str, Machine]
    """The machines that stand there, by the host's name."""
    entrances: Mapping[str, Entrance]
    """The entrances that stand there, by the host's name."""


class Alarms(Protocol):
    """The provider's own alarms for hosts, paths and entrances."""

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...


@dataclass(frozen=True, kw_only=True)
class SteeringArgs:
    """A name for all entrances."""

    plan: Plan
    """The venue, decided; its topology has `steering`."""
    foundation: Foundation
    """The ground of the cloud that steers, which may have no site there."""
    entrances: Mapping[str, Entrance]
    """Every entrance, of whatever provider, by the host's name."""


class Steering(Protocol):
    """A name that leads each client to the nearest entrance that is healthy."""

    name: pulumi.Output[str]

    def __init__(self, name: str, args: SteeringArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...


class Sibling(Protocol):
    """The package of a sibling: what every one has."""

    Foundation: type[Foundation]
    Machine: type[Machine]

    def paths(self, host: Host) -> PathsOf:
        """Where the services of a host keep things, by the service's name."""
        ...


@runtime_checkable
class Rehearsal(Protocol):
    """A sibling in which the whole of a link is one resource: the lab."""

    Link: type[Link]


@runtime_checkable
class Cloud(Protocol):
    """A sibling whose hosts stand in the world."""

    Balancer: type[Balancer]


@runtime_checkable
class Watches(Protocol):
    """A cloud that raises alarms of its own. Without it, only the venue's monitors watch what stands there."""

    Alarms: type[Alarms]


@runtime_checkable
class Attaches(Protocol):
    """A cloud that makes private paths between regions. Without it, its links are of kind `wireguard`, or within one
    region.
    """

    Attachment: type[Attachment]


@runtime_checkable
class Steers(Protocol):
    """A cloud that steers clients by name."""

    Steering: type[Steering]


def tags(planned: Plan, host: Host) -> dict[str, str]:
    """What every taggable resource of a host carries; where it stands and on what, a lab can tell in no other way."""
    site = planned.sites[host.site]
    return {
        "venue": planned.venue,
        "site": host.site,
        "node": host.name,
        "role": host.role,
        "votingPower": str(host.voting_power),
        "at": site.place.id,
        "machine": host.machine,
        "account": site.account,
        **({"release": host.release} if host.release else {}),
    }


def labels(planned: Plan, host: Host) -> dict[str, str]:
    """The same as labels, for providers whose labels hold no capitals, slashes or dots: `voting-power`, `_` for `/`;
    the machine is the resource's own property there.
    """
    told = tags(planned, host)
    return {
        {"votingPower": "voting-power"}.get(key, key): value.replace("/", "_")
        for key, value in told.items()
        if key != "machine"
    }


def link_tags(planned: Plan, link: LinkPlan) -> dict[str, str]:
    """What every taggable resource of a link carries."""
    return {
        "venue": planned.venue,
        "link": link.name,
        "group": link.group,
        "kind": link.kind,
        "carrier": link.carrier,
        "preference": str(link.preference),
        **({"duct": link.duct} if link.duct else {}),
    }
