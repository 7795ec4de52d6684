"""Every fault by its word, and the fault that a person names."""

from __future__ import annotations

from collections.abc import Mapping

from diversite.domains import CUTTING, FREEZING, Domain
from diversite.domains import parse as parse_domain
from diversite.errors import DiversiteError
from diversite.plan import Plan
from drills.faults.carriage import Corrupt, Duplicate, Loss, Reorder, Slow
from drills.faults.clocks import ClockBack, ClockDrift, ClockStep
from drills.faults.disks import DiskFull, DiskSlow, OldDisk, PowerCut
from drills.faults.fault import TOGETHER, Fault
from drills.faults.links import Cut, Flap, OneWay
from drills.faults.processes import AllAtOnce, Kill, Outage, Pause
from drills.faults.releases import BadRelease
from drills.faults.removal import Remove
from drills.faults.sites import CutOff, LongCutOff, Part, Peak, PowerOff, Ring

HOST_FAULTS: tuple[type[Fault], ...] = (
    Kill,
    AllAtOnce,
    Outage,
    Pause,
    CutOff,
    LongCutOff,
    PowerOff,
    Part,
    Ring,
    Peak,
    PowerCut,
    DiskFull,
    DiskSlow,
    OldDisk,
    ClockStep,
    ClockBack,
    ClockDrift,
    BadRelease,
    Remove,
)
LINK_FAULTS: tuple[type[Fault], ...] = (Cut, OneWay, Flap, Slow, Loss, Duplicate, Reorder, Corrupt)
FAULTS: Mapping[str, type[Fault]] = {it.word: it for it in (*HOST_FAULTS, *LINK_FAULTS)}
"""Every fault by its word."""


def parse(text: str, lab: str, plan: Plan) -> Fault:
    """The fault that a person names; DiversiteError with what is known where nothing is meant.

    `word:kind:identity`, several domains at once joined by `+`. Without the word, what cuts links is cut, whole sites
    are powered off, and other hosts are killed.
    """
    word, _, rest = text.partition(":")
    if word in FAULTS:
        return FAULTS[word](lab, plan, *_domains(rest, plan))
    domains = _domains(text, plan)
    if any(domain.kind in FREEZING for domain in domains):
        raise DiversiteError(f"{text}: a lab has no control plane that could fail; hosts and links can be struck")
    if all(domain.kind in CUTTING for domain in domains):
        return Cut(lab, plan, *domains)
    try:
        return PowerOff(lab, plan, *domains)
    except DiversiteError:
        return Kill(lab, plan, *domains)


def _domains(text: str, plan: Plan) -> tuple[Domain, ...]:
    return tuple(parse_domain(part, plan) for part in text.split(TOGETHER))
