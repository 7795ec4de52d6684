"""Keys are made once, kept on the host, and told only in their public parts."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
from pathlib import Path

import pytest

from lab import host, keys
from lab.inputs import KeysInputs
from lab.world import World
from tests.lab.conftest import NAME, machine

pytestmark = pytest.mark.lab

HOME = "/run/lab/hosts/h1/data/cometbft"
INPUTS = KeysInputs(world=NAME, host="h1", path=HOME, kind="cometbft")


@pytest.fixture
def home(made: World) -> Path:
    """CometBFT's home on a host, as seen from outside."""
    host.create(made, machine("h1"))
    return made.seen(Path(HOME))


def test_keys_are_made_once(made: World, home: Path) -> None:
    """Creating keys that are there gives the same keys."""
    assert keys.create(made, INPUTS) == keys.create(made, INPUTS) == keys.find(made, INPUTS)


def test_the_address_is_the_keys_own(made: World, home: Path) -> None:
    """CometBFT's address is the first 20 bytes of the key's SHA-256."""
    made_keys = keys.create(made, INPUTS)
    public = base64.b64decode(made_keys.validator_public_key)
    assert hashlib.sha256(public).hexdigest()[:40].upper() == made_keys.validator_address
    assert made_keys.created_at.endswith("Z")


def test_private_keys_are_for_the_owner_only(made: World, home: Path) -> None:
    """No one else can read a key, and the outputs hold none."""
    made_keys = keys.create(made, INPUTS)
    for name in (keys.VALIDATOR_KEY, keys.NODE_KEY, keys.VALIDATOR_STATE):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
    private = json.loads((home / keys.VALIDATOR_KEY).read_text())["priv_key"]["value"]
    assert private not in json.dumps(keys.outputs(made_keys))


def test_a_signing_state_is_never_overwritten(made: World, home: Path) -> None:
    """Forgetting what was signed would let a validator sign twice."""
    keys.create(made, INPUTS)
    (home / keys.VALIDATOR_STATE).write_text('{"height": "7"}')
    (home / keys.NODE_KEY).unlink()
    assert keys.find(made, INPUTS) is None
    keys.create(made, INPUTS)
    assert json.loads((home / keys.VALIDATOR_STATE).read_text()) == {"height": "7"}


def test_cometbft_reads_the_keys(made: World, home: Path) -> None:
    """CometBFT itself derives the same node identity and validator."""
    made_keys = keys.create(made, INPUTS)
    shown = made.run(["cometbft", "show-node-id", "--home", HOME], host="h1").strip()
    validator = json.loads(made.run(["cometbft", "show-validator", "--home", HOME], host="h1"))
    assert shown == made_keys.node_id
    assert validator["value"] == made_keys.validator_public_key
