"""What is broken in a drill of state. Who it strikes is found out then: whoever is primary, works or leads.

`recovery_seconds` is until when an order sent after the fault must be confirmed; where only a process dies, that is the
project's target, else what the model says of the hosts that are gone.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from diversite.errors import DiversiteError, LabError
from diversite.kept import Seconds
from drills import wires
from drills.evidence import Evidence
from drills.faults.processes import send
from drills.state import switching
from drills.state.fault import Off, Paused, ProcessKilled, StateFault, named
from lab import control
from lab.world import wait_until

PROCESS_DEATH_STORE = Seconds(0.0, 10.0)
PROCESS_DEATH_ENGINE = Seconds(0.0, 5.0)
SWITCHED_SECONDS_MAX = 20.0


class PrimaryKilled(ProcessKilled):
    """The store's primary: every process of PostgreSQL there."""

    word, program = "primary-killed", "postgres"
    process_death = PROCESS_DEATH_STORE

    def targets(self) -> Iterable[str]:
        """The primary."""
        yield self._primary()


class EngineKilled(ProcessKilled):
    """The engine's working process."""

    word, program = "engine-killed", "workloads.passive"
    process_death = PROCESS_DEATH_ENGINE

    def targets(self) -> Iterable[str]:
        """The member that works."""
        yield self._worker()


class PrimaryPaused(Paused):
    """The primary's host stands still until another is primary, and wakes up."""

    word, hold_seconds = "primary-paused", 35.0

    def targets(self) -> Iterable[str]:
        """The primary."""
        yield self._primary()


class EnginePaused(Paused):
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
        cut = wires.of_sites(self.keepers.plan, (self._site,))
        self._before = wires.dropped(self.lab, cut)
        control.cut_wires(self.lab, cut)
        return time.monotonic()

    def evidence(self) -> Sequence[Evidence]:
        """Packets have been dropped on each."""
        return wires.cut_evidence(self.lab, self._before)

    def heal(self) -> float:
        """Join them again."""
        instant = time.monotonic()
        control.heal_wires(self.lab, self._before)
        return instant


class PrimaryOff(Off):
    """The primary's host without power."""

    word, hold_seconds = "primary-off", 35.0

    def targets(self) -> Iterable[str]:
        """The primary."""
        yield self._primary()


class StandbyOff(Off):
    """A synchronous standby without power while the primary writes."""

    word = "standby-off"

    def targets(self) -> Iterable[str]:
        """The first that replicates: in a quorum of any, one that may be the one that confirms."""
        yield from self.keepers.standbys()[:1]


class StandbysOff(Off):
    """Every standby without power: nothing may be confirmed."""

    word = "standbys-off"

    def targets(self) -> Iterable[str]:
        """All of them."""
        yield from self.keepers.standbys()


class QueueLeaderOff(Off):
    """The leader of the engine's stream without power."""

    word = "queue-leader-off"

    def targets(self) -> Iterable[str]:
        """Whoever leads it."""
        if leader := self.keepers.queue_leader():
            yield leader


class AllOff(Off):
    """Every member of store, queue and engine without power at once."""

    word = "all-off"

    def targets(self) -> Iterable[str]:
        """All of them."""
        keepers = self.keepers
        yield from (*keepers.store.members, *keepers.queue.members, *keepers.engine.members)


class EtcdMinority(Paused):
    """One member of etcd, beside a standby, does not answer."""

    word = "etcd-minority"
    count: ClassVar[int] = 1

    def targets(self) -> Iterable[str]:
        """Not the primary's: that is another fault."""
        primary = self._primary()
        yield from [name for name in self.keepers.store.members if name != primary][: self.count]

    def inject(self) -> float:
        """Stop etcd alone: the databases beside it go on."""
        self._running = named(self.lab, self.struck, "etcd")
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
        self._before = wires.dropped(self.lab, self.struck)
        control.cut_wires(self.lab, self.struck, "aToB")
        return time.monotonic()

    def evidence(self) -> Sequence[Evidence]:
        """Packets have been dropped on it."""
        return wires.cut_evidence(self.lab, self._before)

    def heal(self) -> float:
        """Join it again."""
        instant = time.monotonic()
        control.heal_wires(self.lab, self.struck)
        return instant


class SwitchDuringSwitch(ProcessKilled):
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


def _quietly(move: Callable[[], object]) -> None:
    try:
        move()
    except (DiversiteError, OSError):
        return  # that a move fails which something else broke is what is tried here
