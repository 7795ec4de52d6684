"""A project on disk whose program and plugin are a test's own: `toy_project(directory, program)`."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import offline

_PROVIDER = Path(__file__).with_name("toy_provider.py")
_CHECKOUT = Path(__file__).parents[2]

PRELUDE = """
import json
import pulumi

class Thing(pulumi.CustomResource):
    serial: pulumi.Output[str]
    def __init__(self, name, opts=None, **inputs):
        super().__init__("toy:index:Thing", name, {**inputs, "serial": None}, opts)

class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("toy:index:Group", name, {}, opts)

configuration = pulumi.Config()
"""


@dataclass(frozen=True)
class ToyProject:
    """A project, and the world that its plugin writes to."""

    directory: Path
    world: Path

    @property
    def project(self) -> offline.Project:
        """The project as it is on disk now."""
        return offline.Project.load(self.directory)

    def program(self, text: str) -> None:
        """Replace the program; `Thing`, `Group` and `configuration` are defined before it."""
        (self.directory / "__main__.py").write_text(PRELUDE + text)

    def log(self) -> list[dict[str, Any]]:
        """What the plugin did, in order; names instead of URNs."""
        path = self.world / "log"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [{**line, "name": line["urn"].rpartition("::")[2]} for line in lines]

    def operations(self) -> list[tuple[str, str]]:
        """Operation and name of what the plugin did, in order, reading and beginnings left out."""
        return [(item["operation"], item["name"]) for item in self.log() if item["operation"] in _TOLD]

    def things(self) -> Counter[str]:
        """How many things of each name are there."""
        found = [json.loads(path.read_text())["urn"] for path in self.world.glob("thing-*.json")]
        return Counter(urn.rpartition("::")[2] for urn in found)

    def forget_log(self) -> None:
        """Start the log anew."""
        (self.world / "log").unlink(missing_ok=True)


_TOLD = ("create", "update", "delete")


def toy_project(directory: Path, text: str = "", *, extra: Mapping[str, str] | None = None) -> ToyProject:
    """Write a project with the toy plugin; its program is `text`. `extra` are more files, by name."""
    world = directory / "world"
    plugin = directory / "plugin" / "pulumi-resource-toy"
    for folder in (world, plugin.parent, directory / "stacks"):
        folder.mkdir(parents=True, exist_ok=True)
    plugin.write_text(_script(world))
    plugin.chmod(0o755)
    (directory / "Pulumi.yaml").write_text(
        f"name: toys\nruntime:\n  name: python\n  options:\n    virtualenv: {sys.prefix}\nstackConfigDir: stacks\n"
        "plugins:\n  providers:\n    - name: toy\n      path: plugin\n"
    )
    for name, content in (extra or {}).items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(content)
    made = ToyProject(directory, world)
    made.program(text)
    return made


def _script(world: Path) -> str:
    path = f"{_CHECKOUT}{os.pathsep}" + os.environ.get("PYTHONPATH", "")
    return (
        f"#!/bin/sh\nTOY_WORLD='{world}' TOY_IDEMPOTENT=${{TOY_IDEMPOTENT:-1}} PYTHONPATH='{path}' "
        f"exec '{sys.executable}' '{_PROVIDER}' \"$@\"\n"
    )
