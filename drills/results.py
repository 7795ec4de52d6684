"""The folder of a run: what was predicted, before anything was broken; then every order, every event, and the journal.

drills/results/<time>-<stack>/      git-ignored
    versions.json                   what ran where
    calm.jsonl, calibration.json    what became of orders before anything was broken; how fast the nodes are by that
    predictions.json                of every fault, written before the first is injected
    summary.md, summary.json        predicted against measured
    repetitions.md                  how the figures of repeated faults are spread
    latency.svg, recovery.svg       the same as pictures, where matplotlib is there
    planted.json, warnings.json     of `--planted`: who caught what; of `--warnings`: how early somebody was called
    <number>-<fault>/
        experiment.json             in the Chaos Toolkit's format; its method replays this repetition
        journal.json                the same after it was run
        prediction.json, report.json
        orders.jsonl                what became of every order
        events.jsonl                when what happened, in monotonic seconds
        logs/<host>/<service>       the newest log of every service
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diversite.domains import Domain
from diversite.outcome import Outcome
from drills import repetitions
from drills.comparison import Finding, told
from lab import commands, world

if TYPE_CHECKING:
    from drills.drill import Report

RESULTS = Path(__file__).resolve().parent / "results"
PROGRAMS = {"cometbft": ["cometbft", "version"], "bird": ["bird", "--version"], "haproxy": ["haproxy", "-v"]}
PACKAGES = ("aiohttp", "grpcio", "protobuf", "pulumi")


class Events:
    """A log of what happened when, one JSON object a line, written as it happens."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def record(self, event: str, **details: Any) -> None:
        """Add an event: the monotonic clock compares with the order log, the other is for people."""
        line = {"monotonic_seconds": time.monotonic(), "utc": utc_now(), "event": event, **details}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def read(self) -> list[dict[str, Any]]:
        """Every event so far."""
        return [json.loads(line) for line in self._path.read_text(encoding="utf-8").splitlines()]


def begin(stack: str, seed: int, arguments: Mapping[str, Any]) -> Path:
    """Make the folder of a run, and write what runs there."""
    name = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}-{stack}"
    directory = RESULTS / name
    directory.mkdir(parents=True)
    write(directory / "versions.json", {"seed": seed, "arguments": dict(arguments), **versions()})
    return directory


def write(path: Path, document: Any) -> None:
    """Write a JSON document."""
    path.write_text(json.dumps(plain(document), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def predictions(directory: Path, predicted: Mapping[str, Outcome]) -> None:
    """Write down what is predicted, before anything is broken."""
    told = {name: {"predicted_at": utc_now(), **of_outcome(outcome)} for name, outcome in predicted.items()}
    write(directory / "predictions.json", told)


def of_outcome(outcome: Outcome) -> dict[str, Any]:
    """An outcome with its figures, their sources, and the reason."""
    return {
        "outcome": outcome.outcome,
        "consensus": outcome.consensus,
        "reason": outcome.reason,
        "figures": [asdict(row) for row in outcome.rows()],
        "terms": plain(outcome.recovery.terms) if outcome.recovery else [],
        "actions": list(outcome.actions),
    }


def of_report(report: Report) -> dict[str, Any]:
    """A report; the prediction by its figures."""
    found: dict[str, Any] = plain(report)
    return found | {"predicted": of_outcome(report.predicted), "bit": report.bit, "passed": report.passed}


def keep_logs(lab: str, directory: Path) -> None:
    """Copy the newest log of every service."""
    hosts = world.require(lab).layout.hosts
    for current in hosts.glob("*/log/*/current"):
        service, host = current.parent.name, current.parents[2].name
        (directory / host).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(current, directory / host / service)


def summaries(directory: Path, reports: Sequence[Report], calm: Outcome) -> None:
    """Write what is known so far, for people and for programs."""
    (directory / "summary.md").write_text(summary(reports, calm), encoding="utf-8")
    if repeated := list(repetitions.table(reports)):
        (directory / "repetitions.md").write_text("\n".join([*repeated, ""]), encoding="utf-8")
    write(directory / "summary.json", [of_report(report) for report in reports])


def show(directory: Path, pictures: Iterable[Path]) -> None:
    """Put pictures of a run under its summary."""
    with (directory / "summary.md").open("a", encoding="utf-8") as file:
        file.write("\n" + "\n".join(f"![{picture.stem}]({picture.name})" for picture in pictures) + "\n")


def summary(reports: Sequence[Report], calm: Outcome) -> str:
    """The run as a Markdown table: what was measured, below it what was predicted."""
    columns = ("fault", "outcome", "noticed, s", "longest gap, s", "recovery, s", "p50, ms", "p99, ms", "resumes, s")
    more = ("whole, s", "acknowledged", "lost", "twice", "reordered", "books equal", "replayed", "bit", "true")
    lines = [_cells((*columns, *more)), _cells(("---",) * len(columns + more))]
    lines += [_cells(_summed(report)) for report in reports]
    figures = ", ".join(f"{row.name} {row.low:.2f} to {row.high:.2f}" for row in calm.rows())
    parts = [
        *lines,
        "",
        f"Nothing broken, predicted: {figures}.",
        "",
        *repetitions.table(reports),
        *_remarks(reports),
        "",
    ]
    return "\n".join(parts)


def plain(value: Any) -> Any:
    """The same as JSON has it."""
    if isinstance(value, Domain):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(plain, value))
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def versions() -> dict[str, Any]:
    """What ran where: programs, packages, kernel, cores, and this checkout's commit."""
    return {
        "programs": {name: _number(_first_line(command)) for name, command in PROGRAMS.items()},
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "commit": _first_line(["git", "-C", str(RESULTS.parent), "describe", "--always", "--dirty"]),
    }


def utc_now() -> str:
    """The moment, for people."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def _first_line(command: Sequence[str]) -> str:
    try:
        ended = commands.attempt(command)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    if ended.returncode:
        return "unknown"
    said = (ended.stdout or ended.stderr).strip()
    return said.splitlines()[0] if said else "unknown"


def _number(said: str) -> str:
    found = re.search(r"\d+(\.\d+)+", said)
    return found.group() if found else said


def _summed(report: Report) -> tuple[str, ...]:
    found = {finding.name: finding for finding in report.findings}
    names = ("outcome", "detected_seconds", "gap_seconds", "rto_seconds", "p50_ms", "p99_ms", "resume_seconds")
    measured = report.measured
    cells = [_told(found[name]) if name in found else told(name, getattr(measured, name)) for name in names]
    whole = measured.heal_seconds
    counts = (measured.acknowledged, measured.orders_lost, measured.orders_duplicated, measured.orders_reordered)
    replayed = "**differs**" if report.safety.unlike_replay else str(report.safety.replayed or "-")
    return (
        f"`{report.fault}`",
        *cells,
        "never" if whole is None else f"{whole:.1f}",
        *map(str, counts),
        "no" if report.safety.forks else "yes",
        replayed,
        "yes" if report.bit else "**no**",
        "void" if report.is_void else "yes" if report.passed else "**no**",
    )


def _told(finding: Finding) -> str:
    measured = finding.measured if finding.is_true else f"**{finding.measured}**"
    return f"{measured} ({finding.predicted})".replace("_", " ")


def _cells(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _remarks(reports: Iterable[Report]) -> Iterable[str]:
    for report in reports:
        yield from (
            f"- `{report.fault}`: void: {it.a} - {it.b} took {it.observed_ms:.1f} ms, planned {it.planned_ms:.1f} ms."
            for it in report.untrue_pairs
        )
        yield from (
            f"- `{report.fault}`: void: link {it.link} took {it.observed_ms:.1f} ms, planned {it.planned_ms:.1f} ms."
            for it in report.fidelity.untrue
        )
        if report.is_slow:
            yield (
                f"- `{report.fault}`: void: orders took {report.calm_ms[0]:.0f} ms before the fault, "
                f"{report.calm_ms_max:.0f} ms at most while the machine is what it was."
            )
        if report.pressure.is_high:
            yield (
                f"- `{report.fault}`: something waited for a core {report.pressure.share:.0%} of the time, "
                "so its times are pessimistic."
            )
        yield from (f"- `{report.fault}` did not bite: {it.what}." for it in report.evidence if not it.bit)
        yield from (f"- `{report.fault}`: {fork}." for fork in report.safety.forks)
        yield from (f"- `{report.fault}`: {wrong}." for wrong in report.safety.unlike_replay)
        yield from (
            f"- `{report.fault}`: {it.name}: {it.measured}, not {it.predicted}."
            for it in report.findings
            if it.name in ("entrances", "reroutes", "noticed") and not it.is_true
        )
        yield from (f"- `{report.fault}`: acknowledged and missing: {key}." for key in report.safety.missing)
