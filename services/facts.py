"""What no plan can know: the public halves of keys that are made on the hosts, and when the chain began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ValidatorKeys:
    """The public half of a validator's keys."""

    public_key: str
    """Base64 of the ed25519 key that signs votes."""
    address: str
    """Upper-case hex: the first 20 bytes of the key's SHA-256."""
    node_id: str
    """Lower-case hex: how its peers know the node."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The keys of every validator of a plan, and the genesis time."""

    validators: Mapping[str, ValidatorKeys]
    """By the validator's key in the topology."""
    genesis_time: str
    """RFC 3339, UTC, the same for the life of the chain."""
