"""A host's wall clock is moved for programs that run, and for nothing else of theirs."""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from diversite.errors import LabError
from lab import clock

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the instructions are those of x86-64"),
]

TELLING = """
import threading, time
def hurry():
    while True:
        time.time()
for _ in range(3):
    threading.Thread(target=hurry, daemon=True).start()
while input():
    print(time.time(), time.clock_gettime(5), time.monotonic(), flush=True)
"""
"""Tells its clocks when asked, while three threads read them all the time."""


class Teller:
    """A program that tells its clocks, each as its distance from this process's own in seconds."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", TELLING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.ask()

    def ask(self) -> tuple[float, float, float]:
        """Wall clock, its coarse copy, monotonic clock."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("?\n")
        self.process.stdin.flush()
        wall, coarse, monotonic = map(float, self.process.stdout.readline().split())
        return wall - time.time(), coarse - time.time(), monotonic - time.monotonic()


@pytest.fixture
def teller() -> Iterator[Teller]:
    """A running one."""
    made = Teller()
    yield made
    made.process.kill()
    made.process.communicate()


def _move(teller: Teller, seconds: float) -> None:
    try:
        assert clock.move([teller.process.pid], seconds) == 1
    except LabError as error:
        pytest.skip(str(error))


def test_the_time_of_day_is_off_and_no_other_clock_is(teller: Teller) -> None:
    """Both wall clocks tell the offset, fractions included, while timers and the monotonic clock stay true."""
    _move(teller, 3600.5)
    wall, coarse, monotonic = teller.ask()
    assert wall == pytest.approx(3600.5, abs=0.3)
    assert coarse == pytest.approx(3600.5, abs=0.3)
    assert monotonic == pytest.approx(0, abs=0.3)


def test_a_clock_can_be_moved_again_back_and_home(teller: Teller) -> None:
    """Offsets do not add up: each is off the truth, also into the past, and 0 is the truth."""
    for seconds in (5.0, -7.25, 0.0):
        _move(teller, seconds)
        assert teller.ask()[0] == pytest.approx(seconds, abs=0.3)
        assert clock.offset_seconds(teller.process.pid) == seconds


def test_a_clock_that_was_never_moved_is_true(teller: Teller) -> None:
    """Nothing is written before somebody asks for it."""
    assert clock.offset_seconds(teller.process.pid) == 0.0


def test_what_has_ended_has_no_clock(teller: Teller) -> None:
    """A process may end at any moment; that is no failure, and it is not counted."""
    teller.process.kill()
    teller.process.communicate()
    assert clock.move([teller.process.pid], 5.0) == 0
    assert clock.offset_seconds(teller.process.pid) == 0.0
