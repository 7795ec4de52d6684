"""The venue of an ordinary user: the same commands, in an unprivileged user namespace, on plain directories."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from diversite import ports
from tests.end_to_end.checkout import Checkout
from tests.end_to_end.conftest import FOUR, LAB
from tests.support.ordinary_user import require_readable

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs these tests: every other one shows it"),
]

NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "env")
"""`env` looks programs up with the user's own rights; setpriv itself would still have root's."""
AWAIT_BLOCKS = """
import json, sys, time, urllib.request
height = 0
while height < 2:
    height = json.load(urllib.request.urlopen(sys.argv[1], timeout=60))["height"]
    time.sleep(0.05)
print(height)
"""


@pytest.fixture
def users_checkout(monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkout]:
    """A copy of the project that belongs to an ordinary user (a test's own directory is root's alone)."""
    require_readable(AS_NOBODY)
    with TemporaryDirectory(prefix="diversite-") as directory:
        made = Checkout.make(Path(directory) / "diversite")
        _give_environment(made.directory, _interpreter())
        subprocess.run(["chown", "--recursive", "--no-dereference", f"{NOBODY}:{NOBODY}", directory], check=True)
        before = made.census()
        usual = {**made.environment, "HOME": directory, "PYTHONDONTWRITEBYTECODE": "1"}
        theirs = replace(made, environment=usual, prefix=AS_NOBODY)
        yield theirs
        during = made.census()
        theirs.run("lab", "down", "--all")
        assert made.census().left_of(during, before) == []


def test_an_ordinary_user_has_a_venue(users_checkout: Checkout) -> None:
    """Without any right of root's the venue comes up, commits blocks, and is asked from its own hosts."""
    users_checkout.run("lab", "up", FOUR)
    printed = users_checkout.run("lab", "status", FOUR)
    assert f"{LAB} of diversite/{LAB}: running" in printed
    address = users_checkout.plan(FOUR).hosts["engine-par"].address
    url = f"http://{address}:{ports.ENGINE_HTTP}/status"
    asked = ("python", "-c", AWAIT_BLOCKS, url)
    assert int(users_checkout.run("lab", "shell", "engine-par", "--topology", FOUR, "--", *asked)) > 1


def _give_environment(directory: Path, interpreter: str) -> None:
    """A `.venv` of the copy's own: root's interpreter may stand where nobody else may look."""
    (directory / ".venv").unlink()
    programs = directory / ".venv" / "bin"
    programs.mkdir(parents=True)
    site = Path(pytest.__file__).parents[1]
    python = f'#!/bin/sh\nPYTHONPATH="${{PYTHONPATH:+$PYTHONPATH:}}{directory}:{site}" exec {interpreter} "$@"\n'
    _write_program(programs / "python", python)
    _write_program(programs / "diversite", f'#!/bin/sh\nexec {programs / "python"} -m cli.main "$@"\n')


def _write_program(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def _interpreter() -> str:
    minor = f"python3.{sys.version_info.minor}"
    for candidate in (os.path.realpath(sys.executable), f"/usr/bin/{minor}", f"/usr/local/bin/{minor}"):
        tried = subprocess.run([*AS_NOBODY, candidate, "-c", ""], capture_output=True, check=False, cwd="/")
        if tried.returncode == 0:
            return candidate
    pytest.skip(f"no {minor} that an ordinary user may run: install it for the system, or test as that user")
