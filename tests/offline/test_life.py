"""A stack's life with a real plugin: made, unchanged, changed, replaced, refreshed, gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import offline
from diversite.errors import OfflineError
from offline import Step, checkpoint
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


def test_a_changed_program_changes_the_world(chain: ToyProject) -> None:
    """An update, a replacement and a deletion in one run, each told by the preview before."""
    offline.up(chain.project, "dev")
    chain.forget_log()
    chain.program(
        """
group = Group("group")
first = Thing("first", pulumi.ResourceOptions(parent=group), value=2)
third = Thing("third", pulumi.ResourceOptions(parent=group), value=first.serial)
"""
    )
    told = offline.preview(chain.project, "dev")
    assert told.steps == {Step.SAME: 2, Step.UPDATE: 1, Step.CREATE: 1, Step.DELETE: 1}
    assert told.resources[-1].name == "second"
    assert next(item for item in told.resources if item.name == "first").changed == ("value",)
    assert offline.up(chain.project, "dev").ok
    assert chain.operations() == [("update", "first"), ("create", "third"), ("delete", "second")]
    assert chain.things() == {"first": 1, "third": 1}


def test_refresh_says_what_is_gone_and_up_makes_it_anew(chain: ToyProject) -> None:
    """What someone removed is named, dropped from the state, and made again by the next `up`."""
    offline.up(chain.project, "dev")
    lost = next(chain.world.glob("thing-*.json"))
    name = json.loads(lost.read_text())["urn"].rpartition("::")[2]
    lost.unlink()
    result = offline.refresh(chain.project, "dev")
    assert [urn.rpartition("::")[2] for urn in result.gone] == [name]
    assert result.diagnostics[0].message.startswith(f"{name} is gone")
    assert checkpoint_problems(chain) == []
    assert offline.up(chain.project, "dev").ok
    assert chain.things() == {"first": 1, "second": 1}


def test_refresh_sees_what_was_changed_by_hand(chain: ToyProject) -> None:
    """The state takes on what is there; the next `up` puts it right."""
    offline.up(chain.project, "dev")
    path = next(path for path in chain.world.glob("thing-*.json") if '::first"' in path.read_text())
    path.write_text(path.read_text().replace('"value": 1', '"value": 7'))
    assert offline.refresh(chain.project, "dev").steps == {Step.UPDATE: 1, Step.SAME: 1}
    chain.forget_log()
    assert offline.up(chain.project, "dev").steps[Step.UPDATE] == 1
    assert chain.operations() == [("update", "first")]


def test_a_wrong_input_is_told_by_the_provider_and_all_at_once(tmp_path: Path) -> None:
    """The preview lists every wrong resource with the property's name, and `up` then makes nothing."""
    project = toy_project(
        tmp_path,
        """
group = Group("group")
for name in ("one", "two"):
    Thing(name, pulumi.ResourceOptions(parent=group), fail="check")
Thing("one", pulumi.ResourceOptions(parent=group))
Thing("loose")
Thing("three", pulumi.ResourceOptions(parent=group))
""",
    )
    result = offline.preview(project.project, "dev")
    assert sorted(item.message.rpartition("::")[2] for item in result.errors if "asked" in item.message) == [
        "one: fail: it was asked to fail",
        "two: fail: it was asked to fail",
    ]
    assert any("registered twice" in item.message for item in result.errors)
    assert any("directly under the stack" in item.message for item in result.errors)
    assert not offline.up(project.project, "dev").ok
    assert not project.things()


def test_a_plugin_that_does_not_start_is_told_once(tmp_path: Path) -> None:
    """However many resources it should have served, the fault is one, and it is the plugin's."""
    project = toy_project(
        tmp_path,
        """
group = Group("group")
for name in ("one", "two", "three"):
    Thing(name, pulumi.ResourceOptions(parent=group))
""",
    )
    (tmp_path / "plugin" / "pulumi-resource-toy").write_text("#!/bin/sh\nexit 3\n")
    told = [item.message for item in offline.preview(project.project, "dev").errors]
    assert len(told) == 1
    assert "registered twice" not in told[0]
    assert "toy" in told[0]


def test_a_failed_step_keeps_what_was_done(tmp_path: Path) -> None:
    """One failure ends the run; what was made is in the state, and the next run goes on from there."""
    text = """
group = Group("group")
first = Thing("first", pulumi.ResourceOptions(parent=group), value=1)
Thing("second", pulumi.ResourceOptions(parent=group), value=first.serial, fail="{fail}")
"""
    project = toy_project(tmp_path, text.format(fail="create"))
    result = offline.up(project.project, "dev")
    assert [item.urn.rpartition("::")[2] for item in result.errors] == ["second"]
    assert "asked to fail at create" in result.errors[0].message
    assert project.things() == {"first": 1}
    project.program(text.format(fail=""))
    assert offline.up(project.project, "dev").ok
    assert project.things() == {"first": 1, "second": 1}


def test_a_program_that_raises_is_told_with_its_traceback(tmp_path: Path) -> None:
    """A mistake in the program is shown where it is, and nothing is deleted for it."""
    project = toy_project(tmp_path, CHAIN)
    offline.up(project.project, "dev")
    project.program("raise LookupError('no such site')")
    result = offline.up(project.project, "dev")
    assert not result.ok
    assert "LookupError: no such site" in result.errors[0].message
    assert project.things() == {"first": 1, "second": 1}


def test_configuration_and_output_go_through(tmp_path: Path) -> None:
    """The stack's file, the caller's overrides over it, and what the program prints and logs."""
    text = 'print(configuration.require("a"), configuration.require("b"))\npulumi.log.warn("careful")\n'
    project = toy_project(tmp_path, text, extra={"stacks/Pulumi.dev.yaml": "config:\n  toys:a: 1\n  toys:b: file\n"})
    events: list[offline.Event] = []
    result = offline.preview(project.project, "dev", config={"b": "override"}, on_event=events.append)
    assert [item.message for item in events if item.kind == "output"] == ["1 override"]
    assert [(item.severity, item.message) for item in result.diagnostics] == [("warning", "careful")]


def test_secrets_need_a_passphrase_and_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret property stops `up` where no passphrase is set; with one it is in the state only encrypted."""
    text = 'Thing("one", pulumi.ResourceOptions(parent=Group("g")), value=pulumi.Output.secret("hush"))'
    project = toy_project(tmp_path, text)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    refused = offline.up(project.project, "dev")
    assert "no passphrase is set" in refused.errors[0].message
    assert not project.things()
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "correct horse")
    assert offline.up(project.project, "dev").ok
    assert "hush" not in project.project.state_file("dev").read_text()
    again = offline.up(project.project, "dev")
    assert again.steps == {Step.SAME: 3}
    thing = again.resources[-1]
    assert (thing.inputs["value"], thing.outputs["value"]) == (offline.Secret("hush"), offline.Secret("hush"))


def test_a_cloud_is_previewed_and_not_applied(tmp_path: Path) -> None:
    """Resources of a package that is no plugin of the project are shown, and refused by `up` with what to do."""
    project = toy_project(
        tmp_path,
        """
group = Group("group")
Thing("first", pulumi.ResourceOptions(parent=group))
pulumi.CustomResource("aws:ec2/vpc:Vpc", "vpc", {"cidrBlock": "10.0.0.0/16"}, pulumi.ResourceOptions(parent=group))
""",
    )
    assert offline.preview(project.project, "dev").ok
    with pytest.raises(OfflineError, match=r"package 'aws' .* apply it with `pulumi up`"):
        offline.up(project.project, "dev")
    assert not project.things()


def test_an_exported_state_is_taken_over(chain: ToyProject) -> None:
    """What one stack's file says, another goes on from: nothing is made twice."""
    offline.up(chain.project, "dev")
    text = chain.project.state_file("dev").read_text()
    chain.project.state_file("dev").unlink()
    offline.take_over(chain.project, "dev", text)
    assert offline.up(chain.project, "dev").steps == {Step.SAME: 4}


def test_a_state_that_is_not_whole_is_not_taken_over(chain: ToyProject) -> None:
    """A state with a resource whose parent is missing is refused and the present one kept."""
    offline.up(chain.project, "dev")
    before = chain.project.state_file("dev").read_text()
    broken = json.loads(before)
    broken["deployment"]["resources"] = broken["deployment"]["resources"][2:]
    with pytest.raises(OfflineError, match="is not whole"):
        offline.take_over(chain.project, "dev", json.dumps(broken))
    assert chain.project.state_file("dev").read_text() == before


def test_an_explicit_provider_serves_its_resources(tmp_path: Path) -> None:
    """A provider object of the program has a process and a configuration of its own."""
    project = toy_project(
        tmp_path,
        """
class Toy(pulumi.ProviderResource):
    def __init__(self, name, **inputs):
        super().__init__("toy", name, inputs)

group = Group("group", pulumi.ResourceOptions(providers=[Toy("mine", region=configuration.require("region"))]))
Thing("first", pulumi.ResourceOptions(parent=group))
""",
    )
    assert offline.up(project.project, "dev", config={"region": "r1"}).steps == {Step.CREATE: 4}
    assert offline.up(project.project, "dev", config={"region": "r1"}).steps == {Step.SAME: 4}
    assert offline.up(project.project, "dev", config={"region": "r2"}).steps == {Step.SAME: 3, Step.UPDATE: 1}
    assert project.operations() == [("create", "first")]
    assert offline.destroy(project.project, "dev").ok


def checkpoint_problems(project: ToyProject) -> list[str]:
    path = project.project.state_file("dev")
    return checkpoint.problems(checkpoint.load(path, "dev").resources)
