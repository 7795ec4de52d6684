"""Faults of whole sites: cut off, powered off, parted from the rest, deaf to all but their neighbours."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from diversite.domains import Domain
from diversite.errors import DiversiteError
from diversite.outcome import Outcome, predict
from diversite.plan import Plan
from drills import wires
from drills.faults.fault import Evidence, SiteFault, class_alone, unharmed
from drills.faults.processes import Kill
from lab import control

RING_SITES_MIN = 4
"""In a ring of three, everybody has everybody for a neighbour."""
LONG_SECONDS = 600.0
"""CometBFT's twenty quick attempts to reach a peer are over after two to three minutes."""
PEAK = 4.0
"""Times the usual load: the busiest minute of a venue's day."""


class CutOff(SiteFault):
    """Every wire of whole sites cut silently; what runs there goes on alone."""

    word = "cut-off"
    is_noticed = True

    def inject(self) -> float:
        """Cut them all in one step."""
        self._before = wires.dropped(self.lab, self.wires)
        control.cut_wires(self.lab, self.wires)
        return time.monotonic()

    def evidence(self) -> Sequence[Evidence]:
        """Packets have been dropped on each."""
        return wires.cut_evidence(self.lab, self._before)

    def heal(self) -> float:
        """Join them again."""
        instant = time.monotonic()
        control.heal_wires(self.lab, self.wires)
        return instant

    @property
    def wires(self) -> tuple[str, ...]:
        """What is cut."""
        return wires.of_sites(self.plan, self.sites)


class LongCutOff(CutOff):
    """Whole sites cut off for ten minutes, after which CometBFT redials ever more seldom."""

    word = "long-cut-off"
    hold_seconds_min = LONG_SECONDS


class Part(CutOff):
    """Whole sites parted from the rest, together: on either side everything goes on."""

    word = "part"

    def predicted(self) -> Outcome:
        """What runs is cut, not stopped."""
        return predict(self.plan, [], down=self.wires)

    @property
    def wires(self) -> tuple[str, ...]:
        """The links between the two sides."""
        parted = set(self.sites)
        return tuple(link.name for link in self.plan.links.values() if len(parted.intersection(link.sites)) == 1)

    def require_targets(self) -> None:
        """Some of the sites, not all."""
        super().require_targets()
        if not self.wires:
            raise DiversiteError(f"{self.name}: no link leads from {self.where} to another site: name fewer sites")


class PowerOff(CutOff):
    """Whole sites gone at once: cut first, so that nobody hears the processes end."""

    word = "power-off"

    def __init__(self, lab: str, plan: Plan, *domains: Domain) -> None:
        super().__init__(lab, plan, *domains)
        self._kill = Kill(lab, plan, *domains)

    def inject(self) -> float:
        """Cut, then kill; gone from the cut on."""
        instant = super().inject()
        self._kill.inject()
        return instant

    def evidence(self) -> Sequence[Evidence]:
        """Of the cut and of the killing."""
        return [*super().evidence(), *self._kill.evidence()]

    def heal(self) -> float:
        """Wires first, so that what starts finds its peers."""
        instant = super().heal()
        self._kill.heal()
        return instant


class Peak(PowerOff):
    """Whole sites gone in the busiest minute: those that are left take several times the usual load."""

    word = "peak"
    surge = PEAK

    def predicted(self) -> Outcome:
        """The class of the loss: figures are of the usual load."""
        lost = super().predicted()
        return lost if lost.outcome != "continues" else class_alone(lost)


class Ring(SiteFault):
    """Sites that hear only their two neighbours, in the order of the topology, whatever the routes say."""

    word = "ring"

    def inject(self) -> float:
        """Have each site's router refuse what the sites send that are not its neighbours."""
        for site, deaf_to in self._deaf():
            networks = [self.plan.sites[other].network for other in deaf_to]
            control.refuse(self.lab, self.plan.gateway(site).name, networks)
        return time.monotonic()

    def evidence(self) -> Sequence[Evidence]:
        """Each router has refused something."""
        told = {site: control.refused_packets(self.lab, self.plan.gateway(site).name) for site in self.sites}
        return [Evidence(what=f"{site}: {count} packets refused", bit=count > 0) for site, count in told.items()]

    def heal(self) -> float:
        """Refuse nothing."""
        instant = time.monotonic()
        for site in self.sites:
            control.refuse(self.lab, self.plan.gateway(site).name, ())
        return instant

    def predicted(self) -> Outcome:
        """Votes are gossiped around the ring."""
        return unharmed(self.plan)

    def require_targets(self) -> None:
        """Enough sites that somebody is nobody's neighbour."""
        super().require_targets()
        if len(self.sites) < RING_SITES_MIN:
            raise DiversiteError(
                f"{self.name}: a ring needs {RING_SITES_MIN} sites, and {self.where} has {len(self.sites)}; "
                "join domains by +, such as ring:provider:aws+provider:hetzner"
            )

    def _deaf(self) -> Iterator[tuple[str, list[str]]]:
        count = len(self.sites)
        for place, site in enumerate(self.sites):
            heard = {self.sites[(place + step) % count] for step in (-1, 0, 1)}
            yield site, [other for other in self.sites if other not in heard]
