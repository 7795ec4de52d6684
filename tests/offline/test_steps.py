"""Which step a change takes, and what the options make of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diversite.errors import OfflineError
from offline import Step, urns
from offline.deployment import Deployment
from offline.goals import Alias, Goal
from tests.offline.harness import GROUP, PROJECT, STACK, THING, Harness, Node, goal_of


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    return Harness(tmp_path / "dev.json")


def _urn(name: str) -> str:
    return urns.make(STACK, PROJECT, GROUP, THING, name)


def _thing(name: str, *, uses: tuple[str, ...] = (), bound: tuple[str, ...] = (), **inputs: Any) -> Goal:
    known = {field: inputs.pop(field) for field in ("value", "shape", "mould") if field in inputs}
    node = Node(name=name, uses=uses, bound=bound, **known)
    return replace(goal_of(node, {name: f"of {name}" for name in (*uses, *bound)}), **inputs)


def _steps(deployment: Deployment) -> dict[str, Step]:
    return {item.name: item.step for item in deployment.account.results.values() if item.type == THING}


def test_a_change_of_value_updates(harness: Harness) -> None:
    """What the provider can change in place is updated."""
    harness.up([Node(name="a")])
    assert harness.steps(harness.up([Node(name="a", value=1)])) == {"a": Step.UPDATE}
    assert harness.world.log == [("create", "a"), ("update", "a")]


def test_a_replacement_is_made_before_the_old_one_goes(harness: Harness) -> None:
    """By default the successor is there, and its dependents use it, before the old one is deleted."""
    before = [Node(name="a"), Node(name="b", uses=("a",))]
    harness.up(before)
    harness.world.log.clear()
    steps = harness.steps(harness.up([Node(name="a", shape=1), before[1]]))
    assert steps == {"a": Step.REPLACE, "b": Step.UPDATE}
    assert harness.world.log == [("create", "a"), ("update", "b"), ("delete", "a")]


def test_what_must_go_first_takes_its_dependents_along(harness: Harness) -> None:
    """Delete-before-replace deletes first, last dependent foremost, what a change of it would replace."""
    graph = [
        Node(name="a"),
        Node(name="bound", bound=("a",)),
        Node(name="far", bound=("bound",)),
        Node(name="using", uses=("a",)),
    ]
    harness.up(graph)
    harness.world.log.clear()
    steps = harness.steps(harness.up([Node(name="a", mould=1), *graph[1:]]))
    assert steps == {"a": Step.REPLACE, "bound": Step.REPLACE, "far": Step.REPLACE, "using": Step.UPDATE}
    assert harness.world.log[:4] == [("delete", "far"), ("delete", "bound"), ("delete", "a"), ("create", "a")]


def test_the_program_may_choose_the_order_of_a_replacement(harness: Harness) -> None:
    """`deleteBeforeReplace` overrides what the provider says, both ways."""
    harness.run([_thing("a"), _thing("b")])
    harness.world.log.clear()
    harness.run([_thing("a", shape=1, delete_before_replace=True), _thing("b", mould=1, delete_before_replace=False)])
    assert harness.world.log == [("delete", "a"), ("create", "a"), ("create", "b"), ("delete", "b")]


def test_replace_on_changes_turns_an_update_into_a_replacement(harness: Harness) -> None:
    """A property that the program marks is replaced for, whatever the provider says."""
    harness.run([_thing("a")])
    assert _steps(harness.run([_thing("a", value=1, replace_on_changes=("value",))])) == {"a": Step.REPLACE}


def test_ignored_changes_are_not_made(harness: Harness) -> None:
    """A change below an ignored path is none."""
    harness.run([_thing("a")])
    deployment = harness.run([_thing("a", value=1, ignore_changes=("value",))])
    assert _steps(deployment) == {"a": Step.SAME}
    assert deployment.account.results[_urn("a")].inputs["value"] == 0


def test_a_protected_resource_is_not_replaced(harness: Harness) -> None:
    """Replacing deletes, so protection forbids it; the message says which property asks for it."""
    harness.run([_thing("a", protect=True)])
    with pytest.raises(OfflineError, match=r"Thing::a is protected, and shape cannot change"):
        harness.run([_thing("a", shape=1, protect=True)])
    assert harness.world.names() == ["a"]


def test_a_protected_resource_is_not_deleted(harness: Harness) -> None:
    """What is protected stays when the program forgets it, and so does what it depends on."""
    harness.run([_thing("a"), _thing("b", uses=("a",), protect=True), _thing("c")])
    deployment = harness.run([], expect_errors=True)
    assert [item.message for item in deployment.account.diagnostics] == [
        f"{_urn('b')} is protected and would be deleted. Take protect=True from it in the program and run `up` first."
    ]
    assert harness.world.names() == ["a", "b"]


def test_a_protected_dependent_forbids_a_replacement(harness: Harness) -> None:
    """A replacement that would take a protected dependent along is refused."""
    harness.run([_thing("a"), _thing("b", bound=("a",), protect=True)])
    with pytest.raises(OfflineError, match=r"only be replaced together with .*Thing::b, which is protected"):
        harness.run([_thing("a", mould=1)])


def test_what_is_retained_is_forgotten_not_deleted(harness: Harness) -> None:
    """`retainOnDelete` takes a resource out of the state and leaves it in the world."""
    harness.run([_thing("a", retain_on_delete=True)])
    harness.run([])
    assert harness.world.names() == ["a"]
    assert not [item for item in harness.state().resources if item.type == THING]


def test_what_goes_with_another_is_not_deleted_itself(harness: Harness) -> None:
    """`deletedWith` leaves the deletion to that of the other."""
    harness.run([_thing("a"), _thing("b", deleted_with=_urn("a"))])
    harness.world.log.clear()
    harness.run([])
    assert harness.world.log == [("delete", "a")]


def test_what_goes_with_a_replaced_one_is_replaced(harness: Harness) -> None:
    """The delete of the other took it along, so it is made anew."""
    harness.run([_thing("a"), _thing("b", deleted_with=_urn("a"))])
    deployment = harness.run([_thing("a", shape=1), _thing("b", deleted_with=_urn("a"))])
    assert _steps(deployment) == {"a": Step.REPLACE, "b": Step.REPLACE}


@pytest.mark.parametrize(
    "alias", [Alias(name="old"), Alias(urn=_urn("old")), Alias(name="old", type=THING, parent=GROUP)]
)
def test_an_alias_renames(harness: Harness, alias: Alias) -> None:
    """A resource under a new name with an alias of the old is the same resource."""
    harness.run([_thing("old"), _thing("b", uses=("old",))])
    second = replace(
        _thing("b", uses=("old",)), dependencies=(_urn("new"),), property_dependencies={"uses": (_urn("new"),)}
    )
    deployment = harness.run([_thing("new", aliases=(alias,)), second])
    assert _steps(deployment) == {"new": Step.SAME, "b": Step.SAME}
    assert harness.world.log == [("create", "old"), ("create", "b")]


def test_children_follow_an_aliased_parent(harness: Harness) -> None:
    """A component of another type, aliased to the former, keeps its children."""
    harness.run([_thing("a")])
    other = urns.make(
        STACK, PROJECT, urns.make(STACK, PROJECT, "", urns.ROOT_TYPE, "toys-dev"), "toy:index:Cluster", "group"
    )
    group = Goal(
        type="toy:index:Cluster", name="group", custom=False, parent=_root(), aliases=(Alias(type="toy:index:Group"),)
    )
    deployment = harness.run([replace(_thing("a"), parent=other)], group=group)
    assert _steps(deployment) == {"a": Step.SAME}


def test_two_resources_cannot_share_an_alias(harness: Harness) -> None:
    """Of two that claim the same former name the second is refused."""
    harness.run([_thing("old")])
    with pytest.raises(OfflineError, match=r"is aliased to .*Thing::old"):
        harness.run([_thing("one", aliases=(Alias(name="old"),)), _thing("two", aliases=(Alias(name="old"),))])


def test_a_resource_that_moved_out_of_the_program_is_deleted_last_first(harness: Harness) -> None:
    """What the program no longer declares goes, dependents before what they depend on."""
    harness.up([Node(name="a"), Node(name="b", uses=("a",)), Node(name="c", uses=("b",)), Node(name="d")])
    harness.world.log.clear()
    harness.up([Node(name="d")])
    assert harness.world.log == [("delete", "c"), ("delete", "b"), ("delete", "a")]


def _root() -> str:
    return urns.make(STACK, PROJECT, "", urns.ROOT_TYPE, "toys-dev")
