"""What a stack is meant to be: its topology and plan, found by the stack's settings as the program finds them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from diversite import stackfile
from diversite.errors import DiversiteError
from diversite.plan import Plan, plan

STACKS = Path(__file__).resolve().parent.parent / "stacks"
SETTING = "diversite:topology"
ROLLING = "diversite:rolling"
OPENED = "diversite:opened"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The plan of a stack's topology, or why there is none."""

    name: str
    plan: Plan | None
    problem: str = ""


def expected() -> Expected:
    """That of the stack that the engine named when it started the pack."""
    return of_topology(_settings().get(SETTING) or os.environ.get("PULUMI_STACK", ""))


def rolling() -> str | None:
    """The one site whose hosts take new images and boot scripts in this run; None outside a rollout."""
    return _settings().get(ROLLING)


def opened() -> str | None:
    """The one site whose deletion protection is lifted in this run, so that its hosts can be made anew."""
    return _settings().get(OPENED)


def _settings() -> Mapping[str, str]:
    found: Mapping[str, str] = json.loads(os.environ.get("PULUMI_CONFIG") or "{}")
    return found


@cache
def of_topology(name: str) -> Expected:
    """That of a topology: its name, or a path below or beside `stacks/` without its suffix."""
    if not name:
        return Expected(name=name, plan=None, problem=f"no topology is named: neither {SETTING} nor the stack is set")
    try:
        return Expected(name=name, plan=plan(stackfile.load(STACKS / f"{name}.yaml")))
    except DiversiteError as error:
        return Expected(name=name, plan=None, problem=str(error))
