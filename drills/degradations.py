"""What becomes worse little by little: a disk fills, a link grows longer, peers drop, a clock drifts.

Each names the alert that must call somebody before it fails, and says when it has failed: when a client or an engine
could tell. A degradation is begun, driven step by step, and ended.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from statistics import median
from typing import ClassVar

from diversite.outcome import predict
from diversite.plan import Host, Plan
from drills import wires
from drills.faults.sets import standard_set
from drills.load import Line
from drills.observer import Observer
from lab import control, disk, world

FILLED_SECONDS = 150.0
LONGER_MS_PER_SECOND = 1.0
DROPPED_EVERY_SECONDS = 60.0
DRIFT_SECONDS_PER_SECOND = 0.25
SLOWER_TIMES = 2.0
"""Orders that take so many times what they took in the calm are a failure that clients feel."""
SILENT_SECONDS = 3.0
WINDOW_SECONDS = 5.0


class Degradation(ABC):
    """Something that becomes worse; `since` counts seconds from its beginning."""

    word: ClassVar[str]
    alert: ClassVar[str]
    """Which must fire before it fails."""
    seconds_max: ClassVar[float]
    """It has failed by then, or does not."""

    def __init__(self, lab: str, plan: Plan, observer: Observer) -> None:
        self.lab = lab
        self.plan = plan
        self.observer = observer
        first = standard_set(lab, plan)[0].hosts[0]
        self.validator: Host = first
        """The first proposer, whose site is struck where one is."""

    @property
    @abstractmethod
    def where(self) -> str:
        """What becomes worse."""

    def begin(self) -> None:
        """What must be done before the first step."""
        return

    @abstractmethod
    def step(self, since: float) -> None:
        """Make it as bad as it is to be by now; asked again and again."""

    @abstractmethod
    def has_failed(self, lines: Sequence[Line], now: float) -> bool:
        """Whether somebody could tell by now, in monotonic seconds; `lines` are the orders settled so far."""

    @abstractmethod
    def end(self) -> None:
        """Mend it."""

    def _engine_is_out(self) -> bool:
        engine = self.plan.hosts[self.validator.partner or ""]
        return not self.observer.ready([engine])[engine.name]


class DiskFills(Degradation):
    """The disk of a validator fills."""

    word = "disk-fills"
    alert = "DiskFillsSoon"
    seconds_max = FILLED_SECONDS + 60

    @property
    def where(self) -> str:
        """The host."""
        return self.validator.name

    def begin(self) -> None:
        """Look how much room there is."""
        self._room = disk.available_bytes(world.require(self.lab), self.validator.name)

    def step(self, since: float) -> None:
        """Take the room in proportion to the time."""
        left = round(self._room * max(0.0, 1 - since / FILLED_SECONDS))
        control.fill_disk(self.lab, self.validator.name, left)

    def has_failed(self, lines: Sequence[Line], now: float) -> bool:
        """The engine beside it could not acknowledge any more."""
        del lines, now
        return self._engine_is_out()

    def end(self) -> None:
        """Give the room back."""
        control.drain_disk(self.lab, self.validator.name)


class LinkGrowsLonger(Degradation):
    """The round trip of the busiest link grows."""

    word = "link-grows-longer"
    alert = "RoundTripDrifts"
    seconds_max = 240.0

    @property
    def where(self) -> str:
        """The link."""
        return next(fault.links[0] for fault in standard_set(self.lab, self.plan) if fault.links)

    def begin(self) -> None:
        """Note what it is."""
        self._inputs = wires.impair(self.lab, {self.where: lambda inputs: inputs})
        self._calm: float | None = None

    def step(self, since: float) -> None:
        """Half of it each way."""
        more = round(since * LONGER_MS_PER_SECOND * 1000 / 2)
        known = self._inputs[self.where]
        changed = known.model_copy(update={"delay_microseconds": known.delay_microseconds + more})
        wires.restore(self.lab, {self.where: changed})

    def has_failed(self, lines: Sequence[Line], now: float) -> bool:
        """Half of the orders of the last seconds took several times what they took in the calm."""
        recent = [line.latency_ms for line in lines if now - WINDOW_SECONDS < line.settled_seconds <= now]
        self._calm = self._calm or (median(line.latency_ms for line in lines) if lines else None)
        return bool(recent) and self._calm is not None and median(recent) > SLOWER_TIMES * self._calm

    def end(self) -> None:
        """Make it what it was."""
        wires.restore(self.lab, self._inputs)


class PeersDrop(Degradation):
    """One validator after the other is gone."""

    word = "peers-drop"
    alert = "PeersLost"
    seconds_max = 360.0

    @property
    def where(self) -> str:
        """All of them, in turn."""
        return ", ".join(host.name for host in self._turns)

    @property
    def _turns(self) -> list[Host]:
        by_key = {host.key: host for host in self.plan.of_role("validator")}
        return [by_key[key] for key in self.plan.proposer_order]

    def begin(self) -> None:
        """None is gone yet."""
        self._gone: list[Host] = []

    def step(self, since: float) -> None:
        """The next goes when its time has come."""
        if since >= DROPPED_EVERY_SECONDS * len(self._gone) and len(self._gone) < len(self._turns):
            self._gone.append(self._turns[len(self._gone)])
            control.kill_host(self.lab, self._gone[-1].name)

    def has_failed(self, lines: Sequence[Line], now: float) -> bool:
        """No order is acknowledged any more, and those that are gone are why: less than that is a busy machine's."""
        latest = max((line.settled_seconds for line in lines if line.fate == "acknowledged"), default=now)
        foretold = predict(self.plan, [], down=[host.name for host in self._gone]).outcome
        return now - latest > SILENT_SECONDS and foretold != "continues"

    def end(self) -> None:
        """Bring them back."""
        for host in self._gone:
            control.start_host(self.lab, host.name)


class ClockDrifts(Degradation):
    """The clock of a validator's engine runs ahead."""

    word = "clock-drifts"
    alert = "ClockAhead"
    seconds_max = 120.0

    @property
    def where(self) -> str:
        """The engine's host."""
        return self.validator.partner or ""

    def step(self, since: float) -> None:
        """In proportion to the time."""
        control.move_clock(self.lab, self.where, DRIFT_SECONDS_PER_SECOND * since)

    def has_failed(self, lines: Sequence[Line], now: float) -> bool:
        """The engine takes itself for too far behind to acknowledge."""
        del lines, now
        return self._engine_is_out()

    def end(self) -> None:
        """Set it right."""
        control.move_clock(self.lab, self.where, 0.0)


DEGRADATIONS: tuple[type[Degradation], ...] = (DiskFills, LinkGrowsLonger, PeersDrop, ClockDrifts)
