"""Drills a variant until it is caught, or until it has escaped so often that the drills prove nothing about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from diversite.errors import NotWholeError
from drills import course
from drills.course import Course
from drills.drill import Report
from drills.faults import parse
from drills.planted.known import Variant

TIMES = frozenset({"rto_seconds", "gap_seconds", "p50_ms", "p99_ms", "resume_seconds"})
"""Figures that a busy machine may make wrong: none of them alone catches anybody."""


@dataclass(frozen=True, kw_only=True)
class Caught:
    """How a variant was caught."""

    variant: str
    fault: str
    repetitions: int
    """Of this fault, the one that caught it included."""
    signs: tuple[str, ...]
    """What was not as it must be."""


def hunt(variant: Variant, planned: Course, on_report: Callable[[Report], None]) -> Caught | None:
    """Plant a variant in a running lab, drill the faults that are to catch it, and tell which did; None: it escaped."""
    faults = tuple(parse(text, planned.lab, planned.plan) for text in variant.faults(planned.plan))
    with variant.planted(planned.lab, planned.plan):
        for number in range(1, planned.repeat + 1):
            for fault in faults:
                once = replace(planned, faults=(fault,), repeat=1, seed=planned.seed + number - 1)
                if signs := _signs(once, on_report):
                    return Caught(variant=variant.name, fault=fault.name, repetitions=number, signs=signs)
    return None


def signs_of(report: Report) -> tuple[str, ...]:
    """What is wrong in a report, figures of time aside."""
    found = [it for it in report.findings if not it.is_true and it.name not in TIMES]
    told = [f"{it.name} {it.measured}, not {it.predicted}" for it in found]
    return (*told, *(f"did not bite: {it.what}" for it in report.evidence if not it.bit))


def _signs(once: Course, on_report: Callable[[Report], None]) -> tuple[str, ...]:
    directory: Path = course.begin(once)
    try:
        reports = course.run(once, directory, on_report)
    except NotWholeError as error:  # any other failure says nothing of the variant, and ends the hunt
        return (f"the venue did not come together: {str(error).partition('.')[0]}",)
    return signs_of(reports[-1])
