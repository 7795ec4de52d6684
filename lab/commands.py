"""Runs the programs that the lab is made of, with one search path and one way to fail."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence

from diversite.errors import LabError
from lab.layout import project_directory

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
REQUIRED = {
    "s6-svscan": "s6",
    "s6-log": "s6",
    "ip": "iproute2",
    "tc": "iproute2",
    "nft": "nftables",
    "ethtool": "ethtool",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mkfs.ext4": "e2fsprogs",
}
"""Each program and the Debian package that brings it."""


def search_path() -> str:
    """Where programs are found: the checkout's own first, then the system's."""
    project = project_directory()
    return f"{project}/.tools/bin:{project}/.venv/bin:{SYSTEM_PATH}"


def environment() -> dict[str, str]:
    """The environment of every program of the lab: this process's, with the lab's search path."""
    return {**os.environ, "PATH": search_path(), "LC_ALL": "C"}


def require_programs() -> None:
    """Fail with every program that is missing, and the command that brings them."""
    missing = {name: package for name, package in REQUIRED.items() if not shutil.which(name, path=search_path())}
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        raise LabError(
            f"the lab needs {', '.join(sorted(missing))}, not found in {search_path()}: "
            f"run scripts/setup, or apt install {packages}"
        )


def run(arguments: Sequence[str], stdin: str | None = None) -> str:
    """Run a program to its end and return what it printed; a failure is a LabError with its own words."""
    finished = attempt(arguments, stdin)
    if finished.returncode != 0:
        raise LabError(_failure(arguments, finished, stdin))
    return finished.stdout


def attempt(arguments: Sequence[str], stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever that end is."""
    return subprocess.run(
        list(arguments), input=stdin or "", capture_output=True, text=True, check=False, cwd="/", env=environment()
    )


def _failure(arguments: Sequence[str], finished: subprocess.CompletedProcess[str], stdin: str | None) -> str:
    said = (finished.stderr or finished.stdout).strip() or "it said nothing"
    given = f"\n  given: {stdin.strip()}" if stdin else ""
    return f"{shlex.join(arguments)} ended with status {finished.returncode}: {said}{given}"
