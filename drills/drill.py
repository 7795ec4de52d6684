"""One fault in a running lab: predicted, injected under load, measured, healed, and checked.

`Drill.run` does all of it for one fault and returns a `Report`; it prints nothing. Who calls it brings the lab up.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from diversite.errors import LabError, NotWholeError
from diversite.outcome import Outcome, predict
from diversite.plan import Host, Plan
from diversite.recovery import settling_seconds
from drills import calibration, load, safety
from drills.comparison import Finding, Instants, Measured, Safety, Trip, compare, measure, noticed, rerouted
from drills.faults import Evidence, Fault
from drills.fidelity import Fidelity, Sampler
from drills.observer import Observer
from drills.pressure import Pressure
from drills.rehearsal import Pair, Rehearsal
from drills.replay import Replay
from drills.results import Events
from drills.watch import Notice, Watch, first_alarmed, first_noticed
from lab import control
from lab.world import wait_until

POLL_SECONDS = 0.05
NOTICED_SECONDS_MAX = 18.0
"""A fault of hosts that lasts longer must be noticed: a scrape that may time out, and a turn of the rules."""
MEASURED_SECONDS_MIN = 3.0
"""How long a fault lasts at least after routes have settled: percentiles need orders."""
REROUTES_MAX = 12
"""How many pairs of sites whose way changed are pinged."""
STARTED_SECONDS_MAX = 30.0
SURGE = "orders-surge.jsonl"
"""The orders of those who come on top."""
PINGS_REROUTED = 10
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
    hold_seconds: float = 20
    """How long a fault lasts, where it does not need longer; monitors need 15 s to notice one."""
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
    calm_ms_max: float | None
    """A greater p50 before the fault says that the machine is not what it was when the model learnt how fast it is."""
    calm_rounds: tuple[int, int]
    """How many heights before the fault were committed in their first round, and how many needed another."""
    pressure: Pressure
    fidelity: Fidelity
    """What was sampled while it lasted."""
    notices: tuple[Notice, ...] = ()
    """The alerts that came up, in the order of notice."""
    untrue_pairs: tuple[Pair, ...] = ()
    """Sites whose round trip was not the planned one before clients began: the lab was not the venue then."""

    @property
    def is_void(self) -> bool:
        """Whether the repetition says nothing: the lab was not true to the plan, or its machine not to the model."""
        return bool(self.untrue_pairs or self.fidelity.untrue or self.is_slow)

    @property
    def is_slow(self) -> bool:
        """Whether the machine had less to give than when it was calibrated, before anything was broken."""
        measured = self.calm_ms[0]
        return measured is not None and self.calm_ms_max is not None and measured > self.calm_ms_max

    @property
    def bit(self) -> bool:
        """Whether the fault did what it was to do, by its own evidence."""
        return bool(self.evidence) and all(it.bit for it in self.evidence)

    @property
    def passed(self) -> bool:
        """Whether the prediction was true of a fault that bit."""
        return self.bit and all(finding.is_true for finding in self.findings)


@dataclass
class _Course:
    """What one repetition has gathered so far."""

    instants: Instants
    evidence: tuple[Evidence, ...]
    notices: tuple[Notice, ...]
    trips: tuple[Trip, ...]
    struck_height: int
    """The venue's head when it was broken."""


class Drill:
    """A lab under observation, to be broken fault by fault."""

    def __init__(self, lab: str, plan: Plan, observer: Observer, phases: Phases) -> None:
        self._lab = lab
        self._plan = plan
        self._observer = observer
        self._rehearsal = Rehearsal(lab, plan, observer)
        self._replay = Replay(observer, plan)
        self._phases = phases

    def await_whole(self) -> None:
        """Wait until every engine commits blocks and every entrance answers; LabError where they do not."""
        self._rehearsal.await_blocks(self._phases.converge_seconds_max)

    def calm(self, seed: int, log: Path) -> list[load.Line]:
        """What becomes of orders while nothing is broken, for as long as a calibration needs.

        All that looks at the venue during a fault looks at it now as well: it takes its part of the cores.
        """
        watch = Watch(self._observer, self._plan.of_role("monitor"))
        sampler = Sampler(self._observer, self._plan)
        clients = self._rehearsal.start_load(self._phases.rate, calibration.CALM_SECONDS, seed, log)
        try:
            watch.start()
            sampler.start()
            _await_load(clients, log, self._phases.rate, calibration.CALM_SECONDS)
        finally:
            clients.kill()
        watch.stop()
        sampler.stop()
        return load.read(log)

    def run(self, fault: Fault, predicted: Outcome, seed: int, directory: Path) -> Report:
        """Break, measure, heal and check; the order log and the events are written to `directory` as they come."""
        events, log = Events(directory / "events.jsonl"), directory / "orders.jsonl"
        untrue = self._untrue_pairs(events)
        fault.prepare()
        first, pressure = self._head(), Pressure.now()
        sampler = Sampler(self._observer, self._plan, {*fault.names, *fault.links})
        with self._load(fault, self._phases.rate, seed, log) as settle:
            events.record("load started", rate=self._phases.rate, seconds=self._seconds(fault), seed=seed, height=first)
            sampler.start()
            time.sleep(self._phases.calm_seconds)
            gathered = self._strike(fault, predicted, seed, directory, events)
            settle()
        fidelity = sampler.stop()
        events.record("sampled", pressures=fidelity.pressures, untrue=[it.link for it in fidelity.untrue])
        lines = load.read(log)
        after = tuple(fault.afterwards(lines))
        gathered.evidence += after
        found = self._check(fault, [*lines, *_read(directory / SURGE)], first, events)
        rounds = self._replay.rounds(range(first + 1, gathered.struck_height)).values()
        report = self._report(fault, predicted, seed, lines, gathered, found)
        return replace(
            report,
            pressure=pressure.since(),
            fidelity=fidelity,
            untrue_pairs=untrue,
            calm_rounds=(sum(it == 0 for it in rounds), sum(it > 0 for it in rounds)),
        )

    @contextmanager
    def _load(self, fault: Fault, rate: float, seed: int, log: Path) -> Iterator[Callable[[], None]]:
        """Clients that send for as long as a fault takes; what is yielded waits until every order has its fate."""
        seconds = self._seconds(fault)
        clients = self._rehearsal.start_load(rate, seconds, seed, log)
        try:
            wait_until(lambda: log.exists() and log.stat().st_size > 0, STARTED_SECONDS_MAX, POLL_SECONDS)
            yield lambda: _await_load(clients, log, rate, seconds)
        finally:
            clients.kill()

    @contextmanager
    def _surge(self, fault: Fault, seed: int, directory: Path) -> Iterator[None]:
        """More clients, as long as a fault lasts that comes at the busiest time."""
        if fault.surge <= 1:
            yield
            return
        rate, log = self._phases.rate * (fault.surge - 1), directory / SURGE
        clients = self._rehearsal.start_load(rate, self._hold_seconds(fault), seed, log)
        try:
            yield
            _await_load(clients, log, rate, self._hold_seconds(fault))
        finally:
            clients.kill()

    def _untrue_pairs(self, events: Events) -> tuple[Pair, ...]:
        pairs = self._rehearsal.round_trips(PINGS)
        worst = max(pairs, key=lambda pair: abs(pair.observed_ms - pair.planned_ms))
        events.record("round trips", worst=[worst.a, worst.b], planned=worst.planned_ms, observed=worst.observed_ms)
        return tuple(pair for pair in pairs if not pair.is_true)

    def _strike(self, fault: Fault, predicted: Outcome, seed: int, directory: Path, events: Events) -> _Course:
        """Break it, look at it, heal it, and wait until all is whole."""
        watch = Watch(self._observer, [self._plan.hosts[name] for name in predicted.monitoring.watching])
        watch.start()
        struck = self._head()
        try:
            with self._surge(fault, seed, directory):
                instants, height, evidence, trips = self._hold(fault, predicted, events)
        finally:
            notices = watch.stop()
        events.record("noticed", alerts=[[it.alert, it.where, it.noticed, it.alarmed] for it in notices])
        resumed = self._await(lambda: self._head() > height)
        events.record("resumed", at=resumed)
        converged = self._await(self._is_whole, since=instants.healed)
        events.record("converged", at=converged)
        instants = replace(instants, resumed=resumed, converged=converged)
        during = tuple(notice for notice in notices if instants.broken <= notice.noticed < instants.healed)
        return _Course(instants=instants, evidence=evidence, notices=during, trips=trips, struck_height=struck)

    def _hold(
        self, fault: Fault, predicted: Outcome, events: Events
    ) -> tuple[Instants, int, tuple[Evidence, ...], tuple[Trip, ...]]:
        """From the breaking to the healing; whatever happens between, it is healed."""
        head = self._head()
        events.record("breaking", fault=fault.name, height=head)
        try:
            broken = fault.inject()
            events.record("broken", at=broken)
            time.sleep(max(0.0, broken + self._hold_seconds(fault) - time.monotonic()))
            held = time.monotonic()
            evidence, trips = tuple(fault.evidence()), self._trips(predicted)
            events.record("evidence", signs=[{"what": it.what, "bit": it.bit} for it in evidence])
        finally:
            height = max(head, self._head())
            healed = fault.heal()
        events.record("healing began", at=healed, height=height)
        settled = broken + (settling_seconds(self._plan) if predicted.reroutes else 0.0)
        instants = Instants(broken=broken, held=held, healed=healed, settled=settled, resumed=None, converged=None)
        return instants, height, evidence, trips

    def _trips(self, predicted: Outcome) -> tuple[Trip, ...]:
        """The round trips between sites whose traffic takes another way, as far as their routers run."""
        changed = [it for it in predicted.reroutes if it.after][:REROUTES_MAX]
        ways = {tuple(self._plan.gateway(site).name for site in it.sites): it for it in changed}
        seen = control.observed_rtt(self._lab, [(a, b) for a, b in ways], PINGS_REROUTED) if ways else {}
        return tuple(
            Trip(
                between="-".join(way.sites),
                predicted_ms=way.after.rtt_ms if way.after else float("nan"),
                observed_ms=round(seen[a, b].p50_ms, 2),
            )
            for (a, b), way in ways.items()
        )

    def _check(self, fault: Fault, lines: Sequence[load.Line], first: int, events: Events) -> Safety:
        head = self._head()
        self._await(lambda: not self._behind(head))
        absent = self._behind(head)
        witnesses = [host for host in self._witnesses(fault) if host.name not in absent]
        if not witnesses:
            raise NotWholeError(f"lab {self._lab}: after {fault.name} no validator is at the venue's head, {head}")
        found = safety.check(self._observer, self._plan, lines, range(first, head + 1), witnesses, absent)
        replayed = self._replay.check(lines, witnesses[0], head)
        found = replace(found, replayed=replayed.height, unlike_replay=replayed.wrong)
        events.record(
            "checked",
            heights=found.heights,
            forks=found.forks,
            missing=found.missing,
            replayed=replayed.height,
            unlike_replay=replayed.wrong,
        )
        return found

    def _report(  # noqa: PLR0913, PLR0917  all that a report is made of
        self,
        fault: Fault,
        predicted: Outcome,
        seed: int,
        lines: Sequence[load.Line],
        gathered: _Course,
        found: Safety,
    ) -> Report:
        instants, entrances = gathered.instants, self._rehearsal.entrances
        serving = {number for number, it in enumerate(predicted.entrances.values()) if it.serves}
        measured = replace(
            measure(lines, instants, found, serving, entrances),
            detected_seconds=first_noticed(gathered.notices, instants.broken),
            alarmed_seconds=first_alarmed(gathered.notices, instants.broken),
        )
        calm = load.summary([line for line in lines if line.settled_seconds < instants.broken])
        return Report(
            fault=fault.name,
            seed=seed,
            predicted=predicted,
            measured=measured,
            findings=compare(predicted, measured, *self._more(fault, predicted, measured, gathered)),
            evidence=gathered.evidence,
            safety=found,
            calm_ms=(calm["p50_ms"], calm["p99_ms"]),
            calm_ms_max=calibration.calm_ms_max(self._plan),
            calm_rounds=(0, 0),
            pressure=Pressure.now(),
            fidelity=Fidelity(links=(), pressures=()),
            notices=gathered.notices,
        )

    def _more(self, fault: Fault, predicted: Outcome, measured: Measured, gathered: _Course) -> Iterator[Finding]:
        """What only some faults are held to."""
        if fault.is_noticed and predicted.monitoring.watching and self._hold_seconds(fault) >= NOTICED_SECONDS_MAX:
            yield noticed(measured)
        if gathered.trips:
            yield rerouted(gathered.trips)

    def _hold_seconds(self, fault: Fault) -> float:
        settled = settling_seconds(self._plan) + MEASURED_SECONDS_MIN
        return max(self._phases.hold_seconds, fault.hold_seconds_min, settled)

    def _seconds(self, fault: Fault) -> float:
        back = max(self._phases.back_seconds, fault.back_seconds_min)
        return self._phases.calm_seconds + fault.inject_seconds_max + self._hold_seconds(fault) + back

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

    def _behind(self, head: int) -> frozenset[str]:
        """The engines that have not come so far, and their validators."""
        statuses = self._observer.statuses()
        behind = {name for name, status in statuses.items() if status is None or status["height"] < head}
        return frozenset(behind | {partner for name in behind if (partner := self._plan.hosts[name].partner)})

    def _heights(self) -> list[int | None]:
        return [status["height"] if status else None for status in self._observer.statuses().values()]

    def _await(self, condition: Callable[[], bool], since: float | None = None) -> float | None:
        """The instant at which a condition held; None if it did not within the bound, from an instant (now) on."""
        passed = 0.0 if since is None else time.monotonic() - since
        held = wait_until(condition, self._phases.converge_seconds_max - passed, POLL_SECONDS)
        return time.monotonic() if held else None

    def _witnesses(self, fault: Fault) -> list[Host]:
        """A validator that stayed, and one that was struck: each has a chain of its own."""
        struck = fault.struck
        validators = self._plan.of_role("validator")
        stayed = [host for host in validators if host.name not in struck]
        return [*stayed[:1], *[host for host in validators if host.name in struck][:1]]


def _await_load(clients: subprocess.Popen[str], log: Path, rate: float, seconds: float) -> None:
    """Wait until every order has its fate, by the log: what entered the lab for the clients may outlive them."""
    seconds_max = seconds + STARTED_SECONDS_MAX + ORDER_SECONDS_MAX

    def settled() -> bool:
        written = log.read_bytes() if log.exists() else b""
        return clients.poll() is not None or len(written.splitlines()) >= round(rate * seconds)

    if not wait_until(settled, seconds_max, 10 * POLL_SECONDS):
        raise LabError(f"clients in the lab did not end within {seconds_max:.0f} s; {log} has what they wrote")
    if len(_read(log)) < round(rate * seconds):
        raise LabError(f"clients in the lab ended after {len(_read(log))} of {round(rate * seconds)} orders; see {log}")


def _read(log: Path) -> list[load.Line]:
    return load.read(log) if log.exists() else []


def calm_of(plan: Plan) -> Outcome:
    """What the model says of a venue in which nothing is broken."""
    return predict(plan, [])
