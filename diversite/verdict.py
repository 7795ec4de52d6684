"""What the judge says: findings, each met or with every failure that breaks it and the change that would mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from diversite.domains import Domain
from diversite.errors import VerdictError
from diversite.kept import Class
from diversite.topology import DomainKind, Topology

Cause = Literal["power", "entrance", "monitoring", "network", "time", "state"]
"""What is missing, or takes too long."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What breaks an objective, and by how much."""

    lost: tuple[Domain, ...] = ()
    down: tuple[str, ...] = ()
    """The host that is down for maintenance."""
    found: Class | None = None
    """The outcome, where the objective is about one."""
    cause: Cause
    excess: float = 0.0
    """By how much: a share of the voting power, milliseconds, seconds, or sites, as `says` tells."""
    says: str
    unknown: tuple[str, ...] = ()
    """Why members count as lost of which nobody knows the domain: this, not a known overlap, may be the reason."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """An edit of the stack file that was judged and found to remove a blocker without making another."""

    says: str
    topology: Topology
    """The stack file, changed."""
    loosens: bool = False
    """Whether it gives up a wish, because no edit of the venue that was tried fulfils it."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One objective, bound or rule of the network: met, or what breaks it."""

    id: str
    """`survive[2]`, `bounds.pair_rtt_ms_max`, `links`, `time-outs`: what `--explain` takes."""
    path: tuple[str | int, ...]
    """Where the stack file states it."""
    wish: str
    failures: tuple[Failure, ...] = ()
    """Worst first; empty where it is met."""
    failure_count: int = 0
    margin: str = ""
    """How close the worst case comes, where it is met."""
    change: Change | None = None
    """The smallest change found that removes the blocker."""
    ways_out: tuple[str, ...] = ()
    """Where arithmetic forbids the wish: what can be done instead."""

    @property
    def met(self) -> bool:
        """Whether nothing breaks it."""
        return not self.failures


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Everything that was judged."""

    findings: tuple[Finding, ...]
    coefficients: Mapping[DomainKind, int | None]
    """Nakamoto coefficient by kind: the fewest domains whose loss halts the venue; None where all together do not."""
    notes: tuple[str, ...] = ()
    """What no objective forbids and a person should know."""

    @property
    def met(self) -> bool:
        """Whether every objective is met."""
        return not self.blockers

    @property
    def blockers(self) -> tuple[Finding, ...]:
        """What is not met."""
        return tuple(finding for finding in self.findings if not finding.met)

    def require_met(self) -> None:
        """Nothing where every objective is met, else VerdictError with every blocker."""
        if not self.met:
            blockers = [f"{it.id}: {it.wish}: {it.failures[0].says}" for it in self.blockers]
            raise VerdictError("\n".join([*blockers, "`diversite check` tells each in full, with what removes it."]))

    def finding(self, id_: str) -> Finding:
        """The finding of that id; KeyError with all ids."""
        found = {finding.id: finding for finding in self.findings}
        if id_ not in found:
            raise KeyError(f"{id_!r} is not judged here; judged are {', '.join(found)}")
        return found[id_]
