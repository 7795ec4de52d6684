"""A copy of the project with labs and states of its own, driven by the real command line.

The copy shares this checkout's environment and tools and nothing else, so a test may edit its topologies, and a lab
that a developer has running is never met.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import offline
from cli.stacks import LabStack
from diversite import stackfile
from diversite.plan import Plan, plan
from lab.layout import DIRECTORY_VARIABLE
from tests.end_to_end.census import Census

ROOT = Path(__file__).parents[2]
SHARED = (".venv", ".tools")
"""Too large to copy, and the same for every checkout."""
NOT_COPIED = (*SHARED, ".*", "tests", "docs", "build", "*.egg-info")
SECONDS_MAX = 300
"""A command that takes longer hangs."""


@dataclass(frozen=True)
class Checkout:
    """A copy of the project on disk."""

    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    """Goes before every command: who runs it."""

    @classmethod
    def make(cls, directory: Path) -> Checkout:
        """Copy the project, with the good stack files of the tests among its own."""
        shutil.copytree(ROOT, directory, ignore=shutil.ignore_patterns(*NOT_COPIED))
        for name in SHARED:
            (directory / name).symlink_to((ROOT / name).resolve())
        for path in (ROOT / "tests" / "stacks" / "good").glob("*.yaml"):
            shutil.copy(path, directory / "stacks")
        # The copy's packages come before those that its environment knows, which are this checkout's.
        ours = {"PYTHONPATH": str(directory), DIRECTORY_VARIABLE: str(directory / ".lab"), "COLUMNS": "200"}
        return cls(directory, {**os.environ, **ours})

    @property
    def labs(self) -> Path:
        """Where this copy's labs are."""
        return self.directory / ".lab"

    @property
    def project(self) -> offline.Project:
        """This copy, as the offline runner takes it."""
        return offline.Project.load(self.directory)

    def command(self, *arguments: str) -> list[str]:
        """The words of `diversite …`."""
        return [*self.prefix, str(self.directory / ".venv" / "bin" / "diversite"), *arguments]

    def run(self, *arguments: str, status: int = 0) -> str:
        """Run `diversite …` to its end and give all that it printed; fail unless it ends as expected."""
        ended = subprocess.run(
            self.command(*arguments),
            env=self.environment,
            cwd=self.directory,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS_MAX,
        )
        assert ended.returncode == status, f"diversite {' '.join(arguments)}: {ended.returncode}\n{ended.stdout}"
        return ended.stdout

    def start(self, log: Path, *arguments: str) -> subprocess.Popen[str]:
        """Start `diversite …`; what it prints goes to `log`."""
        with log.open("w") as out:
            return subprocess.Popen(
                self.command(*arguments),
                env=self.environment,
                cwd=self.directory,
                text=True,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def topology_file(self, topology: str) -> Path:
        """A stack file of this copy."""
        return self.directory / "stacks" / f"{topology}.yaml"

    def edit(self, topology: str, before: str, after: str) -> None:
        """Replace a piece of a stack file that is there exactly once."""
        path = self.topology_file(topology)
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{before!r} is {text.count(before)} times in {path}"
        path.write_text(text.replace(before, after), encoding="utf-8")

    def plan(self, topology: str) -> Plan:
        """A venue of this copy, decided."""
        return plan(stackfile.load(self.topology_file(topology)))

    def preview(self, topology: str) -> offline.Preview:
        """What `up` would do."""
        stack = LabStack(topology=topology)
        return offline.preview(self.project, stack.name, config=stack.config)

    def census(self) -> Census:
        """What of this copy's labs is on the machine."""
        return Census.of(self.labs)


def counts(printed: str) -> dict[str, int]:
    """What a deployment said that it did: how many resources by step; empty when nothing changed."""
    (told,) = re.findall(r"^deployed in [\d.]+ s: (.*)$", printed, re.MULTILINE)
    return {step: int(count) for count, step in re.findall(r"(\d+) (\w+)", told)}


def running(services: Iterable[object]) -> bool:
    """Whether there are services and all of them are up."""
    found = [getattr(service, "up", False) for service in services]
    return bool(found) and all(found)
