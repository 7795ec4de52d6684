"""Random graphs, changed at random and killed at random: what must hold of every run."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offline import checkpoint
from tests.offline.harness import Harness, Node
from tests.support.toy_world import Killed

NAMES = "abcdefg"
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    """Up to seven things, each bound to or using some of those before it."""
    nodes: list[Node] = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True).map(sorted)):
        before = [node.name for node in nodes]
        chosen = st.lists(st.sampled_from(before), unique=True, max_size=3) if before else st.just([])
        nodes.append(
            Node(
                name=name,
                value=draw(st.integers(0, 1)),
                shape=draw(st.integers(0, 1)),
                mould=draw(st.integers(0, 1)),
                uses=tuple(draw(chosen)),
                bound=tuple(draw(chosen)),
            )
        )
    return nodes


def _harness() -> Harness:
    return Harness(Path(tempfile.mkdtemp()) / "dev.json")


def _is_as_declared(harness: Harness, graph: list[Node]) -> None:
    assert harness.world.names() == [node.name for node in graph]
    assert not harness.world.broken
    state = harness.state()
    assert not state.pending
    assert checkpoint.problems(state.resources) == []
    assert sorted(item.urn.rpartition("::")[2] for item in state.resources if item.type == "toy:index:Thing") == [
        node.name for node in graph
    ]


def _changes_nothing(harness: Harness, graph: list[Node]) -> None:
    done = len(harness.world.log)
    harness.up(graph)
    assert harness.world.log[done:] == []


@FEW
@given(graphs(), graphs())
def test_up_reaches_what_is_declared(first: list[Node], second: list[Node]) -> None:
    """From any graph to any other: what is declared is there once, nothing else is, and a further `up` does nothing."""
    harness = _harness()
    for graph in (first, second):
        harness.up(graph)
        _is_as_declared(harness, graph)
        _changes_nothing(harness, graph)


@FEW
@given(graphs(), graphs(), st.integers(1, 20), st.booleans())
def test_a_killed_up_continues(first: list[Node], second: list[Node], kill_at: int, kill_before: bool) -> None:
    """Killed at any operation, before or after its effect, the next `up` reaches what is declared."""
    harness = _harness()
    harness.up(first)
    try:
        harness.up(second, kill_at, kill_before=kill_before)
    except Killed:
        assert checkpoint.problems(harness.state().resources) == []
    harness.up(second)
    _is_as_declared(harness, second)
    _changes_nothing(harness, second)


@FEW
@given(graphs(), graphs(), st.integers(1, 20), st.booleans())
def test_a_killed_up_can_be_destroyed(first: list[Node], second: list[Node], kill_at: int, kill_before: bool) -> None:
    """Killed at any operation, a destroy leaves nothing, what was being created included."""
    harness = _harness()
    harness.up(first)
    with contextlib.suppress(Killed):
        harness.up(second, kill_at, kill_before=kill_before)
    harness.destroy()
    assert harness.world.names() == []
    assert harness.state().resources == []


@pytest.mark.parametrize("changed", [Node(name="a", mould=1), Node(name="a", shape=1)], ids=["first", "last"])
@pytest.mark.parametrize("kill_before", [True, False])
@pytest.mark.parametrize("kill_at", range(1, 8))
def test_a_replacement_killed_anywhere_continues(
    tmp_path: Path, kill_at: int, kill_before: bool, changed: Node
) -> None:
    """A replacement that takes dependents along, old ones deleted first or last, can be killed at each operation."""
    harness = Harness(tmp_path / "dev.json")
    rest = [Node(name="b", bound=("a",)), Node(name="c", uses=("b",))]
    harness.up([Node(name="a"), *rest])
    try:
        harness.up([changed, *rest], kill_at, kill_before=kill_before)
    except Killed:
        assert checkpoint.problems(harness.state().resources) == []
    harness.up([changed, *rest])
    _is_as_declared(harness, [changed, *rest])
    _changes_nothing(harness, [changed, *rest])
