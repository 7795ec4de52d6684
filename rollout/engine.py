"""The Pulumi CLI as a rollout's hands.

`pulumi up --config key=value` writes the value into the stack's settings file, where it would stay and lift the hold on
that site for every later `up`. So each run gets a copy of the file (`--config-file`), and the file stays as it was.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from diversite.errors import RolloutError
from rollout.course import Operation
from rollout.rehearsed import ROLLING
from rollout.touched import Foreseen, touched

PULUMI = "pulumi"
OPENED = "diversite:opened"
"""Lifts a site's deletion protection where the provider's plugin would not do it by itself: it deletes no machine that
the state calls protected, not even to make it anew."""
LINES_TOLD_MAX = 20


class Engine:
    """Hands for a stack of the Pulumi CLI, with the login and the credentials that it finds."""

    def __init__(
        self,
        settings: Path,
        stack: str,
        hosts: Collection[str],
        config: Mapping[str, str] | None = None,
        opened: Collection[str] = (),
    ) -> None:  # `opened`: the sites whose hosts must be opened before they are made anew
        if shutil.which(PULUMI) is None:
            raise RolloutError(
                "the Pulumi CLI is not on the PATH, and a cloud is changed by nothing else; install it and log in"
            )
        self._directory = settings.parent.parent  # the project, whose stacks/ holds the settings
        self._settings = settings
        self._stack = stack
        self._hosts = hosts
        self._config = config or {}
        self._opened = opened

    def foresee(self, site: str) -> Mapping[str, Operation]:
        """What an `up` for a site would do to each host."""
        with self._configured(self._rolling(site)) as configured:
            told = self._run("preview", *configured, "--json", "--suppress-progress", captured=True)
        steps: list[dict[str, Any]] = json.loads(told).get("steps", [])
        return touched([_foreseen(step) for step in steps], self._hosts)

    def take(self, site: str) -> None:
        """Run that `up`, its progress on this terminal; before and after it, open and close what needs to be."""
        opens = site in self._opened
        for settings in ({OPENED: site}, self._rolling(site), {}) if opens else (self._rolling(site),):
            with self._configured(settings) as configured:
                self._run("up", *configured, "--yes", "--skip-preview")

    def output(self, name: str) -> Any:
        """An output of the stack."""
        return json.loads(self._run("stack", "output", name, "--json", captured=True))

    def _rolling(self, site: str) -> dict[str, str]:
        return {ROLLING: site, **({OPENED: site} if site in self._opened else {})}

    @contextmanager
    def _configured(self, settings: Mapping[str, str]) -> Iterator[Sequence[str]]:
        with tempfile.TemporaryDirectory(prefix="diversite-") as directory:
            copy = Path(directory) / self._settings.name
            shutil.copyfile(self._settings, copy)
            given = [f"--config={key}={value}" for key, value in {**settings, **self._config}.items()]
            yield "--config-file", str(copy), *given

    def _run(self, *arguments: str, captured: bool = False) -> str:
        command = [PULUMI, *arguments, "--stack", self._stack, "--non-interactive"]
        pipe = subprocess.PIPE if captured else None
        ended = subprocess.run(command, cwd=self._directory, check=False, text=True, stdout=pipe, stderr=pipe)
        if ended.returncode:
            said = "\n".join((ended.stderr or ended.stdout or "see above").strip().splitlines()[-LINES_TOLD_MAX:])
            raise RolloutError(f"`pulumi {arguments[0]}` ended {ended.returncode}: {said}")
        return ended.stdout or ""


def _foreseen(step: Mapping[str, Any]) -> Foreseen:
    """Components are made of resources: what is said of them alone stops nothing."""
    state = step.get("newState") or step.get("oldState") or {}
    operation = step["op"] if state.get("custom") else "same"
    return Foreseen(urn=step["urn"], parent=state.get("parent", ""), operation=operation)
