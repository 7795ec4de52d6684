"""A release of the engine that ends at a height, whenever it is to carry out that block."""

from __future__ import annotations

import time
from collections.abc import Sequence

from diversite.errors import DiversiteError
from diversite.outcome import Outcome, predict
from diversite.plan import Host
from drills import asking
from drills.faults.fault import Evidence, HostFault, class_alone
from drills.planted import planting
from lab import world
from lab.world import wait_until

BLOCKS_AHEAD = 40
"""How far ahead the height is: what is restarted must be at the head again before."""
REACHED_SECONDS_MAX = 60.0


class BadRelease(HostFault):
    """The engines of the hosts run a release that ends at a height, each time that it comes to it."""

    word = "bad-release"
    is_noticed = True
    inject_seconds_max = REACHED_SECONDS_MAX

    @property
    def engines(self) -> tuple[Host, ...]:
        """Those that run it."""
        return tuple(host for host in self.hosts if host.role == "engine")

    def require_targets(self) -> None:
        """Engines, and perhaps what stands beside them."""
        super().require_targets()
        if not self.engines:
            raise DiversiteError(
                f"{self.name}: {self.where} has no engine; name a site, a provider or an engine's host"
            )

    def predicted(self) -> Outcome:
        """The class of their loss: when they end depends on the chain."""
        return class_alone(predict(self.plan, [], down=[host.name for host in self.engines]))

    def inject(self) -> float:
        """Roll it out to all at once, and wait until the height has come."""
        self._height = max(asking.engine(self.lab, host, "/status")["height"] for host in self.engines) + BLOCKS_AHEAD
        self._before = planting.exchange(
            self.lab, self.engines, planting.ENGINE, planting.engine(f"crash-at:{self._height}")
        )
        wait_until(lambda: all(map(self._has_ended, self.engines)), REACHED_SECONDS_MAX, 0.2)
        return time.monotonic()

    def evidence(self) -> Sequence[Evidence]:
        """No engine of that release is beyond the height."""
        return [
            Evidence(what=f"{host.name}: ended at height {self._height}", bit=self._has_ended(host))
            for host in self.engines
        ]

    def heal(self) -> float:
        """Roll it back."""
        instant = time.monotonic()
        planting.restore(self.lab, self._before)
        return instant

    def _has_ended(self, host: Host) -> bool:
        """It says so in its log, each time."""
        log = world.require(self.lab).layout.service_log(host.name, planting.ENGINE) / "current"
        return planting.ending(self._height) in log.read_text(encoding="utf-8", errors="replace")
