"""What a repetition leaves is what the Chaos Toolkit reads: its library takes the experiment and knows the journal."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from chaoslib.experiment import ensure_experiment_is_valid  # type: ignore[import-untyped]  # it has no types
from chaoslib.run import initialize_run_journal  # type: ignore[import-untyped]

from drills import chaos, results
from drills.drill import Phases
from drills.faults import FAULTS
from drills.results import Events
from tests.drills.test_results import report

STEPS = ("load started", *chaos.STEPS)


@pytest.fixture
def experiment(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """One of a run, as read back from its file, with the project's own program on the search path."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    told = results.of_outcome(report().predicted)
    made: dict[str, Any] = json.loads(
        json.dumps(results.plain(chaos.experiment("four", report().fault, 7, Phases(), told)))
    )
    return made


def test_the_toolkit_takes_the_experiment(experiment: dict[str, Any]) -> None:
    """Its library finds nothing wrong: title, hypothesis, method, and programs that are there."""
    ensure_experiment_is_valid(experiment)


@pytest.mark.parametrize("word", FAULTS)
def test_every_word_makes_an_experiment(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No fault has a name that the toolkit would not take."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    told = results.of_outcome(report().predicted)
    ensure_experiment_is_valid(chaos.experiment("four", f"{word}:site:par", 7, Phases(), told))


def test_the_journal_has_what_the_toolkit_writes(experiment: dict[str, Any], tmp_path: Path) -> None:
    """Every key of a journal that its library begins is there, of the same kind, and each activity tells its run."""
    events = Events(tmp_path / "events.jsonl")
    for event in STEPS:
        events.record(event)
    journal = chaos.journal(experiment, report(), events.read())
    begun = initialize_run_journal(experiment)
    assert begun.keys() <= journal.keys()
    assert all(isinstance(journal[key], type(value)) for key, value in begun.items() if value is not None)
    assert begun["steady_states"].keys() == journal["steady_states"].keys()
    ran = {"activity", "status", "output", "start", "end", "duration"}
    assert all(ran <= run.keys() for run in journal["run"])
    assert journal["chaoslib-version"] == begun["chaoslib-version"]
