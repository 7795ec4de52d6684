"""What no plan can know: the public halves of keys that are made on the hosts, and when the chain began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from diversite.genesis import Genesis
from diversite.keys import PublicHalves


@dataclass(frozen=True, kw_only=True)
class ValidatorKeys:
    """The public half of a validator's keys."""

    public_key: str
    """Base64 of the ed25519 key that signs votes."""
    address: str
    """Upper-case hex: the first 20 bytes of the key's SHA-256."""
    node_id: str
    """Lower-case hex: how its peers know the node."""


NO_VALIDATORS: Mapping[str, ValidatorKeys] = {}
NO_TUNNELS: Mapping[str, Mapping[str, str]] = {}
NO_CERTIFICATES: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The keys of the validators of a plan, those of its tunnels in clouds, and what the chain began with."""

    validators: Mapping[str, ValidatorKeys] = field(default_factory=lambda: NO_VALIDATORS)
    """By the validator's key in the topology; one that joins may not have told its keys yet."""
    genesis: Genesis | None = None
    """The same for the life of the chain, whatever becomes of the plan; None where nobody asks."""
    tunnels: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: NO_TUNNELS)
    """Base64 of the WireGuard key of each link's end, by site and then by the link's name; a lab has none."""
    certificates: Mapping[str, str] = field(default_factory=lambda: NO_CERTIFICATES)
    """PEM of the certificate of each member of a store, queue or active-passive engine, by the host's name."""


def facts_of(halves: PublicHalves) -> Facts:
    """What a stack's keys file says, as services take it."""
    return Facts(
        validators={
            name: ValidatorKeys(public_key=half.public_key, address=half.address, node_id=half.node_id)
            for name, half in halves.validators.items()
        },
        genesis=halves.genesis,
        tunnels=halves.tunnels,
        certificates={name: "".join(texts) for name, texts in halves.certificates.items()},
    )
