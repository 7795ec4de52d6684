"""One fault in a running lab: predicted, injected under load, measured, healed, and checked.

`Drill.run` does all of it for one fault and returns a `Report`; it prints nothing. Who calls it brings the lab up.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from diversite.errors import LabError
from diversite.outcome import Outcome, predict
from diversite.plan import Host, Plan
from drills import load, safety
from drills.comparison import Finding, Instants, Measured, Safety, compare, measure
from drills.faults import Evidence, Fault
from drills.observer import Observer
from drills.pressure import Pressure
from drills.rehearsal import Pair, Rehearsal
from drills.results import Events
from lab.world import wait_until

POLL_SECONDS = 0.05
STARTED_SECONDS_MAX = 30.0
PINGS = 25
"""How many round trips of each pair of sites are measured, before clients begin: on few cores it disturbs them."""
BEHIND_HEIGHTS_MAX = 2
"""An engine that is further behind than blocks are on their way is not at the head."""
ORDER_SECONDS_MAX = load.Load(entrances=(), rate=1, seconds=1).order_seconds_max
"""How long the last orders may stay open after the load is sent."""


@dataclass(frozen=True, kw_only=True)
class Phases:
    """How long each part of a drill lasts, and under which load."""

    rate: float = 20
    """Orders a second over all entrances."""
    calm_seconds: float = 6
    hold_seconds: float = 15
    back_seconds: float = 5
    """How long clients go on after the heal began, at least."""
    converge_seconds_max: float = 90
    """From the heal until everything must be whole again."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a fault did, beside what was said before."""

    fault: str
    seed: int
    predicted: Outcome
    measured: Measured
    findings: tuple[Finding, ...]
    evidence: tuple[Evidence, ...]
    safety: Safety
    calm_ms: tuple[float | None, float | None]
    """p50 and p99 before the fault."""
    pressure: Pressure
    untrue_pairs: tuple[Pair, ...] = ()
    """Sites whose round trip was not the planned one before clients began: the lab was not the venue then."""

    @property
    def is_void(self) -> bool:
        """Whether the repetition says nothing, because the lab was not true to the plan."""
        return bool(self.untrue_pairs)

    @property
    def bit(self) -> bool:
        """Whether the fault did what it was to do, by its own evidence."""
        return bool(self.evidence) and all(it.bit for it in self.evidence)

    @property
    def passed(self) -> bool:
        """Whether the prediction was true of a fault that bit."""
        return self.bit and all(finding.is_true for finding in self.findings)


class Drill:
    """A lab under observation, to be broken fault by fault."""

    def __init__(self, lab: str, plan: Plan, observer: Observer, phases: Phases) -> None:
        self._plan = plan
        self._observer = observer
        self._rehearsal = Rehearsal(lab, plan, observer)
        self._phases = phases

    def await_whole(self) -> None:
        """Wait until every engine commits blocks and every entrance answers; LabError where they do not."""
        self._rehearsal.await_blocks(self._phases.converge_seconds_max)

    def run(self, fault: Fault, predicted: Outcome, seed: int, directory: Path) -> Report:
        """Break, measure, heal and check; the order log and the events are written to `directory` as they come."""
        events, phases, log = Events(directory / "events.jsonl"), self._phases, directory / "orders.jsonl"
        untrue = self._untrue_pairs(events)
        first, pressure = self._head(), Pressure.now()
        clients = self._rehearsal.start_load(phases.rate, self._load_seconds, seed, log)
        try:
            events.record("load started", rate=phases.rate, seconds=self._load_seconds, seed=seed, height=first)
            wait_until(lambda: log.exists() and log.stat().st_size > 0, STARTED_SECONDS_MAX, POLL_SECONDS)
            time.sleep(phases.calm_seconds)
            instants, evidence = self._strike(fault, events)
            self._await_load(clients, log)
        finally:
            clients.kill()
        lines = load.read(log)
        found = self._check(fault, lines, first, events)
        report = self._report(fault, predicted, seed, lines, instants, evidence, found, pressure.since())
        return replace(report, untrue_pairs=untrue)

    def _await_load(self, clients: subprocess.Popen[str], log: Path) -> None:
        """Wait until every order has its fate, by the log: what entered the lab for the clients may outlive them."""
        expected = round(self._phases.rate * self._load_seconds)
        seconds_max = self._load_seconds + STARTED_SECONDS_MAX + ORDER_SECONDS_MAX

        def settled() -> bool:
            return clients.poll() is not None or len(log.read_bytes().splitlines()) >= expected

        if not wait_until(settled, seconds_max, 10 * POLL_SECONDS):
            raise LabError(f"clients in the lab did not end within {seconds_max:.0f} s; {log} has what they wrote")

    def _untrue_pairs(self, events: Events) -> tuple[Pair, ...]:
        pairs = self._rehearsal.round_trips(PINGS)
        worst = max(pairs, key=lambda pair: abs(pair.observed_ms - pair.planned_ms))
        events.record("round trips", worst=[worst.a, worst.b], planned=worst.planned_ms, observed=worst.observed_ms)
        return tuple(pair for pair in pairs if not pair.is_true)

    def _strike(self, fault: Fault, events: Events) -> tuple[Instants, tuple[Evidence, ...]]:
        head = self._head()
        events.record("breaking", fault=fault.name, height=head)
        broken = fault.inject()
        events.record("broken", at=broken)
        try:
            time.sleep(max(0.0, broken + self._phases.hold_seconds - time.monotonic()))
            evidence = tuple(fault.evidence())
            events.record("evidence", signs=[{"what": it.what, "bit": it.bit} for it in evidence])
        finally:
            height = max(head, self._head())
            healed = fault.heal()
        events.record("healing began", at=healed, height=height)
        resumed = self._await(lambda: self._head() > height)
        events.record("resumed", at=resumed)
        converged = self._await(self._is_whole)
        events.record("converged", at=converged)
        return Instants(broken=broken, healed=healed, resumed=resumed, converged=converged), evidence

    def _check(self, fault: Fault, lines: Sequence[load.Line], first: int, events: Events) -> Safety:
        head = self._head()
        if self._await(lambda: self._has_reached(head)) is None:
            head = min(height or first for height in self._heights())
        found = safety.check(self._observer, self._plan, lines, range(first, head + 1), self._witnesses(fault))
        events.record("checked", heights=found.heights, forks=found.forks, missing=found.missing)
        return found

    def _report(  # noqa: PLR0913, PLR0917  all that a report is made of
        self,
        fault: Fault,
        predicted: Outcome,
        seed: int,
        lines: Sequence[load.Line],
        instants: Instants,
        evidence: tuple[Evidence, ...],
        found: Safety,
        pressure: Pressure,
    ) -> Report:
        entrances = list(self._plan.accesses)
        serving = {number for number, name in enumerate(entrances) if predicted.entrances[name].serves}
        measured = measure(lines, instants, found, serving, len(entrances))
        calm = load.summary([line for line in lines if line.settled_seconds < instants.broken])
        return Report(
            fault=fault.name,
            seed=seed,
            predicted=predicted,
            measured=measured,
            findings=compare(predicted, measured),
            evidence=evidence,
            safety=found,
            calm_ms=(calm["p50_ms"], calm["p99_ms"]),
            pressure=pressure,
        )

    @property
    def _load_seconds(self) -> float:
        return self._phases.calm_seconds + self._phases.hold_seconds + self._phases.back_seconds

    def _head(self) -> int:
        return max((height for height in self._heights() if height is not None), default=0)

    def _is_whole(self) -> bool:
        """Every engine could acknowledge and is at the head, and at one and the same height all books are equal."""
        heights = self._heights()
        if None in heights or not all(self._observer.ready(self._plan.of_role("engine")).values()):
            return False
        known = [height for height in heights if height is not None]
        hashes = self._observer.hashes(min(known)).values()
        return max(known) - min(known) <= BEHIND_HEIGHTS_MAX and None not in hashes and len(set(hashes)) == 1

    def _has_reached(self, head: int) -> bool:
        return all(height is not None and height >= head for height in self._heights())

    def _heights(self) -> list[int | None]:
        return [status["height"] if status else None for status in self._observer.statuses().values()]

    def _await(self, condition: Callable[[], bool]) -> float | None:
        """The instant at which a condition held; None if it did not within the bound."""
        held = wait_until(condition, self._phases.converge_seconds_max, POLL_SECONDS)
        return time.monotonic() if held else None

    def _witnesses(self, fault: Fault) -> list[Host]:
        """A validator that stayed, and one that was struck: each has a chain of its own."""
        struck = {host.name for host in fault.hosts}
        validators = self._plan.of_role("validator")
        stayed = [host for host in validators if host.name not in struck]
        return [*stayed[:1], *[host for host in validators if host.name in struck][:1]]


def calm_of(plan: Plan) -> Outcome:
    """What the model says of a venue in which nothing is broken."""
    return predict(plan, [])
