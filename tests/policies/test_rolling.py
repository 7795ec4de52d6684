"""What the pack lets one site do while it is that site's turn in a rollout."""

from __future__ import annotations

import json

import pytest

from policies.declared import Resource
from policies.rule import Settings
from policies.rules.keys import signer_ignores_boot_changes
from policies.rules.security import deletion_protected
from policies.tokens import GCP_INSTANCE, HCLOUD_SERVER


@pytest.mark.parametrize(
    ("site", "rolling", "allowed"),
    [("nbg", "nbg", True), ("hel", "nbg", False), ("nbg", None, False), (None, None, False)],
)
def test_only_the_site_that_rolls_takes_a_new_image(
    monkeypatch: pytest.MonkeyPatch, site: str | None, rolling: str | None, allowed: bool
) -> None:
    """A validator that takes changes is a violation, unless its own site is the one that the rollout names."""
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"diversite:rolling": rolling} if rolling else {}))
    labels = {"role": "validator", **({"site": site} if site else {})}
    server = Resource(urn="u", type=HCLOUD_SERVER, name="validator-nbg", inputs={"labels": labels})
    assert (list(signer_ignores_boot_changes.check(server, Settings())) == []) is allowed


@pytest.mark.parametrize(
    ("site", "opened", "allowed"), [("sto", "sto", True), ("ldn", "sto", False), ("sto", None, False)]
)
def test_only_the_site_that_is_opened_may_be_deleted(
    monkeypatch: pytest.MonkeyPatch, site: str, opened: str | None, allowed: bool
) -> None:
    """A machine without deletion protection is a violation, unless a rollout is about to make it anew."""
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"diversite:opened": opened} if opened else {}))
    inputs = {"labels": {"role": "validator", "site": site}, "deletionProtection": False}
    machine = Resource(urn="u", type=GCP_INSTANCE, name="validator", inputs=inputs)
    assert (list(deletion_protected.check(machine, Settings())) == []) is allowed
