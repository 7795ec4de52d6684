"""`diversite lab up`, killed at random moments: `down` always cleans, and `up` always continues.

`DIVERSITE_KILLS` says how many moments (three where it says nothing), `DIVERSITE_SEED` which.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from lab import control, world
from tests.end_to_end.checkout import Checkout, running
from tests.end_to_end.conftest import FOUR, LAB

pytestmark = pytest.mark.lab

KILLS = int(os.environ.get("DIVERSITE_KILLS", "3"))
SEED = int(os.environ.get("DIVERSITE_SEED", "20261122"))
CHILDREN_SECONDS_MAX = 30.0
"""How long the children of a killed command may take to see that it is gone."""


def test_a_killed_up_is_cleaned_or_continued(checkout: Checkout, tmp_path: Path) -> None:
    """Whenever the command dies, `down` leaves nothing, and a second `up` ends with everything running."""
    began = time.monotonic()
    checkout.run("lab", "up", FOUR)
    seconds = time.monotonic() - began
    checkout.run("lab", "down", FOUR)
    before = checkout.census()
    chance = random.Random(SEED)  # noqa: S311  moments that can be had again, not a secret
    for number in range(KILLS):
        moment = chance.uniform(0.2, seconds)
        _kill_after(checkout, moment, tmp_path / "up.log")
        if number % 2:
            checkout.run("lab", "up", FOUR)
            assert all(running(it.services.values()) for it in control.status(LAB).hosts.values() if it.services)
        during = checkout.census()
        checkout.run("lab", "down", FOUR)
        assert checkout.census().left_of(during, before) == [], f"killed after {moment:.2f} s"
        print(f"killed after {moment:.2f} of {seconds:.2f} s: {'continued' if number % 2 else 'cleaned'}")


def _kill_after(checkout: Checkout, seconds: float, log: Path) -> None:
    """Kill the command alone; its children must end by themselves, and the lab's supervisor lives on."""
    process = checkout.start(log, "lab", "up", FOUR)
    time.sleep(seconds)  # the moment is what is tested
    process.kill()
    process.wait()
    assert world.wait_until(lambda: not _children(checkout), CHILDREN_SECONDS_MAX, 0.05), _children(checkout)


def _children(checkout: Checkout) -> list[str]:
    """Programs and plugins of this copy that still run outside its lab."""
    words = (str(checkout.directory / ".venv"), str(checkout.directory / "offline"))
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _outside(entry):
            text = _read(entry / "cmdline").replace("\0", " ")
            found += [text] if any(word in text for word in words) else []
    return found


def _outside(process: Path) -> bool:
    try:
        return os.readlink(process / "ns" / "pid") == os.readlink("/proc/self/ns/pid")
    except OSError:
        return False


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
