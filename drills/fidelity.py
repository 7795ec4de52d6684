"""Whether a lab is what was planned while it is drilled: round trips of untouched links, and how busy the machine is.

Sampled every few seconds through a whole repetition. A repetition is void where the lab was not the venue: where the
median of a link's round trips was off by more than the bound.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from diversite.plan import Host, LinkPlan, Plan
from drills.observer import Observer
from drills.pressure import Pressure

EVERY_SECONDS = 3.0
PINGS = 3
"""A link and sample: on few cores more would disturb what is measured."""
OFF_MS_MAX = 1.0
OFF_SHARE_MAX = 0.02
"""How far off a round trip may be: the larger of the two."""
SAMPLES_MIN = 2
"""A median of fewer says nothing."""


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """A link's round trip over a repetition."""

    link: str
    planned_ms: float
    observed_ms: float
    """The median of the samples' medians."""
    samples: int

    @property
    def is_true(self) -> bool:
        """Whether it is the planned one, within the bound."""
        off_ms = abs(self.observed_ms - self.planned_ms)
        return self.samples < SAMPLES_MIN or off_ms <= max(OFF_MS_MAX, OFF_SHARE_MAX * self.planned_ms)


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """What was sampled in a repetition."""

    links: tuple[Sampled, ...]
    pressures: tuple[float, ...]
    """The share of each interval in which something waited for a core; empty where the kernel does not tell."""

    @property
    def untrue(self) -> tuple[Sampled, ...]:
        """The links whose round trip was not the planned one."""
        return tuple(it for it in self.links if not it.is_true)


class Sampler:
    """Samples in the background, links that are not struck alone."""

    def __init__(self, observer: Observer, plan: Plan, struck: Collection[str] = ()) -> None:
        """`struck` names hosts and links whose round trips the fault changes."""
        self._observer = observer
        self._hosts = plan.hosts
        self._links = [link for link in plan.links.values() if not _is_struck(link, struck)]
        self._trips: dict[str, list[float]] = defaultdict(list)
        self._pressures: list[float] = []
        self._ended = threading.Event()
        self._sampling = threading.Thread(target=self._sample, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._sampling.start()

    def stop(self) -> Fidelity:
        """End, and tell."""
        self._ended.set()
        self._sampling.join()
        return Fidelity(links=tuple(map(self._told, self._links)), pressures=tuple(self._pressures))

    def _sample(self) -> None:
        reading = Pressure.now()
        while not self._ended.wait(EVERY_SECONDS):
            reading = reading.since()
            if reading.share is not None:
                self._pressures.append(round(reading.share, 3))
            for link, ms in self._observed().items():
                self._trips[link].append(ms)

    def _observed(self) -> Mapping[str, float]:
        targets: dict[Host, list[str]] = defaultdict(list)
        for link in self._links:
            targets[self._hosts[link.a.gateway]].append(str(link.b.address.ip))
        trips = self._observer.round_trips(targets, PINGS)
        seen = {link.name: trips.get((link.a.gateway, str(link.b.address.ip)), []) for link in self._links}
        return {link: median(ms) for link, ms in seen.items() if ms}

    def _told(self, link: LinkPlan) -> Sampled:
        trips: Sequence[float] = self._trips[link.name]
        observed = median(trips) if trips else link.rtt_ms
        return Sampled(link=link.name, planned_ms=link.rtt_ms, observed_ms=round(observed, 2), samples=len(trips))


def _is_struck(link: LinkPlan, struck: Collection[str]) -> bool:
    return not {link.name, link.a.gateway, link.b.gateway}.isdisjoint(struck)
