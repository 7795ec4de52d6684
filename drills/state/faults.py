"""What is broken in a drill of state. Who it strikes is found out then: whoever is primary, works or leads.

`recovery_seconds` is until when an order sent after the fault must be confirmed; where only a process dies, that is the
project's target, else what the model says of the hosts that are gone.
"""

from __future__ import annotations

import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from diversite.errors import DiversiteError, LabError
from diversite.kept import Kept, Seconds
from diversite.outcome import predict
from drills import wires
from drills.faults.processes import processes, send
from drills.state import switching
from drills.state.keepers import Keepers
from lab import control
from lab.world import wait_until

PROCESS_DEATH_STORE = Seconds(0.0, 10.0)
PROCESS_DEATH_ENGINE = Seconds(0.0, 5.0)
SWITCHED_SECONDS_MAX = 20.0


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


class _ProcessKilled(StateFault):
    """Programs of a host ended unwarned; their supervisor starts them again."""

    program: ClassVar[str]

    def inject(self) -> float:
        """End every process whose command names the program."""
        pids = _named(self.lab, self.struck, self.program)
        if not any(pids.values()):
            raise LabError(f"{self.word}: no process of {', '.join(self.struck)} is {self.program}")
        send(pids, signal.SIGKILL)
        return time.monotonic()

    def heal(self) -> float:
        """It has been started again by its supervisor."""
        return time.monotonic()


class PrimaryKilled(_ProcessKilled):
    """The store's primary: every process of PostgreSQL there."""

    word, program = "primary-killed", "postgres"
    process_death = PROCESS_DEATH_STORE

    def targets(self) -> Iterable[str]:
        """The primary."""
        yield self._primary()


class EngineKilled(_ProcessKilled):
    """The engine's working process."""

    word, program = "engine-killed", "workloads.passive"
    process_death = PROCESS_DEATH_ENGINE

    def targets(self) -> Iterable[str]:
        """The member that works."""
        yield self._worker()


class _Paused(StateFault):
    """Every process of a host stopped, and woken when others have gone on."""

    def inject(self) -> float:
        """Stop them."""
        self._running = processes(self.lab, self.struck)
        send(self._running, signal.SIGSTOP)
        return time.monotonic()

    def heal(self) -> float:
        """Wake them."""
        instant = time.monotonic()
        send(self._running, signal.SIGCONT)
        return instant


class PrimaryPaused(_Paused):
    """The primary's host stands still until another is primary, and wakes up."""

    word, hold_seconds = "primary-paused", 35.0

    def targets(self) -> Iterable[str]:
        """The primary."""
        yield self._primary()


class EnginePaused(_Paused):
    """The working engine's host stands still past the end of its lease, and wakes up."""

    word = "engine-paused"

    def targets(self) -> Iterable[str]:
        """The member that works."""
        yield self._worker()


class SiteCut(StateFault):
    """Every wire of the primary's site cut silently; what runs there goes on alone."""

    word, hold_seconds = "site-cut", 35.0

    def targets(self) -> Iterable[str]:
        """All hosts of the site."""
        site = self.keepers.store.members[self._primary()]
        self._site = site
        yield from (host.name for host in self.keepers.plan.at_site(site))

    def inject(self) -> float:
        """Cut them all in one step."""
        control.cut_wires(self.lab, wires.of_sites(self.keepers.plan, (self._site,)))
        return time.monotonic()

    def heal(self) -> float:
        """Join them again."""
        instant = time.monotonic()
        control.heal_wires(self.lab, wires.of_sites(self.keepers.plan, (self._site,)))
        return instant


class _Off(StateFault):
    """Hosts without power: processes ended, and of each disk only what had been written down."""

    def inject(self) -> float:
        """Take the power from all."""
        instant = time.monotonic()
        for name in self.struck:
            if self.keepers.plan.hosts[name].data_gib:
                control.power_cut_host(self.lab, name)
            else:
                control.kill_host(self.lab, name)
        return instant

    def heal(self) -> float:
        """Start them."""
        instant = time.monotonic()
        for name in self.struck:
            control.start_host(self.lab, name)
        return instant


class PrimaryOff(_Off):
    """The primary's host without power."""

    word, hold_seconds = "primary-off", 35.0

    def targets(self) -> Iterable[str]:
        """The primary."""
        yield self._primary()


class StandbyOff(_Off):
    """A synchronous standby without power while the primary writes."""

    word = "standby-off"

    def targets(self) -> Iterable[str]:
        """The first that replicates: in a quorum of any, one that may be the one that confirms."""
        yield from self.keepers.standbys()[:1]


class StandbysOff(_Off):
    """Every standby without power: nothing may be confirmed."""

    word = "standbys-off"

    def targets(self) -> Iterable[str]:
        """All of them."""
        yield from self.keepers.standbys()


class QueueLeaderOff(_Off):
    """The leader of the engine's stream without power."""

    word = "queue-leader-off"

    def targets(self) -> Iterable[str]:
        """Whoever leads it."""
        if leader := self.keepers.queue_leader():
            yield leader


class AllOff(_Off):
    """Every member of store, queue and engine without power at once."""

    word = "all-off"

    def targets(self) -> Iterable[str]:
        """All of them."""
        keepers = self.keepers
        yield from (*keepers.store.members, *keepers.queue.members, *keepers.engine.members)


class EtcdMinority(_Paused):
    """One member of etcd, beside a standby, does not answer."""

    word = "etcd-minority"
    count: ClassVar[int] = 1

    def targets(self) -> Iterable[str]:
        """Not the primary's: that is another fault."""
        primary = self._primary()
        yield from [name for name in self.keepers.store.members if name != primary][: self.count]

    def inject(self) -> float:
        """Stop etcd alone: the databases beside it go on."""
        self._running = _named(self.lab, self.struck, "etcd")
        send(self._running, signal.SIGSTOP)
        return time.monotonic()


class EtcdMajority(EtcdMinority):
    """Two of three members of etcd do not answer: nobody may be primary, and nobody work."""

    word, hold_seconds, count = "etcd-majority", 40.0, 2


class OneWay(StateFault):
    """The link between the primary's site and a standby's carries one way only."""

    word = "one-way"

    def targets(self) -> Iterable[str]:
        """A link that leads from the primary's site to another member's."""
        here = self.keepers.store.members[self._primary()]
        others = set(self.keepers.store.members.values()) - {here}
        for link in self.keepers.plan.links.values():
            if here in link.sites and others & set(link.sites):
                yield link.name
                return

    def inject(self) -> float:
        """Cut it from its first end to its second."""
        control.cut_wires(self.lab, self.struck, "aToB")
        return time.monotonic()

    def heal(self) -> float:
        """Join it again."""
        instant = time.monotonic()
        control.heal_wires(self.lab, self.struck)
        return instant


class SwitchDuringSwitch(_ProcessKilled):
    """While the store moves as planned and the engine moves as planned, the new primary's process dies."""

    word, program, hold_seconds = "switch-in-switch", "postgres", 20.0
    process_death = Seconds(0.0, 25.0)

    def targets(self) -> Iterable[str]:
        """The standby that becomes primary."""
        yield from self.keepers.standbys()[:1]

    def inject(self) -> float:
        """Begin both moves, and end the new primary's process in the middle of them."""
        worker = self._worker()
        to = next(name for name in self.keepers.engine.members if name != worker)
        moves: list[Callable[[], object]] = [
            lambda: switching.move_store(self.keepers, self.struck[0]),
            lambda: switching.move_engine(self.keepers, to),
        ]
        for move in moves:
            threading.Thread(target=_quietly, args=(move,), daemon=True).start()
        if not wait_until(lambda: self.keepers.primary() == self.struck[0], SWITCHED_SECONDS_MAX, 0.02):
            raise LabError(f"{self.word}: {self.struck[0]} did not become primary, so its death would show nothing")
        return super().inject()


FAULTS: Mapping[str, type[StateFault]] = {
    it.word: it
    for it in (
        PrimaryKilled,
        EngineKilled,
        PrimaryPaused,
        EnginePaused,
        SiteCut,
        PrimaryOff,
        StandbyOff,
        StandbysOff,
        EtcdMinority,
        EtcdMajority,
        QueueLeaderOff,
        OneWay,
        AllOff,
        SwitchDuringSwitch,
    )
}
"""Every fault by its word."""


def chosen(words: Sequence[str]) -> tuple[type[StateFault], ...]:
    """The faults of these words, all where there are none; DiversiteError for one that is not known."""
    for word in words:
        if word not in FAULTS:
            raise DiversiteError(f"{word}: no fault of state; there are {', '.join(FAULTS)}")
    return tuple(FAULTS[word] for word in words or FAULTS)


def _named(lab: str, hosts: Iterable[str], program: str) -> dict[str, list[int]]:
    return {host: [pid for pid in pids if program in _command(pid)] for host, pids in processes(lab, hosts).items()}


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
    first = words.split(" ", 1)[0]
    return words if first.endswith("python") or "python" in first else first.rpartition("/")[2]


def _quietly(move: Callable[[], object]) -> None:
    try:
        move()
    except (DiversiteError, OSError):
        return  # that a move fails which something else broke is what is tried here
