"""Who signs, as the venue's monitors see it: the heights that each validator's own metrics tell.

With `timeout_commit` 0 a far validator's vote is not in every commit, but in every commit of a block that it proposed
itself. So a validator signs if its last signature is newer than the height at which one began to look.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from diversite.errors import RolloutError

HEIGHT = "cometbft_consensus_latest_block_height"
SIGNED = "cometbft_consensus_validator_last_signed_height"
TOTAL_POWER = "cometbft_consensus_validators_power"
SIGN_SECONDS_MAX = 300.0
"""A machine that is made anew boots, fetches its release, and catches up from its disk."""
LOOK_SECONDS_MAX = 45.0
"""Several turns to propose of a large venue, and several scrapes."""
POLL_SECONDS = 2.0
KEPT_SECONDS = 60
"""For how long a figure counts whose last scrapes failed: one that took too long, on a busy host, empties a query."""

Fetch = Callable[[str], str]
"""The body of a URL; OSError where it does not answer."""


@dataclass(frozen=True, kw_only=True)
class Signs:
    """What one validator's metrics tell; None where the monitors do not see it."""

    height: int | None = None
    signed: int | None = None
    """The last height whose commit has its signature."""


class Monitors:
    """The venue's monitors. One that answers is enough, and the newest figure of all that answer counts."""

    def __init__(
        self,
        validators: Collection[str],
        addresses: Sequence[str],
        fetch: Fetch,
        now: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._validators = tuple(validators)
        self._addresses = tuple(address.rstrip("/") for address in addresses)
        self._fetch = fetch
        self._now = now
        self._pause = pause

    def look(self) -> Mapping[str, Signs]:
        """What is known of each validator, by host name; RolloutError where no monitor answers."""
        heights, signed = self._newest(HEIGHT), self._newest(SIGNED)
        return {name: Signs(height=heights.get(name), signed=signed.get(name)) for name in self._validators}

    def silent(
        self, validators: Collection[str] | None = None, seconds_max: float = LOOK_SECONDS_MAX
    ) -> tuple[str, ...]:
        """Those of the validators (default: all) that sign nothing new for that long; empty as soon as all have.

        Raises:
            RolloutError: no monitor has answered by then. Until then one may be made anew itself.
        """
        asked = self._validators if validators is None else tuple(validators)
        end, began = self._now() + seconds_max, None
        while True:
            seen = self._look_until(end)
            began = _newest_height(seen) if began is None else began
            waiting = tuple(name for name in asked if (seen[name].signed or 0) <= began)
            if not waiting or self._now() >= end:
                return waiting
            self._pause(POLL_SECONDS)

    def height(self) -> int:
        """The newest height that any validator has; 0 where none is known."""
        return _newest_height(self.look())

    def total_power(self) -> int | None:
        """The voting power of all validators together, as the chain's newest block has it; None where nobody tells."""
        heights, totals = self._newest(HEIGHT), self._newest(TOTAL_POWER)
        return max(((heights.get(name, 0), total) for name, total in totals.items() if total), default=(0, None))[1]

    def wait_until(self, condition: Callable[[], bool], seconds_max: float = LOOK_SECONDS_MAX) -> bool:
        """Ask again until something that they tell holds; whether it did within that time."""
        end = self._now() + seconds_max
        while not condition():
            if self._now() >= end:
                return False
            self._pause(POLL_SECONDS)
        return True

    def _look_until(self, end: float) -> Mapping[str, Signs]:
        while True:
            try:
                return self.look()
            except RolloutError:
                if self._now() >= end:
                    raise
            self._pause(POLL_SECONDS)

    def _newest(self, metric: str) -> dict[str, int]:
        found: dict[str, int] = {}
        refusals = []
        for address in self._addresses:
            try:
                for node, value in self._samples(address, metric):
                    found[node] = max(value, found.get(node, 0))
            except (OSError, ValueError, KeyError, TypeError) as error:
                refusals.append(f"{address}: {error}")
        if len(refusals) == len(self._addresses):
            raise RolloutError(
                f"no monitor answers, so nobody can see who signs ({'; '.join(refusals) or 'the venue has none'}). "
                "Open a way to one and name it: --prometheus http://localhost:9090"
            )
        return found

    def _samples(self, address: str, metric: str) -> list[tuple[str, int]]:
        query = urlencode({"query": f"last_over_time({metric}[{KEPT_SECONDS}s])"})
        answer: Any = json.loads(self._fetch(f"{address}/api/v1/query?{query}"))
        return [(item["metric"]["node"], int(float(item["value"][1]))) for item in answer["data"]["result"]]


def _newest_height(seen: Mapping[str, Signs]) -> int:
    return max((each.height or 0 for each in seen.values()), default=0)
