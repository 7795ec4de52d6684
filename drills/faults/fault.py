"""What a fault is: predicted, injected once, asked for evidence while it lasts, healed, and asked again afterwards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import ClassVar, Self

from diversite.domains import Domain, domains_of
from diversite.errors import DiversiteError
from diversite.outcome import Outcome, predict
from diversite.plan import Host, Plan
from drills.evidence import Evidence
from drills.load import Line

__all__ = ["TOGETHER", "Evidence", "Fault", "HostFault", "LinkFault", "SiteFault", "class_alone", "unharmed"]

TOGETHER = "+"
"""Between domains that fail at the same time."""


class Fault(ABC):
    """Something that breaks a lab; every instant is in monotonic seconds."""

    word: ClassVar[str]
    hold_seconds_min: ClassVar[float] = 0.0
    """How long it must last to do what it is for."""
    inject_seconds_max: ClassVar[float] = 0.0
    """How long it may take until it is broken as a whole, where that takes longer than a moment: clients go on."""
    back_seconds_min: ClassVar[float] = 0.0
    """How long clients must go on after the heal began, to see what it is for."""
    is_noticed: ClassVar[bool] = False
    """Whether a monitor must notice it, where it lasts long enough."""
    surge: ClassVar[float] = 1.0
    """How many times the usual load there is while it lasts."""

    def __init__(self, lab: str, plan: Plan, *domains: Domain) -> None:
        self.lab = lab
        self.plan = plan
        self.domains = domains
        membership = domains_of(plan)
        members = frozenset().union(*(membership.members(domain) for domain in domains))
        self.hosts: tuple[Host, ...] = tuple(host for host in plan.hosts.values() if host.name in members)
        self.links: tuple[str, ...] = tuple(name for name in plan.links if name in members)
        self.sites: tuple[str, ...] = tuple(host.site for host in self.hosts if host.role == "gateway")
        self.require_targets()

    @property
    def name(self) -> str:
        """How the fault is written."""
        return f"{self.word}:{self.where}"

    @property
    def where(self) -> str:
        """Its domains, as they are written."""
        return TOGETHER.join(map(str, self.domains))

    def of(self, plan: Plan) -> Self:
        """The same fault of another plan of the same venue."""
        other = copy(self)
        other.plan = plan
        return other

    @property
    def names(self) -> tuple[str, ...]:
        """The hosts that it strikes."""
        return tuple(host.name for host in self.hosts)

    @property
    def struck(self) -> frozenset[str]:
        """The hosts whose chain is looked into as one that was struck."""
        return frozenset(self.names)

    @abstractmethod
    def require_targets(self) -> None:
        """DiversiteError where it cannot strike what its domains name."""

    def predicted(self) -> Outcome:
        """What the model says of it. The faults of a lab leave disks and programs what they are, so nothing is gone."""
        return predict(self.plan, [], down=(*self.names, *self.links))

    def prepare(self) -> None:
        """What must be done before clients begin."""
        return

    @abstractmethod
    def inject(self) -> float:
        """Break it; the instant from which it was broken as a whole."""

    @abstractmethod
    def evidence(self) -> Sequence[Evidence]:
        """Whether it is broken, by what is seen there; asked while it lasts."""

    @abstractmethod
    def heal(self) -> float:
        """Mend it; the instant at which mending began."""

    def afterwards(self, lines: Sequence[Line]) -> Sequence[Evidence]:
        """Signs that are there only when all is over; `lines` is what became of every order."""
        del lines
        return ()


class HostFault(Fault):
    """What strikes hosts."""

    def require_targets(self) -> None:
        """Hosts alone."""
        if not self.hosts or self.links:
            raise DiversiteError(
                f"{self.name}: {self.where} is not hosts alone, which {self.word} strikes; "
                "links are struck by cut, slow, loss and others"
            )


class SiteFault(HostFault):
    """What strikes whole sites."""

    def require_targets(self) -> None:
        """Hosts alone, and with them all that stands at their sites."""
        super().require_targets()
        if not self.sites or {host.site for host in self.hosts} - set(self.sites):
            raise DiversiteError(
                f"{self.name}: {self.word} needs whole sites, and {self.where} has "
                f"{', '.join(self.names) or 'no hosts'}; strike hosts with kill or pause"
            )


class LinkFault(Fault):
    """What strikes links."""

    def require_targets(self) -> None:
        """Links alone."""
        if not self.links or self.hosts:
            raise DiversiteError(
                f"{self.name}: {self.where} is not links alone, which {self.word} strikes; "
                "hosts are struck by kill, pause, power-off and others"
            )


def class_alone(outcome: Outcome) -> Outcome:
    """The class of an outcome without its figures: the model knows none for this way to fail, and says none."""
    return replace(outcome, rto_seconds=None, gap_seconds=None, resume_seconds=None, latency=None)


def unharmed(plan: Plan) -> Outcome:
    """That a venue goes on and loses nothing, whatever it takes."""
    return class_alone(predict(plan, []))
