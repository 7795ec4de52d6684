"""Faults of clocks: the time of day stepped, and drifting, for all that runs on the hosts. Need root and x86-64."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Sequence

from diversite.outcome import Outcome
from drills import asking
from drills.faults.fault import Evidence, HostFault, unharmed
from lab import control

STEP_SECONDS = 30.0
"""Well beyond every bound that compares a block's time with the time of day."""
DRIFT_SECONDS_PER_SECOND = 0.25
"""A thousand times a bad crystal: what takes hours there shows in a minute here."""
EVERY_SECONDS = 0.25
"""How often a clock is set, so that what starts anew has it soon."""
BIT_SHARE = 0.5
"""Of what a clock is to be off by now: it is read one host after the other, and drifts meanwhile."""


class WrongClock(HostFault):
    """Hosts whose time of day is wrong, their timers not."""

    def inject(self) -> float:
        """Set the clocks, and keep setting them in the background."""
        self._ended = threading.Event()
        self._since = time.monotonic()
        self._set()
        self._setting = threading.Thread(target=self._keep_set, daemon=True)
        self._setting.start()
        return time.monotonic()

    def evidence(self) -> Sequence[Evidence]:
        """Every process reads the wrong time, and engines say it themselves."""
        read = {name: control.clock_offsets(self.lab, name) for name in self.names}
        wanted = self.seconds(time.monotonic() - self._since)
        signs = [
            Evidence(
                what=f"{name}: {len(offsets)} processes read a clock that is {min(offsets, default=0):.1f} s off",
                bit=bool(offsets) and all(_is_off(offset, wanted) for offset in offsets),
            )
            for name, offsets in read.items()
        ]
        return [*signs, *(self._said(host.name) for host in self.hosts if host.role == "engine")]

    def heal(self) -> float:
        """Set them right, as a time service that steps would."""
        self._ended.set()
        self._setting.join()
        instant = time.monotonic()
        for name in self.names:
            control.move_clock(self.lab, name, 0.0)
        return instant

    def predicted(self) -> Outcome:
        """Nothing but the class: blocks take the median of the validators' clocks."""
        return unharmed(self.plan)

    @abstractmethod
    def seconds(self, since: float) -> float:
        """How far off the clocks are to be so many seconds after the fault began."""

    def _keep_set(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            self._set()

    def _set(self) -> None:
        wanted = self.seconds(time.monotonic() - self._since)
        for name in self.names:
            control.move_clock(self.lab, name, wanted)

    def _said(self, engine: str) -> Evidence:
        """An engine notes the time of day at which it committed."""
        told = asking.metric(self.lab, self.plan.hosts[engine], "engine_last_commit_timestamp_seconds")
        off = told - time.time()
        wanted = self.seconds(time.monotonic() - self._since)
        return Evidence(what=f"{engine}: noted a commit {off:.1f} s off the true time", bit=_is_off(off, wanted))


class ClockStep(WrongClock):
    """The time of day of the hosts stepped ahead. Needs root and x86-64."""

    word = "clock-step"

    def seconds(self, since: float) -> float:
        """All of it, from the first moment."""
        del since
        return STEP_SECONDS


class ClockBack(WrongClock):
    """The time of day of the hosts stepped back. Needs root and x86-64."""

    word = "clock-back"

    def seconds(self, since: float) -> float:
        """All of it, from the first moment."""
        del since
        return -STEP_SECONDS


class ClockDrift(WrongClock):
    """The time of day of the hosts running ahead, more and more. Needs root and x86-64."""

    word = "clock-drift"

    def seconds(self, since: float) -> float:
        """In proportion to the time."""
        return DRIFT_SECONDS_PER_SECOND * since


def _is_off(offset: float, wanted: float) -> bool:
    return offset * wanted > 0 and abs(offset) >= BIT_SHARE * abs(wanted)
