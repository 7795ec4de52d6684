"""A policy pack as its own process, over the analyzer protocol."""

from __future__ import annotations

from pathlib import Path

import pytest

import offline
from diversite.errors import OfflineError
from offline import PolicyFinding, Step
from tests.support.toy_project import ToyProject, toy_project

PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy, StackValidationPolicy, Severity

def small(args, report):
    if args.resource_type == "toy:index:Thing" and args.props.get("value", 0) > args.get_config().get("most", 3):
        report(f"{args.name} is {args.props['value']}")

def owned(args, report):
    if args.resource_type == "toy:index:Thing":
        parent = args.opts.parent
        if "Group" not in parent:
            report("no group")

def few(args, report):
    things = [item for item in args.resources if item.resource_type == "toy:index:Thing"]
    for item in things[2:]:
        report(f"{item.name} is one too many; it is in {item.parent.name}", item.urn)

PolicyPack(
    name="toys",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[
        ResourceValidationPolicy("small", "Things are small.", small, severity=Severity.HIGH,
            config_schema=__import__("pulumi_policy").PolicyConfigSchema(properties={"most": {"type": "integer"}})),
        ResourceValidationPolicy("owned", "Things are in a group.", owned, enforcement_level=EnforcementLevel.ADVISORY),
        StackValidationPolicy("few", "Two things are enough.", few),
    ],
)
"""
PROGRAM = """
group = Group("group")
for index, value in enumerate({values}):
    Thing(f"t{{index}}", pulumi.ResourceOptions(parent=group), value=value)
"""


def _project(directory: Path, values: list[int]) -> ToyProject:
    pack = {"pack/PulumiPolicy.yaml": "runtime: python\n", "pack/__main__.py": PACK}
    return toy_project(directory, PROGRAM.format(values=values), extra=pack)


def _preview(project: ToyProject, **config: object) -> offline.Preview:
    return offline.preview(
        project.project,
        "dev",
        policies=project.directory / "pack",
        policy_config=config,  # type: ignore[arg-type]
    )


def test_a_clean_stack_has_no_findings(tmp_path: Path) -> None:
    """Every policy of the pack ran, none objects."""
    result = _preview(_project(tmp_path, [1, 2]))
    assert result.ok
    assert result.policies == ()
    assert set(result.policies_run) == {"small", "owned", "few"}


def test_findings_name_policy_resource_and_severity(tmp_path: Path) -> None:
    """Resource and stack policies report what they blame, and a mandatory finding fails the preview.

    Numbers reach a pack as floats, as they do from the real engine.
    """
    result = _preview(_project(tmp_path, [1, 9, 1]))
    small, few = sorted(result.policies, key=lambda item: item.policy, reverse=True)
    assert not result.ok
    assert small == PolicyFinding(
        policy="small", enforcement="mandatory", message="t1 is 9.0", urn=_urn("t1"), severity="high"
    )
    assert (few.policy, few.urn, few.message) == ("few", _urn("t2"), "t2 is one too many; it is in group")
    assert result.steps == {Step.CREATE: 5}


def test_policies_are_configured(tmp_path: Path) -> None:
    """A policy takes its settings, another is switched off."""
    result = _preview(_project(tmp_path, [1, 9, 1]), small={"most": 10}, few="disabled")
    assert result.ok
    assert result.policies == ()


def test_an_advisory_finding_fails_nothing(tmp_path: Path) -> None:
    """Advice is told and goes no further."""
    result = _preview(_project(tmp_path, [9]), small="advisory")
    assert result.ok
    assert [item.enforcement for item in result.policies] == ["advisory"]


def test_a_setting_for_a_policy_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A misspelt policy name is an error with the names that there are."""
    with pytest.raises(OfflineError, match=r"no policy 'smal'; it has few, owned, small"):
        _preview(_project(tmp_path, [1]), smal="disabled")


def test_a_mandatory_finding_keeps_up_from_beginning(tmp_path: Path) -> None:
    """`up` with a pack stops at the preview: nothing is made."""
    project = _project(tmp_path, [9])
    result = offline.up(project.project, "dev", policies=project.directory / "pack")
    assert not result.ok
    assert not project.things()


def test_up_is_judged_as_well(tmp_path: Path) -> None:
    """With a clean pack `up` does its work, and the pack sees the resources as they became."""
    project = _project(tmp_path, [1])
    result = offline.up(project.project, "dev", policies=project.directory / "pack")
    assert result.ok
    assert project.things() == {"t0": 1}


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({}, "holds no PulumiPolicy.yaml"),
        ({"pack/PulumiPolicy.yaml": "runtime: python\n", "pack/__main__.py": "1 / 0"}, "ZeroDivisionError"),
    ],
)
def test_a_pack_that_does_not_start_says_why(tmp_path: Path, files: dict[str, str], complaint: str) -> None:
    """No pack, or one whose program fails: the error shows what it said."""
    project = toy_project(tmp_path, PROGRAM.format(values=[1]), extra=files)
    with pytest.raises(OfflineError, match=complaint):
        offline.preview(project.project, "dev", policies=project.directory / "pack")


def _urn(name: str) -> str:
    return f"urn:pulumi:dev::toys::toy:index:Group$toy:index:Thing::{name}"


def test_an_exported_state_is_judged_as_what_is_declared(tmp_path: Path) -> None:
    """What is there meets the same policies, although nobody runs the program."""
    project = _project(tmp_path, [1, 9])
    offline.up(project.project, "dev")
    text = project.project.state_file("dev").read_text()
    found = offline.judge_state(project.project, "dev", text, policies=project.directory / "pack")
    assert [(item.policy, item.urn.rpartition("::")[2]) for item in found.violations] == [("small", "t1")]
    assert {item.step for item in found.resources} == {Step.SAME}


def test_a_state_is_judged_by_a_pack_that_is_named(tmp_path: Path) -> None:
    """Without a pack there is nothing to judge with, which is said."""
    project = _project(tmp_path, [1])
    with pytest.raises(OfflineError, match="no policy pack is named"):
        offline.judge_state(project.project, "dev", '{"version": 3, "deployment": {"resources": []}}')
