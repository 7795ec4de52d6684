"""Which process is meant, beyond doubt: a pid that was used again is never taken for the one recorded.

A process is named by its pid, the moment it started, and the boot it started in.
"""

from __future__ import annotations

import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path

from lab.files import JsonObject


@dataclass(frozen=True)
class Process:
    """A process of this machine, alive or not."""

    pid: int
    start_ticks: int
    boot_id: str

    @classmethod
    def from_record(cls, record: JsonObject) -> Process:
        """Read what `lab.boot` wrote."""
        return cls(int(record["pid"]), int(record["startTicks"]), str(record["bootId"]))

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return self.boot_id == boot_id() and self.start_ticks == start_ticks(self.pid)

    def parent(self) -> Process | None:
        """The process that started this one and waits for it; None if this one is dead."""
        fields = _fields(self.pid)
        ticks = start_ticks(int(fields[1])) if fields and self.alive() else None
        return None if fields is None or ticks is None else Process(int(fields[1]), ticks, self.boot_id)

    def kill(self, seconds_max: float = 10.0) -> bool:
        """Send SIGKILL and wait for the end; False if it is still there after `seconds_max`."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            return not self.alive() or _kill_and_wait(descriptor, seconds_max)
        finally:
            os.close(descriptor)


def boot_id() -> str:
    """The identity of this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None if there is no such process or only its zombie."""
    fields = _fields(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[19])


def processes_in(namespace: int) -> list[int]:
    """The pids, as seen from here, whose network namespace has this inode."""
    return [pid for pid in _pids() if _network_namespace(pid) == namespace]


def _fields(pid: int) -> list[str] | None:
    """What /proc tells of a process, from its state on: the program's name before may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _kill_and_wait(descriptor: int, seconds_max: float) -> bool:
    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    waiter = select.poll()
    waiter.register(descriptor, select.POLLIN)
    return bool(waiter.poll(seconds_max * 1000))


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _network_namespace(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return None
