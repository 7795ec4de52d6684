"""What a fault of state is, and the ways to break hosts: their processes ended, all of it stopped, without power."""

from __future__ import annotations

import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from diversite.errors import LabError
from diversite.kept import Kept, Seconds
from diversite.outcome import predict
from drills.evidence import Evidence
from drills.faults.processes import processes, send, stopped
from drills.state.keepers import Keepers
from lab import control


class StateFault(ABC):
    """Something that breaks a store, a queue or an engine of a lab; every instant is in monotonic seconds."""

    word: ClassVar[str]
    hold_seconds: ClassVar[float] = 15.0
    process_death: ClassVar[Seconds | None] = None
    """The bound where a process dies and its host stays; None where the model knows the loss."""

    def __init__(self, keepers: Keepers) -> None:
        self.keepers = keepers
        self.lab = keepers.lab
        self.struck: tuple[str, ...] = ()

    def choose(self) -> None:
        """Find out who is struck, before anything is broken."""
        self.struck = tuple(self.targets())
        if not self.struck:
            raise LabError(f"{self.word}: nobody is there to be struck; see `diversite lab status`")

    @abstractmethod
    def targets(self) -> Iterable[str]:
        """Hosts that are struck; links for a fault of links."""

    @abstractmethod
    def inject(self) -> float:
        """Break it; the instant from which it was broken."""

    @abstractmethod
    def evidence(self) -> Sequence[Evidence]:
        """Whether it is broken, by what is seen there; asked while it lasts."""

    @abstractmethod
    def heal(self) -> float:
        """Mend it; the instant at which mending began."""

    def predicted(self) -> Kept:
        """What becomes of the engine."""
        now = self.keepers.as_now()
        down = () if self.process_death else self.down()
        kept = predict(now, [], down=down).kept
        found = next(item for item in kept if item.name == f"engine {self.keepers.engine.name}")
        return replace(found, recovery=self.process_death) if self.process_death else found

    def down(self) -> tuple[str, ...]:
        """What does not run, or carry, in the model's words."""
        return self.struck

    def _primary(self) -> str:
        found = self.keepers.primary()
        if found is None:
            raise LabError(f"{self.word}: the store has no primary to strike")
        return found

    def _worker(self) -> str:
        found = self.keepers.worker()
        if found is None:
            raise LabError(f"{self.word}: no member of {self.keepers.engine.name} works")
        return found


class ProcessKilled(StateFault):
    """Programs of a host ended unwarned; their supervisor starts them again."""

    program: ClassVar[str]

    def inject(self) -> float:
        """End every process whose command names the program."""
        self._killed = named(self.lab, self.struck, self.program)
        if not any(self._killed.values()):
            raise LabError(f"{self.word}: no process of {', '.join(self.struck)} is {self.program}")
        send(self._killed, signal.SIGKILL)
        return time.monotonic()

    def evidence(self) -> Sequence[Evidence]:
        """None of the processes that ran then runs now; others have their place."""
        now = processes(self.lab, self.struck)
        return [
            Evidence(what=f"{name}: {len(left)} of {len(pids)} processes outlived it", bit=not left)
            for name, pids in self._killed.items()
            for left in [set(pids) & set(now[name])]
        ]

    def heal(self) -> float:
        """It has been started again by its supervisor."""
        return time.monotonic()


class Paused(StateFault):
    """Every process of a host stopped, and woken when others have gone on."""

    def inject(self) -> float:
        """Stop them."""
        self._running = processes(self.lab, self.struck)
        send(self._running, signal.SIGSTOP)
        return time.monotonic()

    def evidence(self) -> Sequence[Evidence]:
        """All that are still there stand still."""
        now = processes(self.lab, self.struck)
        there = {name: [pid for pid in pids if pid in now[name]] for name, pids in self._running.items()}
        return [
            Evidence(what=f"{name}: {stopped(pids)} of {len(pids)} are stopped", bit=0 < len(pids) == stopped(pids))
            for name, pids in there.items()
        ]

    def heal(self) -> float:
        """Wake them."""
        instant = time.monotonic()
        send(self._running, signal.SIGCONT)
        return instant


class Off(StateFault):
    """Hosts without power: processes ended, and of each disk only what had been written down."""

    def inject(self) -> float:
        """Take the power from all."""
        self._had = {name: len(pids) for name, pids in processes(self.lab, self.struck).items()}
        instant = time.monotonic()
        disks = [name for name in self.struck if self.keepers.plan.hosts[name].data_gib]
        for name in self.struck:
            control.kill_host(self.lab, name)
        self._unsynced = control.power_cut_hosts(self.lab, disks)
        return instant

    def evidence(self) -> Sequence[Evidence]:
        """Processes ran before and none does; what a disk lost with the power is told, and may be nothing."""
        left = {name: len(pids) for name, pids in processes(self.lab, self.struck).items()}
        return [
            Evidence(
                what=f"{name}: {had} processes ran, {left[name]} run, {self._unsynced.get(name, 0)} bytes unsynced",
                bit=had > 0 and left[name] == 0,
            )
            for name, had in self._had.items()
        ]

    def heal(self) -> float:
        """Start them."""
        instant = time.monotonic()
        for name in self.struck:
            control.start_host(self.lab, name)
        return instant


def named(lab: str, hosts: Iterable[str], program: str) -> dict[str, list[int]]:
    """The processes of each host whose command names a program."""
    return {host: [pid for pid in pids if program in _command(pid)] for host, pids in processes(lab, hosts).items()}


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
    first = words.split(" ", 1)[0]
    return words if first.endswith("python") or "python" in first else first.rpartition("/")[2]
