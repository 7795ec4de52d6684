"""Faults of running programs: ended, stopped, all started again at the same instant, away for long."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from diversite.recovery import RESTART_SECONDS
from drills.faults.fault import Evidence, HostFault
from drills.load import Line
from lab import control, service, supervision, world
from workloads.engine.settings import Rules

GAP_SECONDS = float(Rules.model_fields["gap_seconds_max"].default)
"""After a longer gap between blocks, markets take cancellations alone for some blocks."""
STALE_CODE = "cancel_only"


class Kill(HostFault):
    """Every process of the hosts ended at once, unwarned, and kept down."""

    word = "kill"
    is_noticed = True

    def inject(self) -> float:
        """End them before their supervisor is told; the instant at which the last was gone."""
        running = processes(self.lab, self.names)
        self._had = {name: len(pids) for name, pids in running.items()}
        _run_once(self.lab, self.names)
        send(running, signal.SIGKILL)
        instant = time.monotonic()
        for name in self.names:
            control.kill_host(self.lab, name)
        return instant

    def evidence(self) -> Sequence[Evidence]:
        """Processes ran before, and none does now."""
        left = {name: len(pids) for name, pids in processes(self.lab, self.names).items()}
        return [
            Evidence(what=f"{name}: {had} processes ran, {left[name]} run", bit=had > 0 and left[name] == 0)
            for name, had in self._had.items()
        ]

    def heal(self) -> float:
        """Start them, validators after what they need."""
        instant = time.monotonic()
        for host in sorted(self.hosts, key=lambda host: host.role == "validator"):
            control.start_host(self.lab, host.name)
        return instant


class AllAtOnce(Kill):
    """Every process of the hosts ended, and all of them started again at one instant, in no order."""

    word = "all-at-once"

    def heal(self) -> float:
        """Start everything at the same time: who needs another must wait for it by itself."""
        instant = time.monotonic()
        with ThreadPoolExecutor(len(self.hosts)) as threads:
            list(threads.map(lambda name: control.start_host(self.lab, name), self.names))
        return instant


class Outage(Kill):
    """The hosts killed for longer than the gap after which a venue trusts old orders no more."""

    word = "outage"
    hold_seconds_min = GAP_SECONDS + 10
    back_seconds_min = RESTART_SECONDS[1] + 15
    """Until blocks come again, and as long as markets then take cancellations alone: only new orders are told so."""

    def afterwards(self, lines: Sequence[Line]) -> Sequence[Evidence]:
        """Where blocks stopped, orders that waited for them were refused as stale; elsewhere there was no gap."""
        if self.predicted().outcome == "continues":
            return ()
        stale = sum(line.code == STALE_CODE for line in lines)
        return [Evidence(what=f"{stale} orders refused as stale after the gap", bit=stale > 0)]


class Pause(HostFault):
    """Every process of the hosts stopped: connections stay, nothing answers."""

    word = "pause"

    def inject(self) -> float:
        """Stop them."""
        self._paused = processes(self.lab, self.names)
        send(self._paused, signal.SIGSTOP)
        return time.monotonic()

    def evidence(self) -> Sequence[Evidence]:
        """All that are still there stand still."""
        now = processes(self.lab, self.names)
        there = {name: [pid for pid in pids if pid in now[name]] for name, pids in self._paused.items()}
        counts = {name: stopped(pids) for name, pids in there.items()}
        return [
            Evidence(what=f"{name}: {count} of {len(pids)} processes are stopped", bit=0 < len(pids) == count)
            for (name, pids), count in zip(there.items(), counts.values(), strict=True)
        ]

    def heal(self) -> float:
        """Let them go on."""
        instant = time.monotonic()
        send(self._paused, signal.SIGCONT)
        return instant


def processes(lab: str, hosts: Iterable[str]) -> dict[str, list[int]]:
    """The pids, as seen from here, of all that runs on each host."""
    found = world.require(lab)
    return {name: found.processes(name) for name in hosts}


def send(running: Mapping[str, Sequence[int]], number: signal.Signals) -> None:
    """Send a signal to all of them; what has ended is no failure."""
    for pids in running.values():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def stopped(pids: Iterable[int]) -> int:
    """How many of them are stopped."""
    return sum(_state(pid) == "T" for pid in pids)


def _run_once(lab: str, hosts: Iterable[str]) -> None:
    """Have nothing on the hosts started again when it ends."""
    found = world.require(lab)
    for host in hosts:
        for name in service.names(found, host):
            supervision.control(found, service.unit(host, name), "-O")


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
