"""CometBFT's keys, made on a host and kept there; only their public parts are told."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab import disk, host
from lab.files import JsonObject, write
from lab.inputs import KeysInputs
from lab.world import World

KEY_MODE = 0o600
VALIDATOR_KEY = "config/priv_validator_key.json"
NODE_KEY = "config/node_key.json"
VALIDATOR_STATE = "data/priv_validator_state.json"


@dataclass(frozen=True, kw_only=True)
class PublicKeys:
    """What others may know of a validator."""

    validator_public_key: str
    """base64 of the Ed25519 key."""
    validator_address: str
    """Upper-case hex, 20 bytes."""
    node_id: str
    """Lower-case hex, 20 bytes."""
    created_at: str
    """When the validator's key was made, RFC 3339 in UTC: no block of its chain can be older."""


def create(world: World, inputs: KeysInputs) -> PublicKeys:
    """Make what is missing, never overwriting a key, and tell the public parts."""
    host.require(world, inputs.host)
    home = world.seen(Path(inputs.path))
    made = [
        _write_new(home / VALIDATOR_KEY, _validator_key),
        _write_new(home / NODE_KEY, _node_key),
        _write_new(home / VALIDATOR_STATE, _empty_state),
    ]
    if any(made):
        disk.sync(world, inputs.host)
    return _public(home)


def delete(world: World, inputs: KeysInputs) -> None:
    """Remove the keys and the signing state; what is gone already is no failure."""
    home = world.seen(Path(inputs.path))
    for name in (VALIDATOR_KEY, NODE_KEY, VALIDATOR_STATE):
        (home / name).unlink(missing_ok=True)


def find(world: World, inputs: KeysInputs) -> PublicKeys | None:
    """The public parts of the keys that are there; None if one is missing."""
    home = world.seen(Path(inputs.path))
    return _public(home) if (home / VALIDATOR_KEY).is_file() and (home / NODE_KEY).is_file() else None


def outputs(keys: PublicKeys) -> JsonObject:
    """The public parts under the names that Pulumi sees."""
    parts = asdict(keys)
    return {
        "validatorPublicKey": parts["validator_public_key"],
        "validatorAddress": parts["validator_address"],
        "nodeId": parts["node_id"],
        "createdAt": parts["created_at"],
    }


def _public(home: Path) -> PublicKeys:
    validator = json.loads((home / VALIDATOR_KEY).read_text())
    node_private = base64.b64decode(json.loads((home / NODE_KEY).read_text())["priv_key"]["value"])
    return PublicKeys(
        validator_public_key=validator["pub_key"]["value"],
        validator_address=validator["address"],
        node_id=_address(node_private[32:]).lower(),
        created_at=_time_of(home / VALIDATOR_KEY),
    )


def _time_of(path: Path) -> str:
    return datetime.fromtimestamp(int(path.stat().st_mtime), UTC).isoformat().replace("+00:00", "Z")


def _write_new(path: Path, content: Callable[[], JsonObject]) -> bool:
    if path.exists():
        return False
    write(path, json.dumps(content(), indent=2) + "\n", KEY_MODE)
    return True


def _validator_key() -> JsonObject:
    private, public = _new_pair()
    return {
        "address": _address(public),
        "pub_key": {"type": "tendermint/PubKeyEd25519", "value": base64.b64encode(public).decode()},
        "priv_key": _private_key(private, public),
    }


def _node_key() -> JsonObject:
    return {"priv_key": _private_key(*_new_pair())}


def _empty_state() -> JsonObject:
    return {"height": "0", "round": 0, "step": 0}


def _private_key(private: bytes, public: bytes) -> JsonObject:
    # CometBFT keeps the seed and the public key together, 64 bytes.
    return {"type": "tendermint/PrivKeyEd25519", "value": base64.b64encode(private + public).decode()}


def _new_pair() -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415  as `certificates`

    key = Ed25519PrivateKey.generate()
    return key.private_bytes_raw(), key.public_key().public_bytes_raw()


def _address(public: bytes) -> str:
    return hashlib.sha256(public).digest()[:20].hex().upper()
