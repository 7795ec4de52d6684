"""A process is its pid, its start and its boot together."""

from __future__ import annotations

import dataclasses
import os
import subprocess

from lab.process import Process, boot_id, start_ticks


def test_this_process_is_alive() -> None:
    """A running process is found by all three."""
    assert _of(os.getpid()).alive()


def test_another_start_or_boot_is_another_process() -> None:
    """The same pid at another time is someone else."""
    here = _of(os.getpid())
    assert not dataclasses.replace(here, start_ticks=here.start_ticks + 1).alive()
    assert not dataclasses.replace(here, boot_id="another").alive()


def test_kill_waits_for_the_end() -> None:
    """After kill the process is dead, and killing it again is no failure."""
    with subprocess.Popen(["sleep", "100"]) as victim:
        process = _of(victim.pid)
        assert process.kill()
        assert not process.alive()
        assert process.kill()


def test_a_name_with_spaces_and_brackets_is_read_right() -> None:
    """The start is found whatever the program is called."""
    with subprocess.Popen(["sh", "-c", "printf ') 1 2' > /proc/$$/comm; sleep 100 & wait"]) as odd:
        assert start_ticks(odd.pid) is not None
        odd.kill()


def _of(pid: int) -> Process:
    ticks = start_ticks(pid)
    assert ticks is not None
    return Process(pid, ticks, boot_id())
