"""`diversite check` as people, programs and CI systems read it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli import stacks
from tests.cli.conftest import TEST_STACKS, UNMET, Run
from tests.cli.sarif_schema import assert_valid

BAD = sorted((TEST_STACKS / "bad").glob("*.yaml"))
EUROPE = str(stacks.STACKS / "europe.yaml")
HEAVY = (
    *("pulumi", "pulumi_aws", "pulumi_gcp", "pulumi_hcloud", "pulumi_policy", "grpc", "google.protobuf", "aiohttp"),
    *("networkx", "jinja2", "ruamel.yaml", "cryptography", "prometheus_client", "tenacity", "offline", "lab.world"),
)
IN_A_PROCESS = """
import sys
reached = []
sys.addaudithook(lambda event, details: event == "socket.connect" and reached.append(details))
from cli.main import main
sys.argv = ["diversite", *sys.argv[1:]]
try:
    main()
except SystemExit as ended:
    print("ended", ended.code)
print("reached", reached)
print("modules", *sys.modules)
"""


def test_the_flagship_meets_its_objectives(run: Run) -> None:
    """Without an argument the flagship is judged, and it is met: exit code 0."""
    ran = run("check")
    assert ran.code == 0
    assert ran.out.splitlines()[-1].endswith("europe.yaml: met, all 16")


def test_a_blocker_is_told_with_its_line_and_its_mending(run: Run) -> None:
    """A venue that is not met ends 1, and says where, why, and the smallest change that removes it."""
    ran = run("check", UNMET)
    assert ran.code == 1
    assert f"✗ survive[0]: the venue continues when any one site is lost ({UNMET}:4)" in ran.out
    assert "site:hetzner/eu-central/hel1: no monitor is left that sees the venue" in ran.out
    assert "smallest change that removes it: add monitoring.par" in ran.out


def test_what_arithmetic_forbids_is_told_with_ways_out(run: Run, tmp_path: Path) -> None:
    """Three providers and byzantine consensus: the wish is told to be impossible, with what can be done instead."""
    ran = run("check", _wishing(tmp_path, "{any: provider}"))
    assert ran.code == 1
    assert "ways out, as no placement can fulfil it:" in ran.out
    assert "or give up the wish: accept survive[8].outcome: halts_safely" in ran.out


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_wrong_file_is_told_whole(run: Run, path: Path) -> None:
    """A wrong file ends 2, and every problem of it is told, as the text beside it says."""
    ran = run("check", str(path))
    told = path.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    assert ran.code == 2
    assert [line.replace(str(path), path.name) for line in ran.out.splitlines()[:-1]] == told


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_wrong_file_is_annotated(run: Run, path: Path) -> None:
    """Each problem of a wrong file is a SARIF result at its line."""
    ran = run("check", "--format", "sarif", str(path))
    assert ran.code == 2
    assert_valid(ran.json)
    results = ran.json["runs"][0]["results"]
    lines = [result["locations"][0]["physicalLocation"]["region"]["startLine"] for result in results]
    told = path.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    expected = [int(line.split(":")[1]) if line.split(":")[1].isdigit() else 1 for line in told]
    assert lines == expected


def test_programs_read_json(run: Run) -> None:
    """Every finding has its id, path, line and failures; figures are numbers."""
    ran = run("check", "--format", "json", UNMET, EUROPE)
    assert ran.code == 1
    first, second = ran.json["stacks"]
    assert (first["status"], second["status"]) == ("not met", "met")
    finding = first["findings"][0]
    assert (finding["id"], finding["line"], finding["met"]) == ("survive[0]", 4, False)
    assert finding["failures"][0]["lost"] == ["site:hetzner/eu-central/hel1"]
    assert finding["change"]["says"].startswith("add monitoring.par")
    assert second["coefficients"]["provider"] == 1


def test_wrong_files_are_json_too(run: Run) -> None:
    """A wrong file does not end the judging of the others, and its problems have line and path."""
    ran = run("check", "--format", "json", str(TEST_STACKS / "bad" / "all-at-once.yaml"), UNMET)
    assert ran.code == 2
    wrong, unmet = ran.json["stacks"]
    assert wrong["problems"][0]["line"] == 1
    assert wrong["problems"][0]["path"] == "venue"
    assert wrong["problems"][0]["says"].startswith('venue: "Four" is not a name')
    assert unmet["status"] == "not met"


def test_a_blocker_is_annotated_at_its_objective(run: Run) -> None:
    """A rule's id names the wish, not its place in the list; the region is the objective's line; notes are notes."""
    ran = run("check", "--format", "sarif", UNMET)
    assert ran.code == 1
    assert_valid(ran.json)
    blocker, *notes = ran.json["runs"][0]["results"]
    place = blocker["locations"][0]["physicalLocation"]
    assert (blocker["ruleId"], blocker["level"]) == ("survive/site", "error")
    assert place["region"] == {"startLine": 4, "startColumn": 5}
    assert place["artifactLocation"] == {"uri": "tests/cli/stacks/unmet.yaml", "uriBaseId": "%SRCROOT%"}
    assert {note["level"] for note in notes} == {"note"}


def test_a_fingerprint_outlives_a_move(run: Run, tmp_path: Path) -> None:
    """The same blocker some lines further down is the same to a CI system."""
    moved = tmp_path / "unmet.yaml"
    moved.write_text("# a line more\n" + Path(UNMET).read_text(encoding="utf-8"), encoding="utf-8")
    results = [run("check", "--format", "sarif", path).json["runs"][0]["results"][0] for path in (UNMET, str(moved))]
    assert results[0]["partialFingerprints"] == results[1]["partialFingerprints"]
    assert results[0]["locations"] != results[1]["locations"]


@pytest.mark.parametrize("objective", ["survive[0]", "survive[5]", "survive[8]"])
def test_an_objective_is_explained_by_every_case(run: Run, objective: str) -> None:
    """Every domain of the kind is a row, with the power that its loss takes, beside the arithmetic."""
    ran = run("check", "europe", "--explain", objective, "--format", "json")
    assert ran.code == 0
    assert "3 * lost >= total" in ran.json["arithmetic"][0]
    lost = [row["lost"] for row in ran.json["cases"]]
    assert len(lost) == len(set(lost)) == {"survive[0]": 26, "survive[5]": 7, "survive[8]": 3}[objective]


@pytest.mark.parametrize("name", ["quorum_rtt_ms_max", "bounds.pair_rtt_ms_max", "time-outs", "links"])
def test_a_bound_is_explained(run: Run, name: str) -> None:
    """Bounds and rules of the network are explained by id, by path, and without the section's name."""
    ran = run("check", "--explain", name)
    assert ran.code == 0
    assert ran.out.splitlines()[-1].startswith((f"{name}: met", f"bounds.{name}: met"))


@pytest.mark.parametrize(
    ("name", "words"),
    [("quorum_rtt_ms_max", "round trip to a quorum of the voting power"), ("survive[0]", "worst outcome")],
)
def test_an_explanation_says_what_the_name_means(run: Run, name: str, words: str) -> None:
    """In the words of the stack file's reference."""
    assert words in run("check", "--explain", name).out


def test_a_recovery_is_explained_by_its_terms(run: Run) -> None:
    """Losses that take equally long are one row, whose terms have their sources."""
    rows = run("check", "--explain", "rto_seconds_max", "--format", "json")
    assert rows.code == 2  # its name is bounds.recovery.rto_seconds_max
    assert "did you mean bounds.recovery.rto_seconds_max" in rows.err
    cases = run("check", "--explain", "recovery.rto_seconds_max", "--format", "json").json["cases"]
    assert "S(1) of the plan's time-outs" in cases[0]["of which"]
    assert len({(row["going on, s"], row["of which"]) for row in cases}) == len(cases)


def test_a_failure_is_explained_by_what_it_takes(run: Run) -> None:
    """An unmet objective ends 1, and names the hosts that its failure takes."""
    ran = run("check", UNMET, "--explain", "survive[0]")
    assert ran.code == 1
    assert "site:hetzner/eu-central/hel1 takes engine-hel, gateway-hel, monitor-hel, validator-hel" in ran.out
    assert ran.out.splitlines()[-1] == "survive[0]: NOT MET"


def test_an_unknown_objective_is_refused(run: Run) -> None:
    """A wrong name is told with those that there are."""
    ran = run("check", "--explain", "survive[99]")
    assert ran.code == 2
    assert "did you mean survive[" in ran.err


def test_all_judges_every_topology(run: Run, folder: Path) -> None:
    """`--all` judges each file of stacks/, and the worst decides the exit code."""
    for name, source in (("a", EUROPE), ("b", UNMET)):
        (folder / f"{name}.yaml").write_text(Path(source).read_text(encoding="utf-8"), encoding="utf-8")
    ran = run("check", "--all", "--format", "json")
    assert [Path(stack["file"]).name for stack in ran.json["stacks"]] == ["a.yaml", "b.yaml"]
    assert ran.code == 1


def test_a_file_is_judged_once(run: Run) -> None:
    """A stack and the file that it names are one."""
    ran = run("check", "lab", EUROPE, "europe", "--format", "json")
    assert len(ran.json["stacks"]) == 1


def test_nothing_heavy_is_loaded_and_nothing_is_reached() -> None:
    """A check loads no SDK, no graph library and no template engine, and opens no connection."""
    words = [sys.executable, "-c", IN_A_PROCESS, "check", "--format", "json", UNMET, EUROPE]
    ran = subprocess.run(words, capture_output=True, text=True, check=True, cwd=stacks.PROJECT)
    document, _, rest = ran.stdout.partition("\nended ")
    assert len(json.loads(document)["stacks"]) == 2
    code, reached, modules = rest.splitlines()
    assert (code, reached) == ("1", "reached []")
    assert set(HEAVY).isdisjoint(modules.split()[1:])


def _wishing(folder: Path, wish: str) -> str:
    """The flagship with another last objective."""
    text = Path(EUROPE).read_text(encoding="utf-8")
    path = folder / "wish.yaml"
    path.write_text(text.replace("{any: provider, outcome: halts_safely}", wish), encoding="utf-8")
    return str(path)
