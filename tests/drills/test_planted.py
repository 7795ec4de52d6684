"""Each mistake is where it was planted, and each is met by a fault that can show it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from diversite import quorum, stackfile
from diversite.errors import DiversiteError
from diversite.plan import Plan, plan
from drills.faults import parse
from drills.planted import planting
from drills.planted.engine import ENGINES
from drills.planted.known import VARIANTS, by_name
from lab.inputs import ServiceInputs

STACKS = Path(__file__).parents[2] / "stacks"
GOOD = Path(__file__).parents[1] / "stacks" / "good"
ENGINE = ServiceInputs(
    world="lab",
    host="engine-par",
    name="engine",
    command=("python", "-m", "workloads.engine", "--config", "/run/lab/hosts/engine-par/etc/engine/engine.json"),
    files={"/run/lab/hosts/engine-par/etc/engine/engine.json": "{}"},
)
SYNC = "import os; os.fsync(9999); print('unsynced')"
"""Syncs what is not open: an error, unless nobody syncs."""


@pytest.fixture(scope="module", params=[STACKS / "europe.yaml", GOOD / "four.yaml"], ids=["europe", "four"])
def venue(request: pytest.FixtureRequest) -> Plan:
    """The flagship, and the venue that tests run."""
    return plan(stackfile.load(request.param))


def test_at_least_ten_mistakes_are_planted() -> None:
    """Drills that were never seen to catch anything prove nothing."""
    assert len(VARIANTS) >= 10


@pytest.mark.parametrize("name", VARIANTS)
def test_every_mistake_has_a_fault_that_shows_it(name: str, venue: Plan) -> None:
    """What is to catch a variant can be carried out in the venue; a ring of links alone has a detour to loop on."""
    if name == "looping-route" and venue.venue != "four":
        return
    faults = by_name(name).faults(venue)
    assert faults
    assert [parse(text, "lab", venue).name for text in faults] == list(faults)


def test_an_unknown_mistake_is_told_with_those_there_are() -> None:
    """Whoever mistypes a variant learns the names."""
    with pytest.raises(DiversiteError, match="wrong-quorum"):
        by_name("wrong-quorums")


def test_the_engine_runs_with_its_mistake_and_its_settings() -> None:
    """Only the module is exchanged: the same configuration, the same files."""
    planted = planting.engine("always-ready")(ENGINE)
    assert planted.command == ("python", "-m", "drills.planted.engine", "always-ready", *ENGINE.command[3:])
    assert planted.files == ENGINE.files


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_variant_finds_what_it_exchanges(name: str) -> None:
    """If the engine's parts are called otherwise, the variant says so instead of planting nothing."""
    script = f"from drills.planted.engine import ENGINES; ENGINES[{name!r}]('7')"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])


def test_an_unsynced_program_and_what_it_starts_sync_nothing() -> None:
    """Each sync succeeds and does nothing, in the program and in its children."""
    command = [sys.executable, "-m", "drills.planted.unsynced", "sh", "-c", f'{sys.executable} -c "{SYNC}"']
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert told.stdout == "unsynced\n"


def test_the_wrong_quorum_is_wrong_only_while_it_is_planted(venue: Plan) -> None:
    """The judge's mistake changes what it says of the provider, and nothing of it stays."""
    variant = by_name("wrong-quorum")
    (text,) = variant.faults(venue)
    fault = parse(text, "lab", venue)
    true = fault.predicted().outcome
    with variant.planted("lab", venue):
        assert fault.predicted().outcome != true
    assert fault.predicted().outcome == true
    assert quorum.is_lost(1, 3)


def test_a_file_is_rewritten_where_it_is_meant() -> None:
    """The other files of the service stay."""
    more = replace_files(ENGINE, {"/run/lab/hosts/engine-par/etc/engine/rules.yml": "a"})
    planted = planting.rewritten("rules.yml", str.upper)(more)
    assert sorted(planted.files.values()) == ["A", "{}"]


def replace_files(inputs: ServiceInputs, files: dict[str, str]) -> ServiceInputs:
    """The service with more files."""
    return inputs.model_copy(update={"files": {**inputs.files, **files}})
