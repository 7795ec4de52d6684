"""Runs the project where the Pulumi CLI is not: a laptop without it, a fork's pull request, a unit test.

Four ways in, all of them data in and data out; none prints, progress goes to an event callback:

    Project.load(directory)                     the project file and where its stacks are
    preview / up / destroy / refresh / state    a project's program, in a process of its own, against one stack
    judge_state                                 an exported state before a policy pack; no program
    record(program)                             a callable, in this process: what components' tests assert on

What is refused, each by its name and with what to do instead, is listed in `refusals.py`; `docs/offline.md` tells the
rest. Names are imported when they are first used: a preview does without most of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from offline.judging import judge_state
    from offline.looking import StackState, state
    from offline.previewing import preview
    from offline.project import Project
    from offline.recording import Recording, record
    from offline.results import Diagnostic, Event, Outcome, PolicyFinding, Preview, Resource, Step
    from offline.run import destroy, refresh, take_over, up
    from offline.values import UNKNOWN, Secret, plain

_HOMES: Final = {
    "judging": ("judge_state",),
    "looking": ("StackState", "state"),
    "previewing": ("preview",),
    "project": ("Project",),
    "recording": ("Recording", "record"),
    "results": ("Diagnostic", "Event", "Outcome", "PolicyFinding", "Preview", "Resource", "Step"),
    "run": ("destroy", "refresh", "take_over", "up"),
    "values": ("UNKNOWN", "Secret", "plain"),
}

__all__ = [
    "UNKNOWN",
    "Diagnostic",
    "Event",
    "Outcome",
    "PolicyFinding",
    "Preview",
    "Project",
    "Recording",
    "Resource",
    "Secret",
    "StackState",
    "Step",
    "destroy",
    "judge_state",
    "plain",
    "preview",
    "record",
    "refresh",
    "state",
    "take_over",
    "up",
]


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"offline.{module}"), name)
    raise AttributeError(f"module 'offline' has no attribute {name!r}")
