"""`diversite preview`: the program and the pack without the engine, and an exported state before the pack."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import offline
from cli import preview, previews, sarif, verdicts
from cli.console import new_console
from cli.stacks import PROJECT, resolve
from offline import Diagnostic, PolicyFinding, Preview, Resource, Step
from tests.cli.conftest import TEST_STACKS, UNMET, Run
from tests.cli.sarif_schema import assert_valid

STACK = "urn:pulumi:lab::diversite::pulumi:pulumi:Stack::diversite-lab"


@pytest.fixture(scope="module")
def flagship() -> Preview:
    """What the flagship's program declares for the lab."""
    return offline.preview(offline.Project.load(PROJECT), "lab")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is written into it is the command's standard input."""
    text = io.StringIO()
    monkeypatch.setattr(sys, "stdin", text)
    return text


def test_the_flagship_is_previewed(run: Run) -> None:
    """Program and pack run without the engine: every resource and every policy is told, and all holds."""
    ran = run("preview", "lab", "--format", "json")
    assert ran.code == 0, ran.err
    assert ran.json["types"]["diversite:validator:Validator"] == 7
    assert sum(ran.json["steps"].values()) == len(ran.json["resources"])
    assert {"placement", "keys", "no-public-address"} <= set(ran.json["policies_run"])
    assert not [cause for cause in ran.json["findings"] if cause["enforcement"] == "mandatory"]


def test_an_exported_state_is_judged(run: Run, flagship: Preview, given: io.StringIO) -> None:
    """A state with everything in it holds as its program does; the stack is named by the state."""
    _give(given, _state(flagship))
    ran = run("preview", "--state", "-", "--format", "json")
    assert ran.code == 0, ran.err
    assert (ran.json["stack"], list(ran.json["steps"])) == ("lab", ["same"])


def test_a_state_that_lacks_a_validator_is_not_met(run: Run, flagship: Preview, given: io.StringIO) -> None:
    """What is missing from a venue is found in its state, however well its file is."""
    resources = [entry for entry in _state(flagship) if "validator-par" not in entry["urn"]]
    _give(given, resources)
    ran = run("preview", "--state", "-", "--format", "sarif")
    assert ran.code == 1, ran.err
    assert_valid(ran.json)
    assert "error" in {result["level"] for result in ran.json["runs"][0]["results"]}


@pytest.mark.parametrize("text", ["", "[]", '{"deployment": {}}', '{"deployment": {"resources": []}}'])
def test_what_is_no_state_is_refused(run: Run, given: io.StringIO, text: str) -> None:
    """A text that is no state, or an empty one, is refused with what to do."""
    given.write(text)
    given.seek(0)
    ran = run("preview", "--state", "-")
    assert ran.code == 2
    assert ran.err.startswith("diversite: --state: ")


def test_an_unmet_topology_is_not_run(run: Run, folder: Path) -> None:
    """A venue that does not meet its objectives is told as `check` tells it, and ends 1 as there."""
    (folder / "unmet.yaml").write_text(Path(UNMET).read_text(encoding="utf-8"), encoding="utf-8")
    ran = run("preview", "unmet")
    assert ran.code == 1
    assert "smallest change that removes it" in ran.out


def test_a_wrong_file_is_not_run(run: Run, folder: Path) -> None:
    """A wrong file ends 2 with every problem of it, in every format."""
    source = TEST_STACKS / "bad" / "all-at-once.yaml"
    (folder / "wrong.yaml").write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    assert run("preview", "wrong").code == 2
    assert len(run("preview", "wrong", "--format", "json").json["file"]["problems"]) == 7
    ran = run("preview", "wrong", "--format", "sarif")
    assert (ran.code, len(ran.json["runs"][0]["results"])) == (2, 7)


def test_a_missing_pack_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a pack the program is judged alone, and that is said where errors are."""
    monkeypatch.setattr(preview, "PACK", tmp_path)
    assert preview._pack() is None
    assert "holds no policy pack" in capsys.readouterr().err


def test_alike_resources_are_one_branch(capsys: pytest.CaptureFixture[str]) -> None:
    """The tree has a branch a type, which names its resources; `--full` has one a resource."""
    seen = _seen()
    previews.as_text(seen, new_console())
    folded = capsys.readouterr().out
    assert "node:Engine 2: engine-hel, engine-par (1 create, 1 update)" in folded
    assert "Host 2 (create)" in folded
    previews.as_text(seen, new_console(), full=True)
    assert "Host: engine-par (create)" in capsys.readouterr().out


def test_findings_are_grouped_by_cause(capsys: pytest.CaptureFixture[str]) -> None:
    """One cause of several resources is told once with all of them; blockers go before advice."""
    seen = _seen(findings=[*_findings("disks-encrypted", "mandatory", 2), *_findings("advice", "advisory", 1)])
    assert [(cause.policy, len(cause.urns)) for cause in seen.causes] == [("disks-encrypted", 2), ("advice", 1)]
    previews.as_text(seen, new_console())
    out = capsys.readouterr().out
    assert "✓ 1 policies hold: size" in out
    assert "✗ disks-encrypted (mandatory, high)" in out
    assert "a disk is open [at engine-par, engine-hel]" in out
    assert seen.exit_code == 1


def test_advice_blocks_nothing() -> None:
    """Advisory findings alone end 0; a program that fails ends 2, whatever the policies say."""
    assert _seen(findings=_findings("advice", "advisory", 1)).exit_code == 0
    failing = Diagnostic(severity="error", message="boom")
    assert _seen(findings=_findings("size", "mandatory", 1), diagnostics=[failing]).exit_code == 2


def test_findings_are_annotated_where_the_file_asks_for_the_resource() -> None:
    """A finding about a host is at the host's line of the stack file, and names the resource."""
    seen = _seen(findings=_findings("disks-encrypted", "mandatory", 1))
    log = sarif.log(previews.as_results(seen), exit_code=1)
    assert_valid(log)
    found = [it for it in log["runs"][0]["results"] if it["ruleId"] == "policy/disks-encrypted"]
    place = found[0]["locations"][0]
    line = place["physicalLocation"]["region"]["startLine"]
    text = (PROJECT / "stacks" / "europe.yaml").read_text(encoding="utf-8").splitlines()
    assert text[line - 1].strip().startswith("par: {site: par")
    assert line > text.index("engines:")
    assert place["logicalLocations"][0]["fullyQualifiedName"].endswith("::engine-par")


def _seen(*, findings: list[PolicyFinding] | None = None, diagnostics: list[Diagnostic] | None = None) -> previews.Seen:
    resources = [Resource(urn=STACK, type="pulumi:pulumi:Stack", name="lab", custom=False, step=Step.CREATE)]
    for site, step in (("par", Step.CREATE), ("hel", Step.UPDATE)):
        parent = _urn(site, "diversite:node:Engine")
        resources += [
            Resource(
                urn=parent,
                type="diversite:node:Engine",
                name=f"engine-{site}",
                custom=False,
                step=step,
                parent=STACK,
            ),
            Resource(
                urn=_urn(site, "lab:index:Host"),
                type="lab:index:Host",
                name=f"engine-{site}",
                custom=True,
                step=Step.CREATE,
                parent=parent,
                inputs={"tags": {"node": f"engine-{site}", "site": site}},
            ),
        ]
    found = Preview(
        project="diversite",
        stack="lab",
        resources=tuple(resources),
        policies=tuple(findings or ()),
        policies_run=("disks-encrypted", "size") if findings else (),
        diagnostics=tuple(diagnostics or ()),
    )
    return previews.Seen(stack="lab", judged=verdicts.judged(resolve("europe")), preview=found)


def _urn(site: str, type_: str) -> str:
    return f"urn:pulumi:lab::diversite::{type_}::engine-{site}"


def _findings(policy: str, enforcement: Any, count: int) -> list[PolicyFinding]:
    urns = [_urn(site, "lab:index:Host") for site in ("par", "hel")[:count]]
    return [
        PolicyFinding(policy=policy, enforcement=enforcement, message="a disk is open", urn=urn, severity="high")
        for urn in urns
    ]


def _state(found: Preview) -> list[dict[str, Any]]:
    """The resources as an export has them once they are there."""
    return [
        {
            "urn": it.urn,
            "type": it.type,
            "custom": it.custom,
            "id": it.name if it.custom else "",
            "inputs": offline.plain(it.inputs),
            "outputs": offline.plain(it.inputs),
            "parent": it.parent,
            "dependencies": list(it.dependencies),
            "propertyDependencies": {key: list(urns) for key, urns in it.property_dependencies.items()},
        }
        for it in found.resources
    ]


def _give(given: io.StringIO, resources: list[dict[str, Any]]) -> None:
    document = {"version": 3, "deployment": {"manifest": {}, "resources": resources}}
    given.write(json.dumps(document, default=lambda _: "04da6b54-80e4-46f7-96ec-b56ff0331ba9"))
    given.seek(0)
