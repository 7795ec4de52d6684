"""The pack says the same in the Pulumi CLI and offline. Skipped where there is no CLI."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

import offline
from tests.policies.cli import Cli, Told
from tests.policies.pack import CHECKOUT, PACK

TIGHT = {
    "latency": {"replicaRttMsMax": 5},
    "links": {"detectionMsMax": 100},
    "entrance": {"detectionMsMax": 100, "engineSitesMin": 9},
    "size": {"hostsMax": 3},
    "machine-known-and-small": {"vcpusMax": 1},
}
"""Bounds that the flagship cannot keep. The CLI refuses looser ones by the schema, before anything runs."""


@pytest.mark.cli
@pytest.mark.skipif(shutil.which("pulumi") is None, reason="no Pulumi CLI on the PATH")
def test_the_cli_and_the_offline_runner_find_the_same(tmp_path: Path) -> None:
    """Every finding over the stack is the same, word for word; of single resources as many, for the same reasons."""
    cli = Cli(tmp_path)
    theirs = cli.preview(TIGHT)
    preview = offline.preview(offline.Project.load(CHECKOUT), "lab", policies=PACK, policy_config=TIGHT)
    ours = sorted((item.policy, item.message.strip(), item.urn) for item in preview.policies)
    assert _over_the_stack(ours) == _over_the_stack(theirs)
    assert _counts(ours) == _counts(theirs)
    assert len(ours) > len(TIGHT)


def _over_the_stack(findings: Iterable[Told]) -> list[Told]:
    return [found for found in findings if found[0] != "machine-known-and-small"]


def _counts(findings: Iterable[Told]) -> Counter[tuple[str, str]]:
    """Which eight of many single resources are told depends on the order in which they come."""
    return Counter((policy, message) for policy, message, _ in findings if policy == "machine-known-and-small")
