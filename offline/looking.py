"""What the state file of a stack says; imports no SDK, as nothing is run for it."""

from __future__ import annotations

from dataclasses import dataclass

from offline import checkpoint, urns
from offline.project import Project
from offline.results import Resource, Step, resource_of
from offline.values import Properties


@dataclass(frozen=True, kw_only=True)
class StackState:
    """What a stack's state file says."""

    resources: tuple[Resource, ...]
    outputs: Properties
    pending: tuple[tuple[str, str], ...]
    """Operation and URN of what a killed run left under way."""


def state(project: Project, stack: str) -> StackState:
    """What the state file says; empty where there is none."""
    deployment = checkpoint.load(project.state_file(stack), stack, project.configuration(stack).salt)
    roots = [item for item in deployment.resources if item.type == urns.ROOT_TYPE]
    return StackState(
        resources=tuple(resource_of(item, Step.SAME) for item in deployment.resources if not item.delete),
        outputs=roots[0].outputs if roots else {},
        pending=tuple((kind, item.urn) for kind, item in deployment.pending),
    )
