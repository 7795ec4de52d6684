"""A course of drills: every fault so often, each repetition with its seed, all of it written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from diversite.outcome import Outcome
from diversite.plan import Plan
from drills import calibration, chaos, results
from drills.drill import Drill, Phases, Report, calm_of
from drills.faults import Fault
from drills.observer import Observer


@dataclass(frozen=True, kw_only=True)
class Course:
    """What is to be drilled; the lab runs."""

    stack: str
    """The topology's name, by which the repetition is had again."""
    lab: str
    plan: Plan
    faults: tuple[Fault, ...]
    phases: Phases
    repeat: int = 1
    seed: int = 7
    """Of the first repetition; each next has one more."""
    voids_max: int = 2
    """How often a repetition is repeated whose lab was not true to the plan, or whose machine has become slower."""

    def repetitions(self) -> Iterator[tuple[Fault, int]]:
        """Each fault with its seed, all faults once before any comes again."""
        for number in range(self.repeat):
            for fault in self.faults:
                yield fault, self.seed + number


def begin(course: Course) -> Path:
    """Make the folder of a run."""
    return results.begin(course.stack, course.seed, _arguments(course))


def calibrated(course: Course, directory: Path) -> Course:
    """The same course for a model that knows how fast the nodes of this lab are; their calm orders are kept."""
    with Observer(course.lab, course.plan) as observer:
        drill = Drill(course.lab, course.plan, observer, course.phases)
        drill.await_whole()
        lines = drill.calm(course.seed, directory / "calm.jsonl")
    plan = replace(course.plan, processing=calibration.processing(course.plan, lines))
    results.write(directory / "calibration.json", plan.processing)
    return replace(course, plan=plan, faults=tuple(fault.of(plan) for fault in course.faults))


def run(course: Course, directory: Path, on_report: Callable[[Report], None]) -> list[Report]:
    """Write down what is predicted, then drill every repetition; each is reported, and written down, as it ends.

    A void one is reported, kept and repeated, at most `voids_max` times.
    """
    reports: list[Report] = []
    predicted = _predicted(course)
    results.predictions(directory, predicted)
    with Observer(course.lab, course.plan) as observer:
        drill = Drill(course.lab, course.plan, observer, course.phases)
        for fault, seed in course.repetitions():
            for _ in range(1 + course.voids_max):
                at = directory / f"{len(reports) + 1:03}-{_as_file_name(fault.name)}"
                reports.append(_repetition(course, drill, fault, predicted[fault.name], seed, at))
                on_report(reports[-1])
                results.summaries(directory, reports, calm_of(course.plan))
                if not reports[-1].is_void:
                    break
    return reports


def passed(reports: Iterable[Report]) -> bool:
    """Whether every repetition that says something went as predicted, and there is one of each fault.

    Safety is asked of void ones too: no machine is so busy that an order is lost, doubled or overtaken.
    """
    told = list(reports)
    faults = {report.fault for report in told if not report.is_void}
    safe = all(report.measured.is_safe for report in told)
    return safe and faults == {it.fault for it in told} and all(it.passed for it in told if not it.is_void)


def _repetition(  # noqa: PLR0913, PLR0917  one repetition's whole surroundings
    course: Course, drill: Drill, fault: Fault, predicted: Outcome, seed: int, at: Path
) -> Report:
    at.mkdir()
    told = results.of_outcome(predicted)
    experiment = chaos.experiment(course.stack, fault.name, seed, course.phases, told)
    results.write(at / "experiment.json", experiment)
    drill.await_whole()
    try:
        report = drill.run(fault, predicted, seed, at)
    finally:
        results.keep_logs(course.lab, at / "logs")
    results.write(at / "report.json", results.of_report(report))
    results.write(at / "journal.json", chaos.journal(experiment, report, results.Events(at / "events.jsonl").read()))
    return report


def _predicted(course: Course) -> Mapping[str, Outcome]:
    return {fault.name: fault.predicted() for fault in course.faults}


def _arguments(course: Course) -> Mapping[str, object]:
    names = [fault.name for fault in course.faults]
    return {"faults": names, "repeat": course.repeat, "phases": course.phases}


def _as_file_name(text: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in text)
