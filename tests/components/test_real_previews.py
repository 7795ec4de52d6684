"""Previews with the real Pulumi CLI and the clouds' real plugins, which check far more values than a recording does.

No account is needed, and nothing of a cloud is asked: tokens are of the right form and nobody's.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import offline
from diversite import stackfile
from diversite.plan import Plan, plan
from tests.components.recorded import ROOT, TOKEN, program, settings

pytestmark = [
    pytest.mark.cli,
    pytest.mark.skipif(
        shutil.which("pulumi") is None, reason="the Pulumi CLI is not on the PATH: no plugin checks what is declared"
    ),
]

PLUGINS = {"aws": "pulumi-resource-aws", "gcp": "pulumi-resource-gcp", "hetzner": "pulumi-resource-hcloud"}
STACKS = sorted(path.stem for path in (ROOT / "stacks").glob("*.yaml") if not path.name.startswith("Pulumi."))
PROGRAM = ("Pulumi.yaml", "__main__.py", "components", "diversite", "services", "lab", "offline", "workloads")
SECONDS_MAX = 300
CREDENTIALS = {
    "HCLOUD_TOKEN": TOKEN,
    "GOOGLE_OAUTH_ACCESS_TOKEN": "nobodys",
    "AWS_ACCESS_KEY_ID": "nobodys",
    "AWS_SECRET_ACCESS_KEY": "nobodys",
}


@pytest.mark.parametrize("stack", STACKS)
def test_the_plugins_take_what_is_declared(stack: str, tmp_path: Path) -> None:
    """Every resource of a stack passes its plugin's own checks without a warning; the recording has the same ones."""
    planned = plan(stackfile.load(ROOT / "stacks" / f"{stack}.yaml"))
    _require_plugins(planned)
    previewed = _preview(_project(tmp_path), stack)
    recorded = offline.record(program(planned, "cloud"), **{**settings(), "stack": stack})
    assert {step["op"] for step in previewed["steps"]} == {"create"}
    assert sorted(step["urn"] for step in previewed["steps"]) == sorted(it.urn for it in recorded)
    told = [it["message"] for it in previewed.get("diagnostics", ()) if it.get("severity") != "info"]
    assert [message for message in told if "resource plugin" not in message and "from $PATH" not in message] == []


def _require_plugins(planned: Plan) -> None:
    wanted = {PLUGINS[site.place.provider] for site in planned.sites.values()}
    wanted |= {PLUGINS["aws"]} if planned.topology.steering else set()
    if missing := sorted(plugin for plugin in wanted if shutil.which(plugin) is None):
        pytest.skip(f"not on the PATH: {', '.join(missing)}")


def _project(directory: Path) -> Path:
    """The project with stack settings of its own: the CLI writes a salt into them."""
    project = directory / "project"
    project.mkdir()
    shutil.copytree(ROOT / "stacks", project / "stacks")
    for name in PROGRAM:
        (project / name).symlink_to(ROOT / name)
    (project / ".venv").symlink_to(sys.prefix)
    return project


def _preview(project: Path, stack: str) -> Any:
    state = project.parent / "state"
    state.mkdir()
    environment = {
        **os.environ,
        **CREDENTIALS,
        "PULUMI_HOME": str(project.parent / "home"),
        "PULUMI_BACKEND_URL": f"file://{state}",
        "PULUMI_CONFIG_PASSPHRASE": "tested",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    _pulumi(project, environment, "stack", "init", stack)
    return json.loads(_pulumi(project, environment, "preview", "--json", "--stack", stack))


def _pulumi(project: Path, environment: dict[str, str], *arguments: str) -> str:
    ended = subprocess.run(
        ["pulumi", *arguments, "--non-interactive"],
        env=environment,
        cwd=project,
        check=False,
        text=True,
        capture_output=True,
        timeout=SECONDS_MAX,
    )
    assert ended.returncode == 0, f"pulumi {' '.join(arguments)}:\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout
