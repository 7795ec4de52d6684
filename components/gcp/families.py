"""What a machine family asks for: Google refuses a disk type, or a secure boot, that the family does not have.

Google tells it on one documentation page per machine series, and no interface before the machine is created does. From
general knowledge of those pages, 2026-11-22; a family that is missing here is refused, with where to add it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from diversite.errors import PlanError
from diversite.plan import Host

DiskType = Literal["pd-balanced", "pd-ssd", "hyperdisk-balanced"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """The machines of one series."""

    boot: DiskType
    """The type of boot disks."""
    data: DiskType
    """The type of disks that hold state: the fastest of which a write that was confirmed is kept."""
    spreads: bool = True
    """Whether its machines can be in a spread group."""
    secure_boot: bool = True
    """Whether its firmware checks signatures; not told of Google's ARM machines."""


_PERSISTENT = Family(boot="pd-balanced", data="pd-ssd")
_HYPERDISK = Family(boot="hyperdisk-balanced", data="hyperdisk-balanced")

FAMILIES = {
    "c3": _PERSISTENT,
    "c3d": _PERSISTENT,
    "c4": _HYPERDISK,
    "c4a": Family(boot="hyperdisk-balanced", data="hyperdisk-balanced", secure_boot=False),
    "n2": _PERSISTENT,
    "n2d": _PERSISTENT,
    "t2d": _PERSISTENT,
    "t2a": Family(boot="pd-balanced", data="pd-ssd", secure_boot=False),
    "e2": Family(boot="pd-balanced", data="pd-ssd", spreads=False),
}
"""By the first word of a machine type."""


def family(host: Host) -> Family:
    """The family of a host's machine; `PlanError` where it is not known here."""
    name = host.machine.partition("-")[0]
    found = FAMILIES.get(name)
    if found is None:
        raise PlanError(
            f"host {host.name}: the disks of Google's machine family {name!r} ({host.machine}) are not known; known "
            f"families: {', '.join(FAMILIES)}. Choose one of them, or add it to components/gcp/families.py."
        )
    return found
