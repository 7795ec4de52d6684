"""The real CLI and this runner on one stack: either goes on from what the other left."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import offline
from offline import Step
from tests.support.toy_project import ToyProject, toy_project

PROGRAM = """
group = Group("group")
first = Thing("first", pulumi.ResourceOptions(parent=group), value=1, deep={"list": [1, {"flag": True}], "half": 0.5})
second = Thing("second", pulumi.ResourceOptions(parent=group), value=first.serial, key=pulumi.Output.secret("hush"))
Thing("third", pulumi.ResourceOptions(parent=group, depends_on=[first], ignore_changes=["value"]), value=3)
pulumi.export("serial", second.serial)
pulumi.export("key", pulumi.Output.secret({"a": 1}))
"""

pytestmark = [
    pytest.mark.cli,
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="the Pulumi CLI is not on the PATH"),
]


class Cli:
    """The real CLI with a backend in a directory."""

    def __init__(self, project: ToyProject, home: Path) -> None:
        self._project = project
        (home / "backend").mkdir(parents=True)
        self._environment = {
            **os.environ,
            "PULUMI_HOME": str(home),
            "PULUMI_BACKEND_URL": f"file://{home / 'backend'}",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }

    def __call__(self, *words: str) -> str:
        """Run a command on the stack and give what it printed."""
        result = subprocess.run(
            ["pulumi", *words, "--stack", "dev", "--non-interactive"],
            cwd=self._project.directory,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ToyProject:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "correct horse")
    return toy_project(tmp_path / "project", PROGRAM)


@pytest.fixture
def cli(project: ToyProject, tmp_path: Path) -> Cli:
    made = Cli(project, tmp_path / "home")
    made("stack", "init")
    return made


def test_the_cli_takes_over(project: ToyProject, cli: Cli) -> None:
    """After `stack import` the CLI finds everything as it should be: nothing to do, secrets readable."""
    assert offline.up(project.project, "dev").ok
    cli("stack", "import", "--file", str(project.project.state_file("dev")))
    assert "5 unchanged" in cli("up", "--yes", "--skip-preview")
    assert "hush" in cli("stack", "export", "--show-secrets")
    assert [operation for operation, _ in project.operations()] == ["create"] * 3


def test_this_runner_takes_over(project: ToyProject, cli: Cli) -> None:
    """What the CLI made and exported is taken over: nothing to do, and a destroy takes all of it away."""
    cli("up", "--yes", "--skip-preview")
    offline.take_over(project.project, "dev", cli("stack", "export"))
    assert offline.up(project.project, "dev").steps == {Step.SAME: 5}
    assert offline.destroy(project.project, "dev").ok
    assert not project.things()


def test_both_preview_the_same(project: ToyProject, cli: Cli) -> None:
    """Counts of a preview are the CLI's counts, for a first run and for a change."""
    assert "5 to create" in cli("preview")
    assert offline.preview(project.project, "dev").steps == {Step.CREATE: 5}
    assert offline.up(project.project, "dev").ok
    cli("stack", "import", "--file", str(project.project.state_file("dev")))
    project.program(PROGRAM.replace("value=1", "value=2").replace('"third"', '"fourth"'))
    told = cli("preview")
    assert offline.preview(project.project, "dev").steps == {
        Step.SAME: 3,
        Step.UPDATE: 1,
        Step.CREATE: 1,
        Step.DELETE: 1,
    }
    assert all(text in told for text in ("1 to create", "1 to update", "1 to delete", "3 unchanged"))
