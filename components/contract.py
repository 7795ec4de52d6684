"""What a sibling (aws, gcp, hcloud, lab) provides: the arguments of its components, and their shape as Protocols.

A sibling is a package with the classes named in `Sibling`. What it cannot do is absent: `holds_keys` asks whether a
machine has a capability, and no method raises in its stead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pulumi

from diversite import plan
from services import Paths, Service


@dataclass(frozen=True, kw_only=True)
class FoundationArgs:
    """What a sibling makes once for a venue."""

    plan: plan.Plan
    """The venue, decided."""
    owner: str
    """`<project>/<stack>`: who may change what is made."""


class Foundation(Protocol):
    """A sibling's ground: the lab's world, a cloud's provider objects and networks."""

    def __init__(self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...


@dataclass(frozen=True, kw_only=True)
class MachineArgs:
    """A host to make."""

    plan: plan.Plan
    """The venue, decided."""
    host: plan.Host
    """Which of its hosts."""
    foundation: Foundation
    """The ground it stands on."""
    gateway: Machine | None
    """The router of its site; None for a router."""


class Machine(Protocol):
    """A host with its disk, its firewall and its place in the site's network."""

    def __init__(self, name: str, args: MachineArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...

    def paths(self, service: str) -> Paths:
        """Where a service of this host keeps things."""
        ...

    def run(self, service: pulumi.Input[Service], name: str, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        """Run a service, started after others are ready. `name` is the service's own."""
        ...


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
    """Capability: the machine makes its own consensus keys and tells their public half."""

    def keys(self, service: str) -> pulumi.Output[PublicKeys]:
        """The public half of the keys below a service's data; made where they are missing."""
        ...


@dataclass(frozen=True, kw_only=True)
class LinkArgs:
    """A private link to make."""

    plan: plan.Plan
    """The venue, decided."""
    link: plan.LinkPlan
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


def tags(planned: plan.Plan, host: plan.Host) -> dict[str, str]:
    """What every taggable resource of a host carries."""
    return {
        "venue": planned.venue,
        "site": host.site,
        "node": host.name,
        "role": host.role,
        "votingPower": str(host.voting_power),
    }
