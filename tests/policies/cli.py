"""The Pulumi CLI on a copy of the project that shares everything but its stacks' settings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.components.recorded import TOKEN
from tests.policies.pack import CHECKOUT

Told = tuple[str, str, str]
"""Policy, message, and the URN of the resource; the last is empty where the stack is concerned."""


class Cli:
    """The CLI with a state of its own in a directory, and one stack in it. It keeps its settings in the copy."""

    def __init__(self, directory: Path, stack: str = "lab") -> None:
        self._stack = stack
        self._project = directory / "project"
        self._project.mkdir()
        for path in CHECKOUT.iterdir():
            if path.name not in ("stacks", ".git", ".state"):
                (self._project / path.name).symlink_to(path)
        shutil.copytree(CHECKOUT / "stacks", self._project / "stacks")
        (directory / "state").mkdir()
        self._environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{directory / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "passphrase",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true",
            "HCLOUD_TOKEN": TOKEN,
        }
        self._run("stack", "init", stack)

    def preview(self, settings: Mapping[str, Mapping[str, Any]] | None = None) -> list[Told]:
        """What the pack says of the stack, sorted."""
        path = self._project / "settings.json"
        path.write_text(json.dumps(settings or {}))
        output = self._run(
            "preview", "--stack", self._stack, "--policy-pack", "policies", "--json", "--policy-pack-config", str(path)
        )
        events = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        found = [event["policyEvent"] for event in events if "policyEvent" in event]
        return sorted((item["policyName"], _said(item["message"]), _urn(item)) for item in found)

    def _run(self, *words: str) -> str:
        command = ["pulumi", *words, "--non-interactive"]
        result = subprocess.run(
            command, cwd=self._project, env=self._environment, capture_output=True, text=True, check=False
        )
        return result.stdout


def _said(message: str) -> str:
    """Without the policy's description, which the SDK puts before it on a line of its own."""
    return message.partition("\n")[2].strip()


def _urn(event: Mapping[str, Any]) -> str:
    """The CLI blames the stack itself where a policy blames no resource."""
    urn = str(event.get("resourceUrn", ""))
    return "" if "::pulumi:pulumi:Stack::" in urn else urn
