"""`diversite lab up`, killed at random moments: `down` always cleans, and `up` always continues.

`DIVERSITE_KILLS` says how many moments (three where it says nothing), `DIVERSITE_SEED` which.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from lab import control
from tests.end_to_end.checkout import Checkout, counts, running
from tests.end_to_end.conftest import FOUR, LAB

pytestmark = pytest.mark.lab

KILLS = int(os.environ.get("DIVERSITE_KILLS", "3"))
SEED = int(os.environ.get("DIVERSITE_SEED", "20261122"))
SECONDS_MIN = 0.2
"""Before that the command has not done anything yet."""


def test_a_killed_up_is_cleaned_or_continued(checkout: Checkout, tmp_path: Path) -> None:
    """Whenever the command dies, `down` leaves nothing, and a second `up` ends with everything running."""
    before = checkout.census()
    seconds = _seconds_of_up(checkout)
    chance = random.Random(SEED)  # noqa: S311  moments that can be had again, not a secret
    for number in range(KILLS):
        moment = chance.uniform(SECONDS_MIN, seconds)
        _kill_after(checkout, moment, tmp_path / "up.log")
        if goes_on := bool(number % 2):
            _expect_continued(checkout)
        during = checkout.census()
        checkout.run("lab", "down", FOUR)
        left = checkout.census().left_of(during, before)
        assert left == [], f"killed after {moment:.2f} s"
        print(f"killed after {moment:.2f} of {seconds:.2f} s: {'continued, then cleaned' if goes_on else 'cleaned'}")


def _seconds_of_up(checkout: Checkout) -> float:
    """How long the command takes when nobody kills it."""
    began = time.monotonic()
    checkout.run("lab", "up", FOUR)
    seconds = time.monotonic() - began
    checkout.run("lab", "down", FOUR)
    return seconds


def _kill_after(checkout: Checkout, seconds: float, log: Path) -> None:
    """Kill the command alone, unwarned: its program, its plugin and what they started must end by themselves."""
    process = checkout.start(log, "lab", "up", FOUR)
    time.sleep(seconds)  # the moment is what is tested
    process.kill()
    process.wait()


def _expect_continued(checkout: Checkout) -> None:
    """A further `up` makes what is missing, everything runs, and there is nothing left to do."""
    checkout.run("lab", "up", FOUR)
    hosts = control.status(LAB).hosts
    assert all(running(host.services.values()) for host in hosts.values() if host.services)
    assert set(hosts) == {*checkout.plan(FOUR).hosts, "internet"}
    assert counts(checkout.run("lab", "up", FOUR)) == {}
