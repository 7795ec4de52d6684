"""A stack's life with a real plugin: made, unchanged, changed, replaced, refreshed, gone."""

from __future__ import annotations

from pathlib import Path

import pytest

import offline
from offline import Step
from tests.support.toy_project import ToyProject, toy_project

CHAIN = """
group = Group("group")
first = Thing("first", pulumi.ResourceOptions(parent=group), value=1)
second = Thing("second", pulumi.ResourceOptions(parent=group), value=first.serial)
pulumi.export("serial", second.serial)
"""


@pytest.fixture
def chain(tmp_path: Path) -> ToyProject:
    return toy_project(tmp_path, CHAIN)


def test_preview_makes_nothing(chain: ToyProject) -> None:
    """A preview tells what would be made, knows no computed output, and touches nothing."""
    result = offline.preview(chain.project, "dev")
    assert result.ok
    assert result.steps == {Step.CREATE: 4}
    assert result.resources[-1].inputs == {"value": offline.UNKNOWN}
    assert not chain.things()
    assert not chain.project.state_file("dev").exists()


def test_up_makes_and_a_second_up_changes_nothing(chain: ToyProject) -> None:
    """What is up stays as it is when `up` runs again: no operation, no change of the state."""
    first = offline.up(chain.project, "dev")
    assert first.ok
    assert chain.operations() == [("create", "first"), ("create", "second")]
    before = offline.state(chain.project, "dev")
    second = offline.up(chain.project, "dev")
    assert second.steps == {Step.SAME: 4}
    assert second.outputs == first.outputs
    assert offline.state(chain.project, "dev") == before
    assert len(chain.operations()) == 2


def test_destroy_deletes_in_reverse(chain: ToyProject) -> None:
    """Destroying deletes what depends before what it depends on, and leaves an empty state."""
    offline.up(chain.project, "dev")
    chain.forget_log()
    assert offline.destroy(chain.project, "dev").ok
    assert chain.operations() == [("delete", "second"), ("delete", "first")]
    assert not chain.things()
    assert offline.state(chain.project, "dev").resources == ()
