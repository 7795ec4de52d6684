"""The contract as a list: every part of a sibling, where it is made, and what a package lacks of it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from types import ModuleType

from components.component import Component
from components.contract import (
    AlarmsArgs,
    AttachmentArgs,
    BalancerArgs,
    FoundationArgs,
    LinkArgs,
    MachineArgs,
    Sibling,
    SteeringArgs,
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A class of a sibling."""

    name: str
    file: str
    """Where it is made, in the sibling's folder."""
    args: type
    """What it is made with."""


COMMON = (
    Part(name="Foundation", file="foundation.py", args=FoundationArgs),
    Part(name="Machine", file="host.py", args=MachineArgs),
)
REHEARSAL = (Part(name="Link", file="link.py", args=LinkArgs),)
CLOUD = (Part(name="Balancer", file="balancer.py", args=BalancerArgs),)
CAPABILITIES = (
    Part(name="Alarms", file="monitor.py", args=AlarmsArgs),
    Part(name="Attachment", file="link.py", args=AttachmentArgs),
    Part(name="Steering", file="steering.py", args=SteeringArgs),
)
"""Asked for only where they are there."""


def faults(package: ModuleType | Sibling) -> list[str]:
    """Everything that a package lacks to be a sibling, in the contract's order; empty for a sibling."""
    name = str(getattr(package, "__name__", package))
    kind = REHEARSAL if hasattr(package, "Link") else CLOUD
    can = [part for part in CAPABILITIES if hasattr(package, part.name)]
    parts = [fault for part in (*COMMON, *kind, *can) for fault in _part_faults(package, name, part)]
    return parts + _kinds_faults(package, name) + _paths_faults(package, name)


def _part_faults(package: object, name: str, part: Part) -> list[str]:
    made_by = getattr(package, part.name, None)
    if made_by is None:
        return [f"{name} has no class {part.name}: {name.replace('.', '/')}/{part.file} makes it"]
    if not (isinstance(made_by, type) and issubclass(made_by, Component)):
        return [f"{name}.{part.name} is no Component: its token and its children's options come from there"]
    return _shape_faults(f"{name}.{part.name}", made_by.__init__, ("name", "args", "opts"), skip=1)


def _kinds_faults(package: object, name: str) -> list[str]:
    attachment = getattr(package, "Attachment", None)
    if attachment is None or getattr(attachment, "kinds", None):
        return []
    return [f"{name}.Attachment has no kinds: the kinds of link that it makes an end of"]


def _paths_faults(package: object, name: str) -> list[str]:
    paths = getattr(package, "paths", None)
    if paths is None:
        return [f"{name} has no function paths(host): where the services of a host keep things"]
    return _shape_faults(f"{name}.paths", paths, ("host",), skip=0)


def _shape_faults(what: str, function: object, expected: tuple[str, ...], skip: int) -> list[str]:
    assert callable(function)
    taken = tuple(name.lstrip("_") for name in list(inspect.signature(function).parameters)[skip:])
    if taken == expected:
        return []
    return [f"{what} takes ({', '.join(taken)}); the contract's takes ({', '.join(expected)})"]
