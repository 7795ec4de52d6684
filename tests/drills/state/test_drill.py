"""The figures of a drill of state are those of its orders, and a fault is named as it is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cli.drill_state import told
from diversite.errors import DiversiteError
from diversite.kept import Kept, Seconds
from drills.evidence import Evidence
from drills.load import Line
from drills.state.drill import Report, recovery
from drills.state.faults import FAULTS, chosen
from drills.state.results import write
from tests.drills.state.test_history import confirmed


def test_recovery_is_the_end_of_the_longest_silence() -> None:
    """Orders that were under way when it broke, and those that trickle in between, do not end it early."""
    lines = [at(seconds) for seconds in (9.9, 10.1, 10.4, 18.0, 18.1, 24.0, 25.5)]
    assert recovery(lines, broken=10.0, healed=25.0) == 8.0


def test_a_venue_that_goes_on_has_nothing_to_recover_from() -> None:
    """A pause of half a second late in the fault is not a recovery that took until then."""
    lines = [at(10.0 + number / 10) for number in range(120)] + [at(22.4 + number / 10) for number in range(40)]
    assert recovery(lines, broken=10.0, healed=25.0) == 0.5


def test_there_is_no_recovery_before_the_healing() -> None:
    """A silence that outlasts the fault is a halt."""
    assert recovery([at(9.9), at(10.1), at(26.0)], broken=10.0, healed=25.0) is None
    assert recovery([at(9.9)], broken=10.0, healed=25.0) is None


def test_an_unknown_fault_is_refused_with_what_is_known() -> None:
    """The message lists every fault; no word means all of them."""
    with pytest.raises(DiversiteError, match="primary-killed"):
        chosen(["meteor"])
    assert len(chosen([])) == len(FAULTS)


def test_a_slower_recovery_than_predicted_fails() -> None:
    """The class alone does not pass a drill, and a violation never does."""
    assert report(recovery_seconds=9.0).passed
    assert not report(recovery_seconds=60.0).passed
    assert not report(violations=("x was carried out 2 times",)).passed
    assert "x was carried out 2 times" in told(report(violations=("x was carried out 2 times",)))


def test_a_fault_that_did_not_bite_fails() -> None:
    """If a host ran on, that nothing was lost shows nothing; nor does a fault of which there is no sign."""
    unharmed = report(evidence=(Evidence(what="store-x: 9 processes ran, 9 run", bit=False),))
    assert not unharmed.passed
    assert "did not bite: store-x: 9 processes ran, 9 run" in told(unharmed)
    assert not report(evidence=()).passed
    assert "nothing shows that it bit" in told(report(evidence=()))


def test_repetitions_are_a_row_for_each_fault(tmp_path: Path) -> None:
    """Silences are spread over those that ended before the healing; what was wrong is counted, not averaged away."""
    silences = [1.0, 2.0, 4.0, None]
    reports = [replace(report(), recovery_seconds=seconds, whole_seconds=2.5) for seconds in silences]
    bad = replace(reports[0], fault="all-off", violations=("x was carried out 2 times",), evidence=())
    write(tmp_path, [*reports, bad])
    _, _, first, second = (tmp_path / "repetitions.md").read_text().splitlines()
    assert [cell.strip() for cell in first.split("|")[2:9]] == ["4", "4", "10.0", "2.0", "4.0", "4.0", "2.5"]
    assert [cell.strip() for cell in second.split("|")[2:4]] == ["1", "0"]
    assert second.endswith("| 1 |")
    assert len(json.loads((tmp_path / "reports.json").read_text())) == 5


def at(seconds: float) -> Line:
    """A confirmed order whose answer came then."""
    return replace(confirmed("a", 1, 0), settled_seconds=seconds)


def report(**more: object) -> Report:
    """A report of a fault that went as predicted."""
    foretold = Kept(name="engine perp", outcome="continues", reason="", recovery=Seconds(0.0, 10.0))
    bit = (Evidence(what="store-x: 9 processes ran, 0 run", bit=True),)
    given = {"recovery_seconds": 9.0, "resume_seconds": 0.1, "whole_seconds": 3.0, "evidence": bit, "violations": ()}
    return Report(
        fault="primary-killed",
        struck=("store-x",),
        predicted=foretold,
        outcome="continues",
        sent=10,
        acknowledged=10,
        **{**given, **more},  # type: ignore[arg-type]  # fields of a report
    )
