"""An ordinary user has a lab too, in a user namespace: all but what needs loop mounts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lab.commands import search_path
from lab.layout import DIRECTORY_VARIABLE, project_directory
from tests.lab.conftest import residue
from tests.support.ordinary_user import require_readable

pytestmark = pytest.mark.lab

NOBODY = 65534
SCRIPT = """
from lab import control, world
from tests.lab.builder import build
from tests.lab.conftest import NAME
try:
    made = build()
    pairs = [("h1", "10.1.0.1"), ("r1", "172.16.0.2")]
    trips = control.observed_rtt(NAME, pairs, count=20)
    print(made.record["userNamespace"], made.images, [trip.answered for trip in trips.values()])
    print(abs(trips[pairs[1]].p50_ms - 4.0) < 1.0)
    control.cut_wires(NAME, ["r1-r2"])
    print(control.observed_rtt(NAME, pairs[1:], count=1)[pairs[1]].answered)
    control.kill_host(NAME, "h1")
    print(control.status(NAME).hosts["h1"].services["web"].up)
finally:
    print(world.down(NAME))
"""


@pytest.fixture
def users_labs() -> Iterator[Path]:
    """A directory that an ordinary user may write to (a test's own is root's alone)."""
    require_readable(_as_user())
    with TemporaryDirectory(prefix="lab-") as directory:
        os.chown(directory, *_user())
        yield Path(directory)


def test_an_ordinary_user_builds_breaks_and_ends_a_lab(users_labs: Path) -> None:
    """Namespaces, wires with delay, services, cuts and kills need no root; nothing is left."""
    ended = subprocess.run(
        [*_as_user(), _python(), "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=_environment(users_labs),
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["True False [20, 20]", "True", "0", "False", "True"]
    assert residue(users_labs, set()) == []


def _user() -> tuple[int, int]:
    return (NOBODY, NOBODY) if os.geteuid() == 0 else (os.geteuid(), os.getegid())


def _as_user() -> list[str]:
    # The program that setpriv itself starts is still found with root's rights; what env starts is not.
    return [] if os.geteuid() else ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "env"]


def _environment(labs: Path) -> dict[str, str]:
    site = Path(pytest.__file__).parents[1]
    modules = {"PYTHONPATH": f"{project_directory()}:{site}", "PYTHONDONTWRITEBYTECODE": "1"}
    return {"PATH": search_path(), "HOME": "/", DIRECTORY_VARIABLE: str(labs), **modules}


def _python() -> str:
    """An interpreter of this version that the user may run: root's own may be in root's home."""
    minor = f"python3.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{minor}", f"/usr/local/bin/{minor}"):
        tried = subprocess.run([*_as_user(), candidate, "-c", ""], capture_output=True, check=False, cwd="/")
        if tried.returncode == 0:
            return candidate
    pytest.skip(f"no {minor} that an ordinary user may run: install it for the system, or test as that user")
