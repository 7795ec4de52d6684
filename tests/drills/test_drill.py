"""Drills in a real lab of four sites: a validator and a link are lost, and every acknowledged order is there after."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drills import course
from drills.course import Course
from drills.drill import Phases, Report
from drills.faults import parse
from drills.rehearsal import Rehearsal
from tests.end_to_end.conftest import FOUR, LAB, checkout, rehearsal, venue

pytestmark = pytest.mark.lab

__all__ = ["checkout", "rehearsal", "venue"]

SHORT = Phases(calm_seconds=4, hold_seconds=6, back_seconds=3)
TIMES = {"rto_seconds", "gap_seconds", "p50_ms", "p99_ms", "resume_seconds"}
"""What a machine that does other things at the same time may make longer; the tests hold what it must not change."""


def test_a_killed_validator_and_a_cut_link_lose_nothing(
    rehearsal: Rehearsal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fault bites, the venue goes on, no acknowledged order is lost, and all of it is written down."""
    monkeypatch.setattr("drills.results.RESULTS", tmp_path)
    faults = tuple(parse(text, LAB, rehearsal.plan) for text in ("kill:host:validator-par", "cut:link:par-nbg"))
    planned = Course(stack=FOUR, lab=LAB, plan=rehearsal.plan, faults=faults, phases=SHORT)
    directory = course.begin(planned)
    assert json.loads((directory / "predictions.json").read_text()).keys() == {fault.name for fault in faults}
    reports = course.run(planned, directory, lambda _: None)
    for report in reports:
        assert report.bit, report.evidence
        assert _wrong(report) == []
        assert report.measured.acknowledged > 0
        assert report.safety.heights > 0
    journals = [json.loads(path.read_text()) for path in sorted(directory.glob("*/journal.json"))]
    assert [journal["deviated"] for journal in journals] == [not report.passed for report in reports]


def _wrong(report: Report) -> list[str]:
    """The findings that are not true, times aside."""
    return [finding.name for finding in report.findings if not finding.is_true and finding.name not in TIMES]
