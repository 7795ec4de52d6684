"""A lab is one process tree: found again, owned, and gone whole when it ends."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diversite.errors import LabError
from lab import control, service, world
from lab.files import read_json, write_json
from lab.process import Process
from lab.world import World
from tests.lab.builder import build
from tests.lab.conftest import NAME, OWNER, image_files, residue

pytestmark = pytest.mark.lab

BUILD_SECONDS_MAX = 60.0
KILLS = 20
KILLED_BY_SECONDS = 0.9
"""A whole build takes about this long here, the interpreter's own start included."""


def test_a_lab_outlives_its_maker(labs: Path) -> None:
    """The process that makes a lab may end; the lab goes on and is found."""
    maker = _start_builder()
    assert maker.wait(BUILD_SECONDS_MAX) == 0
    assert world.require(NAME).record["owner"] == OWNER
    assert service.names(world.require(NAME), "h1") == ["web"]


def test_a_lab_holds_no_descriptor_of_its_maker(made: World) -> None:
    """What a maker has open (a lock, a terminal) is not held by the lab."""
    held = {os.readlink(entry) for entry in Path(f"/proc/{made.pid}/fd").iterdir()}
    assert not any("starting" in name or name.startswith("/dev/pts") for name in held)
    assert os.getsid(made.pid) != os.getsid(0)


def test_create_finds_the_running_lab(made: World) -> None:
    """Creating a lab that runs gives the same one."""
    assert world.create(NAME, OWNER).process == made.process


def test_another_owners_lab_is_refused(made: World) -> None:
    """A lab's name belongs to the stack that made it."""
    with pytest.raises(LabError, match=f"belongs to '{OWNER}', not to 'other/stack'"):
        world.create(NAME, "other/stack")


def test_a_dead_lab_is_cleared_and_made_anew(made: World) -> None:
    """After a reboot the directory is there and the process is not: up starts from nothing."""
    assert made.process.kill()
    assert world.find(NAME) is None
    (made.layout.hosts / "stale").mkdir()
    again = world.create(NAME, OWNER)
    assert again.process != made.process
    assert not (again.layout.hosts / "stale").exists()


def test_a_reused_pid_is_not_killed(made: World) -> None:
    """A pid that now belongs to another process is left alone."""
    with subprocess.Popen(["sleep", "100"]) as bystander:
        record = read_json(made.layout.process)
        assert record is not None
        Process.from_record(record).kill()
        write_json(made.layout.process, {**record, "pid": bystander.pid})
        assert world.find(NAME) is None
        assert world.down(NAME)
        assert bystander.poll() is None
        bystander.kill()


def test_down_accepts_what_is_gone(labs: Path) -> None:
    """Taking down a lab that never was is no failure."""
    assert world.down("never-was") is False


def test_down_removes_everything(labs: Path) -> None:
    """After down there is no process, mount, loop device or file; the fixture looks again at the end."""
    build()
    images = image_files(labs)
    assert residue(labs, images)
    assert world.down(NAME) is True
    assert residue(labs, images) == []


def test_two_labs_run_side_by_side(labs: Path) -> None:
    """Labs with the same addresses do not see each other, and one ends without the other."""
    first, second = world.create("first", "a/first"), world.create("second", "a/second")
    assert first.pid != second.pid
    for made in (first, second):
        made.run(["ip", "link", "add", "same", "type", "veth", "peer", "name", "name"])
    world.down("first")
    assert world.find("second") == second
    assert [status.name for status in control.labs()] == ["second"]


def test_a_maker_killed_at_any_moment_leaves_what_down_removes(labs: Path) -> None:
    """Kill -9 of up at random moments: down always cleans."""
    for delay in _moments(seed=1):
        _kill_builder_after(delay)
        images = image_files(labs)
        world.down(NAME)
        assert residue(labs, images) == [], f"killed after {delay:.3f} s"


def test_a_maker_killed_at_any_moment_is_continued(labs: Path) -> None:
    """Kill -9 of up at random moments: up always continues."""
    for delay in _moments(seed=2):
        _kill_builder_after(delay)
        made = build()
        for pair in (("h1", "10.1.0.1"), ("h2", "10.2.0.1"), ("r1", "172.16.0.2")):
            trip = control.observed_rtt(NAME, [pair], count=1)[pair]
            assert trip.answered == 1, f"{pair} after {delay:.3f} s"
        assert service.names(made, "h2") == ["web"], f"killed after {delay:.3f} s"
        if delay > KILLED_BY_SECONDS / 2:
            world.down(NAME)


def _moments(seed: int) -> list[float]:
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    return [chance.uniform(0, KILLED_BY_SECONDS) for _ in range(KILLS // 2)]


def _kill_builder_after(seconds: float) -> None:
    with _start_builder() as maker:
        time.sleep(seconds)  # the random moment is the point
        maker.send_signal(signal.SIGKILL)


def _start_builder() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.lab.builder"], cwd=Path(__file__).parents[2])
