"""One fault of state under load: predicted, injected, measured, healed, and its history checked."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from diversite import ports
from diversite.errors import LabError
from diversite.kept import Class, Kept
from drills import load
from drills.evidence import Evidence
from drills.rehearsal import INTERNET
from drills.state.fault import StateFault
from drills.state.history import History, check
from drills.state.keepers import Keepers
from lab import commands, world
from lab.world import wait_until

RATE = 10.0
CALM_SECONDS = 6.0
BACK_SECONDS = 8.0
WHOLE_SECONDS_MAX = 120.0
SETTLED_SECONDS_MAX = 30.0
SILENCE_SECONDS_MIN = 1.0
"""Ten orders: less than that without a confirmation happens in calm weather on a busy machine."""
MARGIN_SECONDS = 3.0
"""What clients add: their patience with one entrance, and the pause before they ask the next."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a fault did."""

    fault: str
    struck: tuple[str, ...]
    predicted: Kept
    outcome: Class
    recovery_seconds: float | None
    """From the fault to the end of the longest silence that began before it was healed; None if that ended after."""
    resume_seconds: float | None
    """From the healing to the first confirmed order after it."""
    whole_seconds: float | None
    """From the healing until every member was there again."""
    sent: int
    acknowledged: int
    evidence: tuple[Evidence, ...]
    violations: tuple[str, ...]

    @property
    def bit(self) -> bool:
        """Whether the fault did what it was to do, by its own evidence."""
        return bool(self.evidence) and all(it.bit for it in self.evidence)

    @property
    def is_true(self) -> bool:
        """Whether the prediction held: its class, and no longer a silence than its interval allows."""
        if self.predicted.outcome != self.outcome:
            return False
        if self.predicted.recovery is None or self.recovery_seconds is None:
            return True
        return self.recovery_seconds <= self.predicted.recovery.high + MARGIN_SECONDS

    @property
    def passed(self) -> bool:
        """Whether it bit, nothing was lost, doubled or written by a fenced member, and the prediction held."""
        return self.bit and self.is_true and not self.violations and self.whole_seconds is not None


def run(keepers: Keepers, kind: type[StateFault], seed: int, log: Path) -> Report:
    """Break what the fault breaks while clients send, mend it, and check what is left."""
    if not wait_until(keepers.is_whole, WHOLE_SECONDS_MAX, 0.5):
        raise LabError(f"lab {keepers.lab}: not every member is there before {kind.word}; see `diversite lab status`")
    fault = kind(keepers)
    fault.choose()
    predicted = fault.predicted()
    with clients(keepers, seed, log):
        time.sleep(CALM_SECONDS)
        broken = fault.inject()
        time.sleep(fault.hold_seconds)
        evidence = tuple(fault.evidence())
        healed = fault.heal()
        whole = wait_until(keepers.is_whole, WHOLE_SECONDS_MAX, 0.2)
        whole_seconds = time.monotonic() - healed if whole else None
        time.sleep(BACK_SECONDS)
    lines = load.read(log)
    report = _report(fault, predicted, lines, (broken, healed), whole_seconds, violations(keepers, lines))
    return replace(report, evidence=evidence)


def violations(keepers: Keepers, lines: Sequence[load.Line]) -> tuple[str, ...]:
    """What is wrong with what is left."""
    settled = wait_until(keepers.is_settled, SETTLED_SECONDS_MAX, 0.2)
    apart = f"not every member of {keepers.engine.name} came to the same books within {SETTLED_SECONDS_MAX:.0f} s"
    primary = keepers.primary()
    if primary is None:
        return ("the store has no primary, so its journal could not be read",)
    members = keepers.members()
    copies = {name: keepers.journal(name) for name in keepers.standbys()}
    journal, takings = keepers.journal(primary), keepers.takings(primary)
    found = check(History(lines=lines, journal=journal, copies=copies, members=members, takings=takings))
    return found if settled else (apart, *found)


def recovery(lines: Sequence[load.Line], broken: float, healed: float) -> float | None:
    """From the fault to the end of the longest silence that began before the healing; None if that outlasted it.

    Where there was none worth the name, the length of the longest: it says nothing of the fault when that was.
    """
    instants = sorted(it.settled_seconds for it in lines if it.fate == "acknowledged" and it.settled_seconds > broken)
    edges = [broken, *instants]
    silences = [(b - a, b) for a, b in pairwise(edges) if a < healed]
    if not silences:
        return None
    longest, ended = max(silences)
    if longest <= SILENCE_SECONDS_MIN:
        return round(longest, 2)
    return round(ended - broken, 2) if ended < healed else None


def _report(  # noqa: PLR0913, PLR0917  all that a report is made of
    fault: StateFault,
    predicted: Kept,
    lines: Sequence[load.Line],
    instants: tuple[float, float],
    whole_seconds: float | None,
    wrong: tuple[str, ...],
) -> Report:
    broken, healed = instants
    recovered = recovery(lines, broken, healed)
    lost = any("is nowhere" in it for it in wrong)
    return Report(
        fault=fault.word,
        struck=fault.struck,
        predicted=predicted,
        outcome="could_lose_data" if lost else "halts_safely" if recovered is None else "continues",
        recovery_seconds=recovered,
        resume_seconds=load.recovery_seconds(lines, healed),
        whole_seconds=None if whole_seconds is None else round(whole_seconds, 1),
        sent=len(lines),
        acknowledged=sum(line.fate == "acknowledged" for line in lines),
        evidence=(),
        violations=wrong,
    )


@contextmanager
def clients(keepers: Keepers, seed: int, log: Path) -> Iterator[None]:
    """Clients on the internet that send by every entrance until this ends."""
    entrances = [
        f"http://{it.address.ip}:{ports.ORDERS}/engines/{keepers.engine.name}" for it in keepers.plan.accesses.values()
    ]
    market = next(iter(keepers.plan.topology.markets))
    options = {"entrances": ",".join(entrances), "rate": RATE, "seconds": 600, "seed": seed, "market": market}
    flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "drills.load", *flags, "--until-input-ends", "--out", str(log)]
    started = subprocess.Popen(
        [*world.require(keepers.lab).entering(INTERNET), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=commands.environment(),
    )
    try:
        yield
        if started.poll() is not None:
            raise LabError(f"the clients ended early: {started.communicate()[1][-500:]}")
        started.communicate(timeout=90)  # closes their input, which ends them
    finally:
        started.kill()
