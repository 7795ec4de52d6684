"""`docs/drills.md`, made from the folders of runs: python -m drills.page drills/results/RUN… > docs/drills.md

Folders of a course of faults, of `--planted` and of `--warnings` may be given in any order; each makes its part.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from drills import comparison, drill, faults
from drills.faults import carriage, clocks, disks, links, processes, sites
from drills.planted.known import VARIANTS

HEAD = """# Drills

A drill breaks a running lab on purpose and compares what happens with what was predicted, in writing, before. It is the
only thing that turns "survives the loss of a grid" from a claim into a measurement.

    diversite drill STACK [FAULT…] [--repeat N] [--seed S] [--hold SECONDS] [--keep]
    diversite drill STACK --warnings             is somebody called before it fails?
    diversite drill STACK --planted all          do the drills catch what is wrong?
    make drill REPEAT=30
    make drill-ci                                one repetition of six faults on four sites, under six minutes

All nodes of a lab share a few cores, so first of all clients send orders for 28 s while nothing is broken, and what a
block takes beside its wires is solved from their waiting (`drills/calibration.py`): the one figure of the model that is
the machine's and not the venue's. Then each fault goes the same way: the prediction is written down; clients send
orders at a constant rate to every entrance;
the fault is injected on everything in its domain at once, and asserts that it bit; it is healed; everything must come
together again within a bound; then the books of every engine and the blocks of every validator are compared at every
height, and every acknowledged order is looked for in the chain of a survivor and of one that was struck. The chain is
carried out again from genesis, too: hashes, acknowledged orders and the books that engines serve must follow from the
blocks alone. Which entrances serve, and which way traffic takes instead, are held against the prediction as well. The
exit code is 1 where a prediction was wrong, a fault did nothing, or an order was lost, executed twice or placed before
one that was acknowledged earlier.

A recovery time is from the instant at which the fault was whole to the first acknowledgement of an order that was meant
to be sent after it. The longest gap is between acknowledgements. Percentiles count from the time at which an order was
meant to be sent, over the orders of entrances that still serve, once routes no longer move: they are of the degraded
venue, not of its way there. "Resumes" is from the start of healing to the next block, "whole" to the moment when every
engine could acknowledge and all books were equal. "Noticed" is from the fault to the first moment at which the
condition of an alert held, by the word of a monitor that still watches; a fault of hosts that lasts 18 s must be
noticed.

Round trips of the links that a fault leaves alone, and how busy the machine is, are sampled all the while. Where a link
was not the planned one, or clients waited a quarter longer before the fault than when the nodes' pace was measured, the
repetition is void: it is kept, repeated, and counted.

`remove` needs an operator: a stack file lists operators' public keys (`operators`), and `--operator FILE` names the
private half of one, base64 of its 32 bytes. `diversite drill` runs it in a lab; the transaction is the venue's own.
"""


def page(runs: Sequence[Path]) -> str:
    """The page, with the results of these runs."""
    parts = [part for run in runs for part in _part(run)]
    return "\n".join([HEAD, *_faults(), "", *parts, ""])


def main() -> int:
    """Print the page of the runs that are named."""
    parser = argparse.ArgumentParser(prog="python -m drills.page", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="run", help="a folder of drills/results/")
    sys.stdout.write(page(parser.parse_args().runs))
    return 0


def _part(run: Path) -> Iterator[str]:
    if (run / "planted.json").exists():
        yield from _planted(run)
    elif (run / "warnings.json").exists():
        yield from _warnings(run)
    else:
        yield from _results(run)
    yield ""


def _planted(run: Path) -> Iterator[str]:
    """Who caught which mistake."""
    found: Mapping[str, Any] = _read(run / "planted.json")
    yield f"## Planted mistakes, {run.name}\n"
    yield "Wrong variants of what runs, planted on purpose (`drills/planted/`); figures of time alone catch nobody.\n"
    yield "| mistake | what is wrong | caught by | after | because |"
    yield "| --- | --- | --- | --- | --- |"
    for name, caught in found.items():
        wrong = VARIANTS[name].wrong
        told = f"`{caught['fault']}` | {caught['repetitions']} | {caught['signs'][0]}" if caught else "**nobody** | | "
        yield f"| `{name}` | {wrong} | {told} |"
    yield ""
    yield _where(_read(run / "versions.json"))


def _warnings(run: Path) -> Iterator[str]:
    """How early somebody was called."""
    yield f"## Early warning, {run.name}\n"
    yield "Seconds from the beginning of each degradation; the lead is from the alert's firing to the failure.\n"
    yield "| what becomes worse | where | alert | fired | failed | lead |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for each in _read(run / "warnings.json"):
        fired, failed = each["fired_seconds"], each["failed_seconds"]
        lead = "-" if None in (fired, failed) else f"{failed - fired:.0f}"
        times = " | ".join("-" if time is None else f"{time:.0f}" for time in (fired, failed))
        yield f"| {each['word']} | {each['where']} | `{each['alert']}` | {times} | {lead} |"
    yield ""
    yield _where(_read(run / "versions.json"))


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _faults() -> Iterator[str]:
    yield "## Faults\n"
    yield "| word | what it does |"
    yield "| --- | --- |"
    for word, kind in faults.FAULTS.items():
        yield f"| `{word}` | {' '.join((inspect.getdoc(kind) or '').split())} |"
    yield ""
    yield "A fault is `word:kind:name`, such as `power-off:site:par` or `slow:link:par-nbg`, several domains at once"
    yield "joined by `+`; `diversite whatif --list` names every domain that can be struck."
    lost, garbled = _percent(carriage.LOSS_PER_MILLION), _percent(carriage.GARBLED_PER_MILLION)
    yield f"A slow link takes {carriage.SLOWER_MS} ms more; a lossy one loses {lost} each way;"
    yield f"others garble {garbled}; a flapping one changes every {links.FLAP_SECONDS:g} s."
    yield f"A slow disk takes {disks.WRITES_PER_SECOND} writes a second; a clock is {clocks.STEP_SECONDS:g} s off"
    yield f"or drifts {clocks.DRIFT_SECONDS_PER_SECOND:g} s a second; a peak is {sites.PEAK:g} times the usual load;"
    yield f"an outage lasts at least {processes.Outage.hold_seconds_min:g} s."
    yield f"Percentiles leave out orders sent within {comparison.SETTLING_SECONDS:g} s before the heal."


def _calm(reports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How the venue did with nothing broken, on the same machine: what is off here is off below any fault."""
    calm = [report["calm_ms"] for report in reports if None not in report["calm_ms"]]
    for place, name in enumerate(("p50", "p99") if calm else ()):
        figures = [each[place] for each in calm]
        yield f"Before the faults, measured: {name} {min(figures):.0f} to {max(figures):.0f} ms."
    first, more = (sum(report["calm_rounds"][place] for report in reports) for place in (0, 1))
    yield f"Before the faults {first + more} heights were committed, {more} of them not in their first round."


def _without_pictures(summary: str) -> str:
    """They are beside the summary, not beside the page."""
    return "\n".join(line for line in summary.splitlines() if not line.startswith("![")).rstrip()


def _percent(per_million: int) -> str:
    return f"{per_million / 10_000:g} %"


def _results(run: Path) -> Iterator[str]:
    known: Mapping[str, Any] = json.loads((run / "versions.json").read_text(encoding="utf-8"))
    arguments, phases = known["arguments"], known["arguments"]["phases"]
    yield f"## The run {run.name}\n"
    if (run / "repetitions.md").exists():
        yield (run / "repetitions.md").read_text(encoding="utf-8").rstrip()
    else:
        yield "Measured, and predicted in brackets; a figure in bold was not as predicted.\n"
        yield _without_pictures((run / "summary.md").read_text(encoding="utf-8"))
    yield ""
    yield from _calm(json.loads((run / "summary.json").read_text(encoding="utf-8")))
    yield (
        f"Seed {known['seed']}, each fault {arguments['repeat']} times, {phases['rate']:g} orders a second, "
        f"{phases['hold_seconds']:g} s a fault; at most {drill.Phases().converge_seconds_max:g} s until whole."
    )
    yield _where(known)


def _where(known: Mapping[str, Any]) -> str:
    told = ", ".join(f"{name} {version}" for name, version in known["programs"].items())
    return f"On {known['cores']} cores, kernel {known['kernel']}, Python {known['python']}; {told}; {known['commit']}."


if __name__ == "__main__":
    sys.exit(main())
