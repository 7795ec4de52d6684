"""When an engine ends its validator, because only a new start can help it.

CometBFT lives on after its consensus has failed (a full disk is enough), and decides nothing any more. After a long
partition it redials its peers ever more seldom, up to hours apart. Its supervisor sees a process that runs. The engine
sees that no block comes, and can make its validator end (`app.py`); a new start dials everybody at once.

During a halt of the whole venue this restarts every validator now and then, each at its own time: what they signed is
on their disks, so nothing is lost by it but a second or two.
"""

from __future__ import annotations

import zlib


class Standstill:
    """Watches how long no block came. Instants are monotonic seconds."""

    def __init__(self, site: str, stall_seconds_max: float, every_seconds: float, now: float) -> None:
        """`site` spreads the moments of several engines over a third of `stall_seconds_max`, the same at each start."""
        share = zlib.crc32(site.encode()) / 2**32
        self._stall_seconds_max = stall_seconds_max * (1 + share / 3)
        self._every_seconds = every_seconds
        self._started = now
        self._ended = float("-inf")

    def calls_for_an_end(self, now: float, committed: float) -> bool:
        """Whether to end the validator now, the last block having come at `committed`; a yes is remembered."""
        stalled = now - max(committed, self._started) > self._stall_seconds_max
        if not stalled or now - self._ended <= self._every_seconds:
            return False
        self._ended = now
        return True
