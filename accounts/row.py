"""One line of what was found: where it was looked, how it is, and the command that mends it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Standing = Literal["good", "problem", "unknown"]
"""`unknown`: no API tells it, so a person must look; it is no problem by itself."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What was found of one thing."""

    account: str
    """As the topology calls it."""
    subject: str
    """credentials, zone, machine, image, quota, terms, host, judge."""
    where: str
    """A place, a region, a host, an objective."""
    standing: Standing
    says: str
    mends: str = ""
    """A command, or a path through a console; empty where nothing is to be done."""


def is_good(rows: Iterable[Row]) -> bool:
    """Whether none of them is a problem."""
    return all(row.standing != "problem" for row in rows)
