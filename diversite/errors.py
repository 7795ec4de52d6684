"""The exceptions of diversite, as a tree.

    DiversiteError                 anything that the user can mend; its text is complete
    ├── TopologyError              a stack file is wrong: every problem of it at once
    ├── CatalogError               a fact is missing, contradictory, expired, or not known by that name
    ├── PlanError                  a topology that cannot be built: no address left, a name too long
    ├── VerdictError               a venue that does not meet its own objectives is not built
    ├── LabError                   the lab's world refuses: owned by another, tool missing, kernel cannot
    ├── OfflineError               the program asks for what the offline runner refuses by name
    └── RolloutError               a rollout stopped: where it stands, and how to go on

A message says what is wrong, where (file, line, path), the value, what is allowed, and what to do next.
"""

from __future__ import annotations


class DiversiteError(Exception):
    """Something that the user can mend."""


class TopologyError(DiversiteError):
    """A stack file with problems; `problems` holds each as one complete sentence."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class CatalogError(DiversiteError):
    """A fact that the catalogue lacks, contradicts or no longer vouches for."""


class PlanError(DiversiteError):
    """A topology that is well-formed and still cannot be built."""


class VerdictError(DiversiteError):
    """A venue that does not meet its own objectives."""


class LabError(DiversiteError):
    """The lab's world refuses or cannot."""


class NotWholeError(LabError):
    """A lab whose venue does not come together: hosts that do not answer, or are not at its head in time."""


class OfflineError(DiversiteError):
    """The program asks for something that the offline runner refuses by name."""


class RolloutError(DiversiteError):
    """A rollout that stopped, or that was not begun."""
