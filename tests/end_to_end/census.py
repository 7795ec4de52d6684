"""What labs have put on this machine: processes, namespaces, mounts, loop devices, addresses, files.

Only what belongs to one directory of labs is counted, and what is the whole machine's is compared before and after:
neighbours with labs of their own do not disturb.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from lab import commands
from lab.process import start_ticks

KINDS = ("net", "mnt", "pid")
LOOP = "NAME,BACK-INO,BACK-MAJ:MIN"
"""A loop device and its file: by number, since a path would be the lab's own."""


@dataclass(frozen=True, kw_only=True)
class Census:
    """What is there at one moment."""

    processes: frozenset[int]
    """Whose mounts or words name the directory."""
    namespaces: frozenset[str]
    """Which those processes are in, and this one is not."""
    disks: frozenset[str]
    """Loop devices that those processes have mounted."""
    loops: frozenset[str]
    """Loop devices of the whole machine, each with the file that it holds."""
    files: frozenset[str]
    """Names in the directory."""
    mounts: frozenset[str]
    """Seen from here."""
    addresses: frozenset[str]
    """Interfaces and addresses seen from here."""

    @classmethod
    def of(cls, directory: Path) -> Census:
        """Count what belongs to a directory of labs."""
        processes = frozenset(pid for pid in _pids() if _names(pid, directory))
        loops = frozenset(commands.run(["losetup", "--list", "--noheadings", "--raw", "--output", LOOP]).splitlines())
        return cls(
            processes=processes,
            namespaces=frozenset(_namespaces(processes)) - frozenset(_namespaces([os.getpid()])),
            disks=_disks(processes, loops),
            loops=loops,
            files=frozenset(path.name for path in directory.glob("*") if path.name != ".lock"),
            mounts=frozenset(_mounts(os.getpid()).splitlines()),
            addresses=frozenset(commands.run(["ip", "-brief", "address"]).splitlines()),
        )

    def without(self, other: Census) -> Census:
        """What is here and not there."""
        return replace(self, namespaces=self.namespaces - other.namespaces, disks=self.disks - other.disks)

    def left_of(self, during: Census, before: Census) -> list[str]:
        """What is still there of a lab that was seen `during`, and what the machine has that it had not `before`."""
        alive = frozenset(_namespaces(_pids()))
        return sorted(
            [f"process {pid}" for pid in self.processes - before.processes]
            + [f"namespace {name}" for name in alive & during.namespaces]
            + [f"disk {loop}" for loop in self.loops & during.disks]
            + [f"file {name}" for name in self.files - before.files]
            + [f"mount {line}" for line in self.mounts - before.mounts]
            + [f"address {line}" for line in self.addresses - before.addresses]
        )


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and start_ticks(int(entry)) is not None]


def _names(pid: int, directory: Path) -> bool:
    return pid != os.getpid() and (str(directory) in _mounts(pid) or str(directory) in _words(pid))


def _mounts(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8")
    except OSError:
        return ""


def _disks(processes: frozenset[int], loops: frozenset[str]) -> frozenset[str]:
    mounted = {word for pid in processes for word in _mounts(pid).split() if word.startswith("/dev/loop")}
    return frozenset(loop for loop in loops if loop.split()[0] in mounted)


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _namespaces(pids: frozenset[int] | list[int]) -> list[str]:
    return [name for pid in pids for kind in KINDS if (name := _namespace(pid, kind))]


def _namespace(pid: int, kind: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return ""
