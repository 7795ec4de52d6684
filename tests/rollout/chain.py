"""A chain as monitors see it, in a time of its own that moves only while somebody pauses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from diversite.rotation import POWER_SCALE
from rollout.monitors import HEIGHT, SIGNED, TOTAL_POWER


@dataclass
class Clock:
    """Seconds that pass when asked to, and what happens at some of them."""

    seconds: float = 0.0
    _events: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def now(self) -> float:
        """How many have passed."""
        return self.seconds

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
        for due in [event for event in self._events if event[0] <= self.seconds]:
            self._events.remove(due)
            due[1]()

    def at(self, seconds: float, happens: Callable[[], object]) -> None:
        """Have something happen then."""
        self._events.append((seconds, happens))


class Chain:
    """Validators that make blocks, some of which sign nothing, and monitors, some of which are away."""

    def __init__(
        self,
        names: Collection[str],
        silent: Collection[str] = (),
        away: Collection[str] = (),
        blocks_per_second: float = 2.0,
    ) -> None:
        self.clock = Clock()
        self.names = tuple(names)
        self.silent = set(silent)
        self.away = set(away)
        self.blocks_per_second = blocks_per_second
        self.powerless: set[str] = set()
        """Who follows the chain without voting power."""
        self.units = len(self.names)
        """How much voting power all of them have."""
        self._quiet_since: dict[str, int] = dict.fromkeys(self.silent, 100)

    @property
    def height(self) -> int:
        """Of the newest block."""
        return 100 + int(self.clock.seconds * self.blocks_per_second)

    def silence(self, *names: str) -> None:
        """Have them stop signing."""
        self.silent.update(names)
        self._quiet_since |= dict.fromkeys(names, self.height)

    def fetch(self, url: str) -> str:
        """What a monitor answers."""
        parts = urlsplit(url)
        if parts.hostname in self.away:
            raise OSError("away")
        (query,) = parse_qs(parts.query)["query"]
        (metric,) = re.findall(r"^last_over_time\((\w+)\[60s\]\)$", query)
        return json.dumps({"status": "success", "data": {"resultType": "vector", "result": self._samples(metric)}})

    def _samples(self, metric: str) -> list[dict[str, object]]:
        return [
            {"metric": {"__name__": metric, "node": name}, "value": [0, str(self._value(metric, name))]}
            for name in self.names
            if metric != SIGNED or name not in self.powerless
        ]

    def _value(self, metric: str, name: str) -> int:
        if metric == TOTAL_POWER:
            return self.units * POWER_SCALE
        return self._quiet_since[name] if metric != HEIGHT and name in self.silent else self.height
