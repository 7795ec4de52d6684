"""A repetition as the Chaos Toolkit has it: an experiment that replays it, and the journal of what it did.

The shape is that of the Open Chaos experiment specification (chaostoolkit.org, reference/api): a hypothesis asked
before and after, a method, rollbacks; a journal repeats the experiment with every activity's status, start and end.
The method is one process, `diversite drill`, which breaks, measures and heals; so there is nothing to roll back, and
the journal's activities tell its steps.
"""

from __future__ import annotations

import datetime
import platform
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drills.drill import Phases, Report

STEPS = ("breaking", "broken", "evidence", "healing began", "resumed", "converged", "checked")
"""Events that a journal tells, each with what it found."""


def experiment(stack: str, fault: str, seed: int, phases: Phases, prediction: Mapping[str, Any]) -> dict[str, Any]:
    """The experiment that breaks one thing once, with its prediction as the hypothesis in words."""
    return {
        "version": "1.0.0",
        "title": f"{fault} in {stack}",
        "description": f"Predicted: {prediction['outcome']}. {prediction['reason']}.",
        "tags": ["diversite", fault.partition(":")[0]],
        "configuration": {"stack": stack, "fault": fault, "seed": str(seed)},
        "steady-state-hypothesis": {
            "title": "The lab runs and every service is up",
            "probes": [_process("probe", "lab-status", ["lab", "status", stack]) | {"tolerance": 0}],
        },
        "method": [_process("action", "drill", _arguments(stack, fault, seed, phases))],
        "rollbacks": [],
        "extensions": [{"name": "diversite", "prediction": dict(prediction)}],
    }


def journal(planned: Mapping[str, Any], report: Report, events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the experiment did: `deviated` is true where the prediction was wrong, or the fault did not bite."""
    start, end = str(events[0]["utc"]), str(events[-1]["utc"])
    state = planned["steady-state-hypothesis"]["probes"][0]
    whole = report.measured.heal_seconds is not None
    return {
        "chaoslib-version": "1.44.0",
        "platform": platform.platform(),
        "node": "lab",
        "experiment": dict(planned),
        "start": start,
        "end": end,
        "duration": _seconds(start, end),
        "status": "completed" if report.passed else "failed",
        "deviated": not report.passed,
        "steady_states": {
            "before": {"steady_state_met": True, "probes": [_ran(state, events[0], events[0], None)]},
            "after": {"steady_state_met": whole, "probes": [_ran(state, events[-1], events[-1], None)]},
            "during": [],
        },
        "run": [_ran(planned["method"][0], events[0], events[-1], _steps(events))],
        "rollbacks": [],
    }


def _arguments(stack: str, fault: str, seed: int, phases: Phases) -> list[str]:
    return ["drill", stack, fault, "--seed", str(seed), "--hold", f"{phases.hold_seconds:g}", "--keep"]


def _process(kind: str, name: str, arguments: Sequence[str]) -> dict[str, Any]:
    provider = {"type": "process", "path": "diversite", "arguments": " ".join(arguments)}
    return {"type": kind, "name": name, "provider": provider}


def _ran(activity: Mapping[str, Any], first: Mapping[str, Any], last: Mapping[str, Any], output: Any) -> dict[str, Any]:
    start, end = str(first["utc"]), str(last["utc"])
    return {
        "activity": dict(activity),
        "status": "succeeded",
        "output": output,
        "start": start,
        "end": end,
        "duration": _seconds(start, end),
    }


def _steps(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [dict(event) for event in events if event["event"] in STEPS]


def _seconds(start: str, end: str) -> float:
    return (datetime.datetime.fromisoformat(end) - datetime.datetime.fromisoformat(start)).total_seconds()
