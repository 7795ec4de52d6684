"""A wrong input is told by its property's path, its value and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from lab.provider import check, diff
from lab.resources import BY_TOKEN
from lab.values import UNKNOWN

HOST: dict[str, Any] = {"world": "w", "name": "h", "site": "s", "kind": "host", "networks": []}
END = {"host": "a", "interface": "eth0", "address": "10.0.0.1/30"}
WIRE: dict[str, Any] = {"world": "w", "name": "x", "a": END, "b": {**END, "host": "b"}, "delayMicroseconds": 5}
SERVICE: dict[str, Any] = {"world": "w", "host": "h", "name": "s", "command": ["true"], "files": {}, "restart": True}
KEYS = {"world": "w", "host": "h", "path": "/run/lab/hosts/h/data/cometbft", "kind": "cometbft"}
GOOD: dict[str, dict[str, Any]] = {
    "World": {"name": "w", "owner": "p/s"},
    "Host": HOST,
    "Wire": WIRE,
    "Service": SERVICE,
    "Keys": KEYS,
}

WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("World", {"name": "Not a name"}, "name", "'Not a name'"),
    ("World", {"owner": ""}, "owner", "at least 1"),
    ("World", {"surplus": 1}, "surplus", "not a property"),
    ("Host", {"kind": "switch"}, "kind", "'host' or 'router'"),
    ("Host", {"gateway": "10.0.0.300"}, "gateway", "'10.0.0.300'"),
    ("Host", {"dataMebibytes": -1}, "dataMebibytes", "-1"),
    ("Host", {"dataMebibytes": 3}, "dataMebibytes", "at least 8"),
    ("Host", {"sysctls": {"net;rm": "1"}}, 'sysctls["net;rm"]', "pattern"),
    (
        "Host",
        {"networks": [{"name": "lan", "interface": "an-interface-too-long", "address": "10.0.0.1/24"}]},
        "networks[0].interface",
        "15 characters",
    ),
    ("Wire", {"delayMicroseconds": -5}, "delayMicroseconds", "-5"),
    ("Wire", {"lossPerMillion": 1_000_001}, "lossPerMillion", "1000001"),
    ("Wire", {"b": END}, "b", "joins two hosts"),
    ("Wire", {"a": {**END, "address": "10.0.0.1/99"}}, "a.address", "'10.0.0.1/99'"),
    ("Service", {"command": []}, "command", "at least 1"),
    ("Service", {"files": {"/etc/passwd": "x"}}, "files", "below /run/lab/hosts/h,"),
    ("Service", {"files": {"/run/lab/hosts/other/etc/x": "x"}}, "files", "below /run/lab/hosts/h,"),
    ("Service", {"files": {"/run/lab/hosts/h/../x": "x"}}, "files", "without '..'"),
    ("Service", {"ready": {"kind": "http"}}, "ready", "needs an address"),
    ("Service", {"ready": {"kind": "tcp", "address": "engine"}}, "ready.address", "'engine'"),
    ("Keys", {"path": "/root"}, "path", "below /run/lab/hosts/h,"),
    ("Keys", {"kind": "ssh"}, "kind", "'cometbft'"),
]


@pytest.mark.parametrize("kind", GOOD)
def test_good_inputs_pass(kind: str) -> None:
    """Inputs that keep every rule have no failure."""
    assert check(BY_TOKEN[f"lab:index:{kind}"], GOOD[kind]) == []


@pytest.mark.parametrize(("kind", "wrong", "path", "said"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_property_is_named(kind: str, wrong: dict[str, Any], path: str, said: str) -> None:
    """One wrong property gives one failure, which names it and says what is allowed."""
    failures = check(BY_TOKEN[f"lab:index:{kind}"], {**GOOD[kind], **wrong})
    assert [failure[0] for failure in failures] == [path]
    assert said in failures[0][1]


@pytest.mark.parametrize("kind", GOOD)
def test_every_missing_property_is_named(kind: str) -> None:
    """No inputs at all name every required property at once."""
    resource = BY_TOKEN[f"lab:index:{kind}"]
    required = {field.alias for field in resource.inputs.model_fields.values() if field.is_required()}
    assert {path for path, _ in check(resource, {})} == required


@pytest.mark.parametrize("kind", GOOD)
def test_an_unknown_property_is_not_judged(kind: str) -> None:
    """What only the real run will know is no failure in a preview."""
    resource = BY_TOKEN[f"lab:index:{kind}"]
    for name in GOOD[kind]:
        assert check(resource, {**GOOD[kind], name: UNKNOWN}) == []


def test_a_nested_unknown_hides_no_other_failure() -> None:
    """One unknown property leaves the others judged."""
    given = {**WIRE, "a": {**END, "host": UNKNOWN}, "delayMicroseconds": -1}
    assert [path for path, _ in check(BY_TOKEN["lab:index:Wire"], given)] == ["delayMicroseconds"]


def test_a_default_spelled_out_is_no_change() -> None:
    """Two inputs that mean the same do not differ."""
    assert diff(BY_TOKEN["lab:index:Service"], SERVICE, {**SERVICE, "environment": {}, "tags": {}}) == {}


def test_outputs_are_no_change() -> None:
    """What the provider computed does not differ from inputs that lack it."""
    assert diff(BY_TOKEN["lab:index:World"], {**GOOD["World"], "pid": 7, "images": True}, GOOD["World"]) == {}


@pytest.mark.parametrize("kind", GOOD)
def test_a_new_name_is_a_replacement(kind: str) -> None:
    """A resource is not renamed in place."""
    resource = BY_TOKEN[f"lab:index:{kind}"]
    renamed = "path" if kind == "Keys" else "name"
    changed = diff(resource, GOOD[kind], {**GOOD[kind], renamed: "/run/lab/hosts/h/data/x" if kind == "Keys" else "x2"})
    assert [change.name for change in changed.values()] == ["UPDATE_REPLACE"]


def test_a_wire_changes_its_delay_in_place() -> None:
    """Delay, jitter, loss and carrier need no replacement."""
    wanted = {**WIRE, "delayMicroseconds": 9, "jitterMicroseconds": 1, "lossPerMillion": 2, "carrier": "c"}
    changed = diff(BY_TOKEN["lab:index:Wire"], WIRE, wanted)
    assert set(changed) == {"delayMicroseconds", "jitterMicroseconds", "lossPerMillion", "carrier"}
    assert not any("REPLACE" in change.name for change in changed.values())
