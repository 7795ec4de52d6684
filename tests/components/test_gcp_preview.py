"""Google's part before Google's real plugin, by the real Pulumi CLI: it refuses what a recording takes.

No account is needed, and Google is not reached: the token is nobody's, and a proxy refuses every connection.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.components.recorded_gcp import joined, venue
from tests.policies.pack import CHECKOUT

MISSING = [name for name in ("pulumi", "pulumi-resource-gcp") if shutil.which(name) is None]
pytestmark = [
    pytest.mark.cli,
    pytest.mark.skipif(bool(MISSING), reason=f"not on the PATH: {', '.join(MISSING)}"),
]
SECONDS_MAX = 300
VENUE = "from tests.components.recorded_gcp import build, planned\nbuild(planned())\n"
ENDS = "from tests.components.recorded_gcp import build_ends, planned\nbuild_ends(planned('google-and-aws'))\n"
WRONG = """
import pulumi
import pulumi_gcp as gcp

from components.component import Component


class Wrong(Component):
    def __init__(self):
        super().__init__("wrong")
        gcp.compute.Address("wrong", region="europe-west2", network_tier="GOLD", project="p", opts=self.child())


Wrong()
"""


class Refuses(BaseHTTPRequestHandler):
    """Answers every request with a refusal, without a word."""

    def do_CONNECT(self) -> None:
        """Refuse a tunnel."""
        self.send_error(403)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class calls it so
        """Stay silent."""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """What the CLI runs with: a state, a login and a way out of its own, none of which leads anywhere."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refuses)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "state").mkdir()
    proxy = f"http://127.0.0.1:{server.server_port}"
    yield {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT),
        "HTTPS_PROXY": proxy,
        "HTTP_PROXY": proxy,
        "GOOGLE_OAUTH_ACCESS_TOKEN": "nobodys",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "tested",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    server.shutdown()
    server.server_close()


def test_the_plugin_takes_a_venue(tmp_path: Path, environment: Mapping[str, str]) -> None:
    """Every resource of a venue at Google alone passes the plugin's own checks, and is one that was recorded."""
    assert _previewed(tmp_path, environment, VENUE) == Counter(it.type for it in venue())


def test_the_plugin_takes_private_paths(tmp_path: Path, environment: Mapping[str, str]) -> None:
    """So do tunnels, attachments and the managed path."""
    assert _previewed(tmp_path, environment, ENDS) == Counter(it.type for it in joined())


def test_the_plugin_refuses_a_wrong_value(tmp_path: Path, environment: Mapping[str, str]) -> None:
    """The tests above can fail: the plugin does look at values."""
    ended = _preview(tmp_path, environment, WRONG)
    assert ended.returncode != 0
    assert "GOLD" in ended.stdout


def _previewed(directory: Path, environment: Mapping[str, str], program: str) -> Counter[str]:
    ended = _preview(directory, environment, program)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    steps = json.loads(ended.stdout)["steps"]
    assert {step["op"] for step in steps} == {"create"}
    return Counter(step["urn"].split("::")[2].rpartition("$")[2] for step in steps)


def _preview(directory: Path, environment: Mapping[str, str], program: str) -> subprocess.CompletedProcess[str]:
    (directory / "__main__.py").write_text(program)
    runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
    config = {"contacts": {"value": ["operators@venue.example"]}}
    project = {"name": "diversite", "runtime": runtime, "config": config}
    (directory / "Pulumi.yaml").write_text(json.dumps(project))
    created = _pulumi(directory, environment, "stack", "init", "google")
    assert created.returncode == 0, created.stderr
    return _pulumi(directory, environment, "preview", "--json", "--stack", "google")


def _pulumi(directory: Path, environment: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = ["pulumi", *words, "--non-interactive"]
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS_MAX
    )
