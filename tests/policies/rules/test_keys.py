"""Signers and what they sign with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies import tokens
from policies.declared import Resource
from policies.rules import keys
from policies.venue import Venue
from tests.policies import asked
from tests.policies.venues import CASES


@pytest.mark.parametrize(("blocks", "passes"), [(10, True), (9, False)])
def test_a_signer_looks_back_as_far_as_the_bound(blocks: int, passes: bool) -> None:
    """Ten blocks are enough where ten are the least."""
    venue = asked.venue_of(len(CASES))
    config = f"[consensus]\ndouble_sign_check_height = {blocks}\n"
    services = {
        urn: replace(item, inputs={**item.inputs, "files": {"/config.toml": config}})
        for urn, item in venue.resources.items()
        if item.type == tokens.LAB_SERVICE
    }
    changed = Venue(resources={**venue.resources, **services}, expected=venue.expected)
    assert (not list(keys.double_sign_check.check(changed, keys.Keys()))) is passes


@pytest.mark.parametrize("path", ["ebsBlockDevices", "rootBlockDevice"])
@pytest.mark.parametrize(("disk", "passes"), [({"volumeSize": 20}, True), ({"snapshotId": "snap-1"}, False)])
def test_no_disk_of_a_signers_instance_is_a_snapshot(path: str, disk: dict[str, Any], passes: bool) -> None:
    """An old sign state may lie on any disk of an instance."""
    inputs = {"tags": {"role": "validator"}, path: [disk]}
    signer = Resource(urn="r", name="r", type=tokens.AWS_INSTANCE, inputs=inputs)
    rule = keys.no_signer_disk_from_snapshot
    assert (not list(rule.check(signer, rule.settings()))) is passes
