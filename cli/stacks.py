"""From what a user types to a stack of the lab, its topology and its plan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diversite.plan import Plan

PROJECT = Path(__file__).resolve().parent.parent
"""The checkout that this command line belongs to."""
STACKS = PROJECT / "stacks"
FLAGSHIP = "europe"


@dataclass(frozen=True, kw_only=True)
class LabStack:
    """A stack of the lab: `lab` is the flagship's, `lab-<topology>` that of another topology."""

    topology: str

    @property
    def name(self) -> str:
        """The stack's name."""
        return "lab" if self.topology == FLAGSHIP else f"lab-{self.topology}"

    @property
    def config(self) -> dict[str, str]:
        """The settings that the program reads."""
        return {"diversite:topology": self.topology, "diversite:substrate": "lab"}

    @cached_property
    def plan(self) -> Plan:
        """The venue, decided."""
        from diversite import stackfile
        from diversite.plan import plan

        return plan(stackfile.load(STACKS / f"{self.topology}.yaml"))


def of_lab(name: str) -> LabStack:
    """The stack of a lab by the lab's name."""
    return LabStack(topology=FLAGSHIP if name == "lab" else name.removeprefix("lab-"))
