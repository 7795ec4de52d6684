"""The real Pulumi CLI and the offline runner, on one lab in turn: either goes on from the other's state."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

import offline
from lab import control
from offline import Step
from tests.end_to_end.checkout import Checkout, counts, running
from tests.end_to_end.conftest import FOUR, LAB

pytestmark = [
    pytest.mark.lab,
    pytest.mark.cli,
    pytest.mark.skipif(
        shutil.which("pulumi") is None, reason="the Pulumi CLI is not on the PATH: what it does is not compared"
    ),
]

SECONDS_MAX = 600


class Pulumi:
    """The real CLI on a copy of the project, with a file for a backend: no login, no network."""

    def __init__(self, checkout: Checkout, directory: Path) -> None:
        self._checkout = checkout
        self._environment = {**checkout.environment, **_settings(directory)}
        (directory / "state").mkdir(parents=True)
        self.run("stack", "init", LAB)
        self.run("config", "set", "diversite:topology", FOUR)
        self.run("config", "set", "diversite:substrate", "lab")

    def run(self, *arguments: str) -> str:
        """Run `pulumi …` on the stack to its end and give what it printed; fail unless it succeeds."""
        stack = [] if arguments[:2] == ("stack", "init") else ["--stack", LAB]
        ended = subprocess.run(
            ["pulumi", *arguments, *stack, "--non-interactive"],
            env=self._environment,
            cwd=self._checkout.directory,
            check=False,
            text=True,
            capture_output=True,
            timeout=SECONDS_MAX,
        )
        assert ended.returncode == 0, f"pulumi {' '.join(arguments)}:\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def types(self) -> Mapping[str, str]:
        """The type of every resource of the state, by URN; objects that stand for providers left out."""
        resources = json.loads(self.run("stack", "export"))["deployment"]["resources"]
        return {it["urn"]: it["type"] for it in resources if not it["type"].startswith("pulumi:providers:")}


def _settings(directory: Path) -> dict[str, str]:
    return {
        "PULUMI_HOME": str(directory / "home"),
        "PULUMI_BACKEND_URL": f"file://{directory}/state",
        "PULUMI_CONFIG_PASSPHRASE": "tested",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # The host lists every pulumi package of the environment as required, the clouds' among them.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def test_either_engine_goes_on_from_the_other(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pulumi up`, taken over offline, changed there, handed back, destroyed by `pulumi`: nothing is made twice."""
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "tested")
    pulumi = Pulumi(checkout, tmp_path / "pulumi")
    pulumi.run("up", "--yes", "--skip-preview")
    assert all(running(it.services.values()) for it in control.status(LAB).hosts.values() if it.services)
    declared = pulumi.types()

    offline.take_over(checkout.project, LAB, pulumi.run("stack", "export", "--show-secrets"))
    previewed = checkout.preview(FOUR)
    assert [it.urn for it in previewed.resources if it.step is not Step.SAME] == []
    assert {it.urn: it.type for it in previewed.resources} == declared

    before = "nbg: {site: nbg, machine: ccx13}"
    checkout.edit(FOUR, before, before.replace("}", ", orders_per_second_per_client_max: 321}"))
    assert counts(checkout.run("lab", "up", FOUR)) == {"updated": 1}

    pulumi.run("stack", "import", "--file", str(checkout.project.state_file(LAB)))
    assert pulumi.types() == declared
    pulumi.run("preview", "--expect-no-changes")
    pulumi.run("refresh", "--yes", "--skip-preview", "--expect-no-changes")

    pulumi.run("destroy", "--yes", "--skip-preview")
    assert control.labs() == []
