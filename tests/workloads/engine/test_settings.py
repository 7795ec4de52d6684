"""Settings and rules: every problem is named with its key, and what is written is read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.engine.test_state import STRICT
from workloads.engine.settings import (
    MarketRules,
    Rules,
    SettingsError,
    app_state,
    load_settings,
    parse_app_state,
    rules_bytes,
)

GOOD: dict[str, Any] = {
    "abci": "10.0.0.3:26658",
    "http": "10.0.0.3:8080",
    "rpc": "http://10.0.0.2:26657",
    "data": "/data",
    "site": "par",
}


def written(tmp_path: Path, **change: Any) -> Path:
    """A settings file with something changed."""
    path = tmp_path / "engine.json"
    path.write_text(json.dumps(GOOD | change))
    return path


def test_the_least_settings_are_enough(tmp_path: Path) -> None:
    """Addresses, data and site are all that must be said."""
    settings = load_settings(written(tmp_path))
    assert (settings.persist_every_blocks, settings.ready_stall_seconds_max) == (100, 3.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"abci": "tcp://10.0.0.3:26658"}, "abci: .*without a scheme"),
        ({"http": "10.0.0.3"}, "http: .*<address>:<port>"),
        ({"rpc": "10.0.0.2:26657"}, "rpc: "),
        ({"persist_every_blocks": 0}, "persist_every_blocks: .*greater than or equal to 1, not 0"),
        ({"snapshot_every_blocks": 150}, "150 is not a multiple of persist_every_blocks, 100"),
        ({"ready_stall_seconds_max": 2, "colour": "red"}, "colour: Extra inputs"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """The file, the key, the value and what is allowed are in the message."""
    with pytest.raises(SettingsError, match=message) as error:
        load_settings(written(tmp_path, **change))
    assert str(error.value).startswith(str(tmp_path / "engine.json"))


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Two wrong settings give two lines."""
    with pytest.raises(SettingsError) as error:
        load_settings(written(tmp_path, site="", data=""))
    assert len(str(error.value).splitlines()) == 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """No file, no guess."""
    with pytest.raises(SettingsError, match=r"none\.json: cannot be read"):
        load_settings(tmp_path / "none.json")


def test_rules_survive_genesis() -> None:
    """What goes into genesis.json comes out of it, in any order of keys."""
    text = json.dumps(app_state(STRICT))
    assert parse_app_state(text.encode()) == STRICT
    turned = dict(reversed(app_state(STRICT).items()))
    assert rules_bytes(parse_app_state(json.dumps(turned).encode())) == rules_bytes(STRICT)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({}, "markets: Field required"),
        ({"markets": {}}, "markets: .*at least 1"),
        ({"markets": {"BTC PERP": {}}}, "markets.BTC PERP"),
        ({"markets": {"M": {"tick": 0}}}, "markets.M.tick"),
        ({"markets": {"M": {"tick": 0.5}}}, "markets.M.tick"),
        ({"markets": {"M": {}}, "operators": ["c2hvcnQ="]}, "operators.0: .*not of 5 bytes"),
        ({"markets": {"M": {}}, "operators": ["?"]}, "operators.0: .*must be base64"),
    ],
)
def test_a_wrong_rule_is_named(rules: dict[str, Any], message: str) -> None:
    """Genesis is refused with the key that is wrong."""
    with pytest.raises(SettingsError, match=message):
        parse_app_state(json.dumps(rules).encode())


def test_rules_need_only_a_market() -> None:
    """Everything else has a default, and defaults are written out, so all engines share them."""
    assert app_state(Rules(markets={"M": MarketRules()}))["gap_seconds_max"] == 60
