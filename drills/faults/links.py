"""Faults that take links away: cut both ways, cut one way, cut and healed over and over."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import ClassVar

from diversite.outcome import Outcome
from drills import wires
from drills.faults.fault import Evidence, LinkFault, unharmed
from lab import control

FLAP_SECONDS = 1.0
"""Long enough for BFD to see each change, short enough that routes have hardly settled when the next one comes."""


class Cut(LinkFault):
    """Links cut silently, both ways."""

    word = "cut"
    way: ClassVar[str] = "both"

    def inject(self) -> float:
        """Cut them all in one step."""
        self._before = wires.dropped(self.lab, self.links)
        control.cut_wires(self.lab, self.links, self.way)
        return time.monotonic()

    def evidence(self) -> Sequence[Evidence]:
        """Packets have been dropped on each."""
        return wires.cut_evidence(self.lab, self._before)

    def heal(self) -> float:
        """Join them again."""
        instant = time.monotonic()
        control.heal_wires(self.lab, self.links)
        return instant


class OneWay(Cut):
    """Links cut silently from their first end to their second; the other way carries on."""

    word = "one-way"
    way = "aToB"


class Flap(Cut):
    """Links cut and healed over and over."""

    word = "flap"

    def inject(self) -> float:
        """Cut them, and go on in the background."""
        self._ended = threading.Event()
        self._flapping = threading.Thread(target=self._flap, daemon=True)
        instant = super().inject()
        self._flapping.start()
        return instant

    def heal(self) -> float:
        """Stop, and leave them whole."""
        self._ended.set()
        self._flapping.join()
        return super().heal()

    def predicted(self) -> Outcome:
        """Nothing but the class."""
        return unharmed(self.plan)

    def _flap(self) -> None:
        is_cut = True
        while not self._ended.wait(FLAP_SECONDS):
            is_cut = not is_cut
            control.cut_wires(self.lab, self.links, self.way if is_cut else "")
