"""What a run leaves: a replayable experiment, a journal that tells the truth, a summary that hides nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diversite import stackfile
from diversite.domains import parse
from diversite.outcome import predict
from diversite.plan import plan
from drills import chaos, page, repetitions, results
from drills.comparison import Measured, Safety, compare
from drills.course import passed
from drills.drill import Phases, Report, calm_of
from drills.early import Warned
from drills.faults import FAULTS, Evidence
from drills.faults.fault import class_alone
from drills.fidelity import Fidelity
from drills.load import Load, orders_of
from drills.planted.hunting import Caught
from drills.pressure import Pressure
from drills.rehearsal import Pair
from drills.results import Events

FOUR = plan(stackfile.load(Path(__file__).parents[1] / "stacks" / "good" / "four.yaml"))
FAULT = "power-off:site:aws/eu-west-3/euw3-az1"
LOST = "ann/run-7"
NOWHERE = {"programs": {}, "cores": 2, "kernel": "6", "python": "3", "commit": "c"}


def report(*, bit: bool = True, missing: tuple[str, ...] = ()) -> Report:
    """A site was lost; everything went as predicted, but for what the test plants."""
    predicted = predict(FOUR, [parse("site:par", FOUR)])
    measured = Measured(
        outcome="could_lose_data" if missing else "continues",
        rto_seconds=0.5,
        gap_seconds=0.8,
        p50_ms=300.0,
        p99_ms=700.0,
        resume_seconds=None,
        heal_seconds=3.2,
        acknowledged=400,
        orders_lost=len(missing),
        orders_duplicated=0,
        orders_reordered=0,
        forks=0,
        unlike_replay=0,
        entrances_serving=frozenset({1}),
        asked=120,
    )
    return Report(
        fault=FAULT,
        seed=7,
        predicted=predicted,
        measured=measured,
        findings=compare(predicted, measured),
        evidence=(Evidence(what="gateway-par: 1 processes ran, 0 run", bit=bit),),
        safety=Safety(heights=9, forks=(), missing=missing, repeated=(), witnesses=("validator-dub",)),
        calm_ms=(150.0, 240.0),
        calm_ms_max=None,
        calm_rounds=(58, 2),
        pressure=Pressure(at=1.0, waited_seconds=0.0, share=0.5),
        fidelity=Fidelity(links=(), pressures=(0.5,)),
    )


def test_a_fault_that_did_nothing_fails_the_drill() -> None:
    """If the evidence says that nothing broke, right figures are no success."""
    assert report().passed
    assert not report(bit=False).passed
    assert not replace(report(), evidence=()).passed


def test_the_experiment_replays_the_repetition() -> None:
    """The one process of an experiment's method is the very command, with its seed, that broke the venue."""
    told = results.of_outcome(report().predicted)
    made = chaos.experiment("four", FAULT, 7, Phases(hold_seconds=12), told)
    (action,) = made["method"]
    assert action["provider"]["path"] == "diversite"
    assert action["provider"]["arguments"] == f"drill four {FAULT} --seed 7 --hold 12 --keep"
    assert {"title", "description", "method", "steady-state-hypothesis", "rollbacks"} <= made.keys()


def test_a_repetition_is_had_again_from_its_seed() -> None:
    """The seed that an experiment's command names gives the very orders again, one after the other."""
    made = chaos.experiment("four", FAULT, 41, Phases(), results.of_outcome(report().predicted))
    words = made["method"][0]["provider"]["arguments"].split()
    seed = int(words[words.index("--seed") + 1])
    sent, again, other = (
        orders_of(Load(entrances=("http://a",), rate=20, seconds=5, seed=it, run="r")) for it in (41, seed, 42)
    )
    assert sent == again
    assert sent != other


@pytest.mark.parametrize("missing", [(), (LOST,)])
def test_the_journal_deviates_where_the_prediction_was_wrong(tmp_path: Path, missing: tuple[str, ...]) -> None:
    """A lost order is a deviation, told in the journal with every step's moment."""
    events = Events(tmp_path / "events.jsonl")
    for event in ("load started", "breaking", "broken", "checked"):
        events.record(event)
    made = chaos.experiment("four", FAULT, 7, Phases(), results.of_outcome(report().predicted))
    journal = chaos.journal(made, report(missing=missing), events.read())
    assert journal["deviated"] == bool(missing)
    assert journal["experiment"] == made
    assert [step["event"] for step in journal["run"][0]["output"]] == ["breaking", "broken", "checked"]


def test_a_summary_names_what_was_lost(tmp_path: Path) -> None:
    """A lost order, a fault that did not bite and a busy machine stand below the table, each by name."""
    text = results.summary([report(missing=(LOST,)), report(bit=False)], calm_of(FOUR))
    assert f"acknowledged and missing: {LOST}" in text
    assert "did not bite: gateway-par" in text
    assert "waited for a core 50%" in text
    assert "**could lose data** (continues)" in text


def test_the_page_is_made_of_the_run(tmp_path: Path) -> None:
    """docs/drills.md shows the run's own summary, its seed and its versions, and every fault that there is."""
    arguments = {"faults": [FAULT], "repeat": 1, "phases": Phases()}
    results.write(tmp_path / "versions.json", {"seed": 7, "arguments": arguments, **results.versions()})
    results.summaries(tmp_path, [report()], calm_of(FOUR))
    text = page.page([tmp_path])
    assert "Seed 7" in text
    assert "Before the faults, measured: p50 150 to 150 ms." in text
    assert "Before the faults 60 heights were committed, 2 of them not in their first round." in text
    assert f"`{FAULT}`" in text
    assert json.loads((tmp_path / "summary.json").read_text())[0]["passed"]
    assert all(f"| `{word}` |" in text for word in FAULTS)


def test_the_page_tells_who_caught_what_and_how_early(tmp_path: Path) -> None:
    """A mistake that escaped stands in the table like one that was caught; an alert that came too late has its lead."""
    planted, warned = tmp_path / "planted", tmp_path / "warned"
    for folder in (planted, warned):
        folder.mkdir()
        results.write(folder / "versions.json", {"seed": 7, "arguments": {}, **results.versions()})
    caught = Caught(variant="no-sync", fault=FAULT, repetitions=2, signs=("orders_lost 3, not 0 to 0",))
    results.write(planted / "planted.json", {"no-sync": caught, "always-ready": None})
    late = Warned(word="disk-fills", where="a", alert="DiskFillsSoon", fired_seconds=90.0, failed_seconds=60.0)
    results.write(warned / "warnings.json", [late])
    text = page.page([warned, planted])
    assert f"`{FAULT}` | 2 | orders_lost 3, not 0 to 0 |" in text
    assert "| `always-ready` | the health check of an engine says yes, whatever it is | **nobody** |" in text
    assert "| `DiskFillsSoon` | 90 | 60 | -30 |" in text


def test_a_run_without_version_control_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ran is told by its commit, or as unknown; never by another's, nor by what git complains of."""
    monkeypatch.setattr("drills.results.RESULTS", tmp_path / "drills" / "results")
    assert results.versions()["commit"] == "unknown"


def test_a_void_repetition_says_nothing_of_times_and_everything_of_orders() -> None:
    """Where the lab was not true to the plan a repetition does not count, but a lost order fails the course anyway."""
    off = Pair(a="par", b="hel", catalogue_ms=40.0, planned_ms=40.0, observed_ms=55.0, via=())
    wrong = tuple(replace(finding, is_true=False) for finding in report().findings)
    slow = replace(report(), untrue_pairs=(off,), findings=wrong)
    assert passed([slow, report()])
    assert not passed([slow])
    assert not passed([replace(report(missing=(LOST,)), untrue_pairs=(off,)), report()])
    wrongs: list[dict[str, Any]] = [{"orders_duplicated": 1}, {"orders_reordered": 1}, {"unlike_replay": 1}]
    for wrong_of in wrongs:
        assert not passed([replace(slow, measured=replace(slow.measured, **wrong_of)), report()])
    assert "void: par - hel took 55.0 ms" in results.summary([slow, report()], calm_of(FOUR))


def test_a_machine_that_became_slower_voids_the_repetition() -> None:
    """What clients waited before the fault says whether the model's one machine figure still holds."""
    slower, as_before = (replace(report(), calm_ms_max=most) for most in (149.0, 150.0))
    assert slower.is_void
    assert not as_before.is_void
    assert "void: orders took 150 ms before the fault, 149 ms at most" in results.summary([slower], calm_of(FOUR))


def test_repetitions_are_summed_up_without_the_void_ones(tmp_path: Path) -> None:
    """A repeated fault has its figures' percentiles and how many were as predicted; the page shows these alone."""
    off = Pair(a="par", b="hel", catalogue_ms=40.0, planned_ms=40.0, observed_ms=55.0, via=())
    reports = [report(), report(), replace(report(), untrue_pairs=(off,))]
    text = "\n".join(repetitions.table(reports))
    assert cells(text, f"| `{FAULT}` | recovery")[3:] == ["0.50", "0.50", "0.50", "2 of 2"]
    assert cells(text, f"| `{FAULT}` | 2")[1:] == ["2", "1", "2", "2", "1200", "0", "0", "3.20", "3.20"]
    assert "2 of 2 measured recovery times were inside their predicted interval (100.0 %)." in text
    results.write(tmp_path / "versions.json", {"seed": 7, "arguments": {"repeat": 3, "phases": Phases()}, **NOWHERE})
    results.summaries(tmp_path, reports, calm_of(FOUR))
    assert text.strip() in page.page([tmp_path])


def test_what_has_no_predicted_recovery_is_not_counted_as_outside() -> None:
    """A fault of which only the class is foretold says nothing of intervals."""
    alone = class_alone(report().predicted)
    told = replace(report(), predicted=alone, findings=compare(alone, report().measured))
    assert "recovery times" not in "\n".join(repetitions.table([told, told]))


def test_a_fault_drilled_once_is_not_summed_up() -> None:
    """Without repetitions there is nothing to spread."""
    assert list(repetitions.table([report()])) == []


def cells(text: str, start: str) -> list[str]:
    """The cells of the one row that begins so."""
    (row,) = [line for line in text.splitlines() if line.startswith(start)]
    return [cell.strip() for cell in row.strip("|").split("|")]
