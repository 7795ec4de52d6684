"""A host's boot scripts below a directory of the test's own, with stand-ins for what would touch this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.boot import units
from tests.services.boot.venues import booted_venue

TOOLS = Path(__file__).parents[3] / ".tools" / "bin"
PLACES = (
    "/etc/diversite",
    "/etc/resolv.conf",
    "/var/lib/diversite",
    "/opt/diversite",
    "/run/diversite",
    "/usr/local/bin",
)


class Rooted:
    """The files of one host below `root`; each script can be run there."""

    def __init__(self, root: Path, venue: str, host: str, **changed: str) -> None:
        self.root = root
        self.stubs = root / "stubs"
        self.stubs.mkdir(parents=True)
        for place in PLACES:
            (root / place[1:]).parent.mkdir(parents=True, exist_ok=True)
        (root / "usr/local/bin").mkdir()
        for path, text in booted_venue(venue).files[host].items():
            self._write(path, text)
        told = root / "etc/diversite/host"
        told.write_text(told.read_text() + "".join(f"{name}='{value}'\n" for name, value in changed.items()))

    def path(self, absolute: str) -> Path:
        """Where a path of the host is here."""
        return self.root / absolute.lstrip("/")

    def stub(self, command: str, script: str) -> None:
        """Put a shell script in a command's place."""
        path = self.stubs / command
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(
        self, step: str, *before: str, words: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a step of the boot; `before` is what to run it with, such as `unshare --mount`; `words` are its own."""
        path = f"{self.stubs}:{TOOLS}:/usr/sbin:/usr/bin:/sbin:/bin"
        command: Sequence[str] = (*before, "sh", str(self.path(f"{units.SCRIPTS}/{step}")), *words)
        given = {**os.environ, "PATH": path, **(environment or {})}
        return subprocess.run(command, env=given, capture_output=True, text=True, timeout=60, check=False)

    def _write(self, path: str, text: str) -> None:
        for place in PLACES:
            text = text.replace(place, f"{self.root}{place}")
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
