"""Compares the wires of this machine with what was asked of them: `python -m lab.selftest`.

Makes a lab of its own with one wire per round trip, pings over all of them at once, and takes the lab down. Says
which kind of wire was used, since the kernel decides that.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from lab import control, host, wire, world
from lab.inputs import HostInputs, WireInputs
from lab.world import World

ROUND_TRIPS_MS = (1.0, 4.0, 10.0, 23.0, 40.0, 88.0, 150.0)
COUNT = 100
NEAR_MS_MAX = 40.0
NEAR_ERROR_MS_MAX = 1.0
FAR_ERROR_SHARE_MAX = 0.02
ANSWERED_SHARE_MIN = 0.99
_HUB = "hub"


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One wire: what was asked, and what a ping saw."""

    configured_ms: float
    observed: control.RoundTrip

    @property
    def holds(self) -> bool:
        """Whether the median is as near as the lab promises, and nothing was lost."""
        error = abs(self.observed.p50_ms - self.configured_ms)
        answered = self.observed.answered >= ANSWERED_SHARE_MIN * self.observed.sent
        return answered and error <= error_ms_max(self.configured_ms)


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """What this machine's wires are and how true they are."""

    wire_kind: str
    """`netem` or `userspace`."""
    observations: tuple[Observation, ...]

    @property
    def holds(self) -> bool:
        """Whether every wire does."""
        return all(observation.holds for observation in self.observations)


def error_ms_max(configured_ms: float) -> float:
    """How far from the configured round trip the median may be."""
    return NEAR_ERROR_MS_MAX if configured_ms <= NEAR_MS_MAX else configured_ms * FAR_ERROR_SHARE_MAX


def selftest(round_trips_ms: Sequence[float] = ROUND_TRIPS_MS, count: int = COUNT) -> SelfTest:
    """Build wires with these round trips, measure each `count` times, and take the lab down."""
    name = f"selftest-{os.getpid()}"
    try:
        made = world.create(name, f"lab/{name}")
        _build(made, round_trips_ms)
        pairs = {(_HUB, _address(index, 2)): trip for index, trip in enumerate(round_trips_ms)}
        observed = control.observed_rtt(name, list(pairs), count)
    finally:
        world.down(name)
    observations = (Observation(configured_ms=trip, observed=observed[pair]) for pair, trip in pairs.items())
    return SelfTest(wire_kind=made.wire_kind, observations=tuple(observations))


def main() -> int:
    """Print the comparison; the exit status says whether every wire holds."""
    result = selftest()
    print(f"wires: {result.wire_kind}")
    for each in result.observations:
        seen = each.observed
        print(
            f"configured {each.configured_ms:7.2f} ms  observed p50 {seen.p50_ms:8.3f}  p99 {seen.p99_ms:8.3f}  "
            f"answered {seen.answered}/{seen.sent}  {'holds' if each.holds else 'DOES NOT HOLD'}"
        )
    return 0 if result.holds else 1


def _build(made: World, round_trips_ms: Sequence[float]) -> None:
    host.create(made, HostInputs(world=made.name, name=_HUB, site="hub", kind="router", networks=()))
    for index, trip in enumerate(round_trips_ms):
        far = f"far{index}"
        host.create(made, HostInputs(world=made.name, name=far, site=far, kind="router", networks=()))
        wire.create(made, _wire(made, index, trip))


def _wire(made: World, index: int, trip_ms: float) -> WireInputs:
    ends = {
        "a": {"host": _HUB, "interface": f"to{index}", "address": f"{_address(index, 1)}/30"},
        "b": {"host": f"far{index}", "interface": "to-hub", "address": f"{_address(index, 2)}/30"},
    }
    delay = {"delayMicroseconds": round(trip_ms * 500)}
    return WireInputs.model_validate({"world": made.name, "name": f"wire{index}", **ends, **delay})


def _address(index: int, end: int) -> str:
    return str(IPv4Address("10.255.0.0") + 4 * index + end)


if __name__ == "__main__":
    sys.exit(main())
