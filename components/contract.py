"""What a sibling (aws, gcp, hcloud, lab) provides: the arguments of its components, and their shape as Protocols.

A sibling is a package with the classes named in `Sibling`. What it cannot do is absent: `holds_keys` asks whether a
machine has a capability, and no method raises in its stead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pulumi

from diversite.plan import Host, LinkPlan, Plan
from services import PathsOf, Service


@dataclass(frozen=True, kw_only=True)
class FoundationArgs:
    """What a sibling makes once for a venue."""

    plan: Plan
    """The venue, decided."""
    owner: str
    """`<project>/<stack>`: who may change what is made."""


class Foundation(Protocol):
    """A sibling's ground: the lab's world, a cloud's provider objects and networks."""

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

    def start(self, service: pulumi.Output[Service], name: str, after: Sequence[pulumi.Resource]) -> None:
        """Start a service called `name` that could be rendered only now, once others are ready."""
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
    """A private link between two sites."""

    def __init__(self, name: str, args: LinkArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...


class Sibling(Protocol):
    """The package of a sibling."""

    Foundation: type[Foundation]
    Machine: type[Machine]
    Link: type[Link]

    def paths(self, host: Host) -> PathsOf:
        """Where the services of a host keep things, by the service's name."""
        ...


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
