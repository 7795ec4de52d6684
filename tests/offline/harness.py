"""Drives a deployment without the SDK: a graph of nodes in, an `up` over a state file out, in a few milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from offline import checkpoint, urns
from offline.deployment import Deployment, Settings
from offline.goals import Goal
from offline.journal import Journal
from offline.providers import Registry
from offline.results import Step
from tests.support.toy_world import ToyProvider, World

STACK, PROJECT = "dev", "toys"
ROOT = urns.make(STACK, PROJECT, "", urns.ROOT_TYPE, "toys-dev")
GROUP = urns.make(STACK, PROJECT, ROOT, "toy:index:Group", "group")
THING = "toy:index:Thing"


@dataclass(frozen=True, kw_only=True)
class Node:
    """A thing to be; `uses` and `bound` name nodes before it."""

    name: str
    value: int = 0
    shape: int = 0
    mould: int = 0
    uses: tuple[str, ...] = ()
    bound: tuple[str, ...] = ()
    protect: bool = False


@dataclass
class Harness:
    """A world and the state file about it."""

    path: Path
    world: World = field(default_factory=World)

    def up(self, graph: list[Node], kill_at: int | None = None, *, kill_before: bool = False) -> Deployment:
        """One `up`; raises Killed at the operation of that number."""
        deployment = self._deployment(ToyProvider(self.world, kill_at, kill_before=kill_before))
        _frame(deployment)
        serials: dict[str, str] = {}
        for node in graph:
            registered = deployment.register(goal_of(node, serials))
            serials[node.name] = registered.outputs["serial"]
        deployment.finish(succeeded=True)
        assert not deployment.account.diagnostics
        return deployment

    def run(self, goals: list[Goal], *, group: Goal | None = None, expect_errors: bool = False) -> Deployment:
        """One `up` of registrations as they are, below the group (or another in its place)."""
        deployment = self._deployment(ToyProvider(self.world))
        _frame(deployment, group)
        for goal in goals:
            deployment.register(goal)
        deployment.finish(succeeded=True)
        assert expect_errors or not deployment.account.diagnostics
        return deployment

    def destroy(self) -> None:
        """Delete everything."""
        deployment = self._deployment(ToyProvider(self.world))
        adopted = deployment.adopt_interrupted()
        kept = [state for state in deployment.journal.resources() if state not in adopted]
        deployment.remove([*kept, *adopted])
        deployment.journal.commit()
        assert not deployment.account.diagnostics

    def state(self) -> checkpoint.Deployment:
        """What the file says."""
        return checkpoint.load(self.path, STACK)

    def steps(self, deployment: Deployment) -> dict[str, Step]:
        """The step of each thing, by name."""
        return {item.name: item.step for item in deployment.account.results.values() if item.type == THING}

    def _deployment(self, provider: ToyProvider) -> Deployment:
        journal = Journal(self.state(), self.path)
        settings = Settings(project=PROJECT, stack=STACK, preview=False, parallel=4)
        return Deployment(settings, journal, Registry(lambda _package: provider))


def goal_of(node: Node, serials: dict[str, str]) -> Goal:
    """The registration of a node, given the serials of those before it."""
    named = {name: urns.make(STACK, PROJECT, GROUP, THING, name) for name in (*node.uses, *node.bound)}
    return Goal(
        type=THING,
        name=node.name,
        custom=True,
        parent=GROUP,
        inputs={
            "value": node.value,
            "shape": node.shape,
            "mould": node.mould,
            "uses": {name: serials[name] for name in node.uses},
            "bound": {name: serials[name] for name in node.bound},
        },
        dependencies=tuple(sorted(set(named.values()))),
        property_dependencies={
            "uses": tuple(named[name] for name in node.uses),
            "bound": tuple(named[name] for name in node.bound),
        },
        protect=node.protect,
    )


def _frame(deployment: Deployment, group: Goal | None = None) -> None:
    deployment.register(Goal(type=urns.ROOT_TYPE, name="toys-dev", custom=False))
    deployment.register(group or Goal(type="toy:index:Group", name="group", custom=False, parent=ROOT))
