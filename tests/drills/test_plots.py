"""A run's pictures are drawn from what it left, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from diversite.errors import DiversiteError
from drills import plots, results
from drills.load import to_json
from drills.results import Events
from tests.drills.test_comparison import line
from tests.drills.test_results import report


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of one fault, twice."""
    for number in (1, 2):
        at = tmp_path / f"00{number}-power-off"
        at.mkdir()
        (at / "orders.jsonl").write_text(to_json(line(0, 99.0, 0.2)) + "\n" + to_json(line(1, 101.0, 0.4)) + "\n")
        events = Events(at / "events.jsonl")
        events.record("broken", at=100.0)
        events.record("healing began", at=115.0)
    results.write(tmp_path / "summary.json", [results.of_report(report()), results.of_report(report())])
    return tmp_path


def test_a_run_is_drawn(run: Path) -> None:
    """Every repetition has its orders in one picture, every fault its recovery times in the other."""
    pytest.importorskip("matplotlib")
    latency, recovery = plots.draw(run)
    assert latency.read_text().count("<svg") == 1
    assert "power-off" in recovery.read_text() or recovery.stat().st_size > 1000


def test_who_lacks_the_extra_is_told(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without matplotlib nothing else of a drill is missing, and the message names the extra."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(DiversiteError, match="report"):
        plots.draw(run)
