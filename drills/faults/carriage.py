"""Faults of what links carry: late, lost, twice, out of order, with a bit changed."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from diversite.outcome import Outcome, predict
from drills import wires
from drills.faults.fault import Evidence, LinkFault, unharmed
from lab import control

SLOWER_MS = 60
"""Round trip that a slow link takes on top of its own: about that of a detour over an ocean's shore."""
LOSS_PER_MILLION = 50_000
GARBLED_PER_MILLION = 20_000


class Impaired(LinkFault):
    """Links that carry, but badly."""

    def inject(self) -> float:
        """Change their wires while they carry."""
        self._inputs = wires.impair(self.lab, dict.fromkeys(self.links, self.change))
        return time.monotonic()

    def heal(self) -> float:
        """Make the wires what they were."""
        instant = time.monotonic()
        wires.restore(self.lab, self._inputs)
        return instant

    def predicted(self) -> Outcome:
        """Nothing but the class: the model does not know what retransmissions cost."""
        return unharmed(self.plan)

    @property
    @abstractmethod
    def change(self) -> Callable[[wires.WireInputs], wires.WireInputs]:
        """From a wire as it is to one that is impaired."""


class Slow(Impaired):
    """Links with more round trip; routes stay, because their costs do."""

    word = "slow"

    def predicted(self) -> Outcome:
        """That of a plan with longer links and the same routes."""
        return predict(wires.slower(self.plan, frozenset(self.links), SLOWER_MS), [])

    def evidence(self) -> Sequence[Evidence]:
        """Pings over these very links take longer."""
        planned = {name: self.plan.links[name].rtt_ms for name in self.links}
        seen = {name: wires.observed(self.lab, self.plan.links[name]).p50_ms for name in self.links}
        return [
            Evidence(what=f"{name}: {seen[name]:.1f} ms, planned {ms:.1f} ms", bit=seen[name] >= ms + 0.9 * SLOWER_MS)
            for name, ms in planned.items()
        ]

    @property
    def change(self) -> Callable[[wires.WireInputs], wires.WireInputs]:
        """Half of it each way."""
        return lambda inputs: inputs.model_copy(
            update={"delay_microseconds": inputs.delay_microseconds + SLOWER_MS * 1000 // 2}
        )


class Loss(Impaired):
    """Links that lose a share of their packets."""

    word = "loss"

    def evidence(self) -> Sequence[Evidence]:
        """Pings are lost."""
        seen = {name: wires.observed(self.lab, self.plan.links[name], count=100) for name in self.links}
        return [
            Evidence(what=f"{name}: {trip.answered} of {trip.sent} pings answered", bit=trip.answered < trip.sent)
            for name, trip in seen.items()
        ]

    @property
    def change(self) -> Callable[[wires.WireInputs], wires.WireInputs]:
        """The share each way."""
        return lambda inputs: inputs.model_copy(update={"loss_per_million": LOSS_PER_MILLION})


class Garbled(LinkFault):
    """Links that deliver, but not what was sent as it was sent. Wires of the relay only."""

    counted: ClassVar[str]
    """The relay's counter of it."""

    def inject(self) -> float:
        """Have the relay garble."""
        self._before = wires.counted(self.lab, self.links, self.counted)
        fault = {f"{self.word}PerMillion": GARBLED_PER_MILLION}
        control.set_wire_faults(self.lab, dict.fromkeys(self.links, fault))
        return time.monotonic()

    def evidence(self) -> Sequence[Evidence]:
        """The relay has counted some."""
        now = wires.counted(self.lab, self.links, self.counted)
        return [
            Evidence(what=f"{name}: {now[name] - count} packets {self.counted}", bit=now[name] > count)
            for name, count in self._before.items()
        ]

    def heal(self) -> float:
        """Have it deliver as it was sent."""
        instant = time.monotonic()
        control.heal_wires(self.lab, self.links)
        return instant

    def predicted(self) -> Outcome:
        """Nothing but the class."""
        return unharmed(self.plan)


class Duplicate(Garbled):
    """Links that deliver some packets twice."""

    word = "duplicate"
    counted = "duplicated"


class Reorder(Garbled):
    """Links on which some packets overtake others."""

    word = "reorder"
    counted = "reordered"


class Corrupt(Garbled):
    """Links that change a bit of some packets."""

    word = "corrupt"
    counted = "corrupted"
