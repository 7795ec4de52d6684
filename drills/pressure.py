"""How busy the machine was while something was measured: on one that waits for its cores, times are its own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

PRESSURE_FILE = Path("/proc/pressure/cpu")
PRESSED_SHARE = 0.2
"""Above this share of time with something waiting for a core, a measured time says little about the venue."""


@dataclass(frozen=True, kw_only=True)
class Pressure:
    """How much of the time something waited for a core."""

    at: float
    waited_seconds: float
    share: float | None = None
    """Of the time between two readings; None of a single one, or where the kernel does not tell."""

    @classmethod
    def now(cls) -> Pressure:
        """A first reading."""
        return cls(at=time.monotonic(), waited_seconds=_waited_seconds())

    def since(self) -> Pressure:
        """A second reading, with the share of the time between the two."""
        now = Pressure.now()
        passed = now.at - self.at
        share = (now.waited_seconds - self.waited_seconds) / passed if PRESSURE_FILE.exists() and passed else None
        return Pressure(at=now.at, waited_seconds=now.waited_seconds, share=share)

    @property
    def is_high(self) -> bool:
        """Whether the times measured under it are pessimistic."""
        return self.share is not None and self.share > PRESSED_SHARE


def _waited_seconds() -> float:
    try:
        first = PRESSURE_FILE.read_text().splitlines()[0]
    except OSError:
        return 0.0
    return int(first.rpartition("total=")[2]) / 1e6
