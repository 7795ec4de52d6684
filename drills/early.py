"""Early warning: each degradation is driven until it fails, and its alert must have fired before.

The lead is the time from the alert's firing, as a monitor of the lab tells it, to the failure.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml as pyyaml  # type: ignore[import-untyped]  # its stubs are a separate package

from diversite import ports
from diversite.errors import LabError
from diversite.plan import Host, Plan
from drills import load
from drills.degradations import DEGRADATIONS, Degradation
from drills.observer import Observer
from drills.planted import planting
from drills.rehearsal import Rehearsal
from drills.watch import Notice, Watch
from lab import service, world
from lab.inputs import Ready, ServiceInputs
from services.writing import yaml

STEP_SECONDS = 0.5
CALM_SECONDS = 15.0
"""Long enough that monitors know the calm, from which they draw their lines."""
METER = "meter"


@dataclass(frozen=True, kw_only=True)
class Warned:
    """How early somebody was called. Seconds are from the beginning of the degradation."""

    word: str
    where: str
    alert: str
    fired_seconds: float | None
    failed_seconds: float | None
    """None: it had not failed by the end."""

    @property
    def lead_seconds(self) -> float | None:
        """From the alert to the failure; negative where it came too late, None where there was none of either."""
        if self.fired_seconds is None or self.failed_seconds is None:
            return None
        return round(self.failed_seconds - self.fired_seconds, 1)

    @property
    def in_time(self) -> bool:
        """Whether the alert fired, and before the failure."""
        return self.fired_seconds is not None and (self.lead_seconds is None or self.lead_seconds > 0)


def warnings(lab: str, plan: Plan, directory: Path, rate: float, seed: int) -> Iterator[Warned]:
    """Drive every degradation in a running lab, one after the other; the order logs go to `directory`."""
    with Observer(lab, plan) as observer, metered(lab, plan):
        rehearsal = Rehearsal(lab, plan, observer)
        for kind in DEGRADATIONS:
            rehearsal.await_blocks(120)
            yield _driven(kind(lab, plan, observer), rehearsal, observer, directory / f"{kind.word}.jsonl", rate, seed)


def scraping(text: str, target: str) -> str:
    """A monitor's configuration with one more target, whose labels say which host each series is of."""
    document = pyyaml.safe_load(text)
    job = {"job_name": "node", "honor_labels": True, "static_configs": [{"targets": [target]}]}
    document["scrape_configs"].append(job)
    return yaml(document)


@contextmanager
def metered(lab: str, plan: Plan) -> Iterator[None]:
    """Monitors that scrape the disks of all hosts, as they do in a cloud; see `drills.meter`."""
    monitors = plan.of_role("monitor")
    before = tuple(each for monitor in monitors for each in _metered(lab, plan, monitor))
    try:
        yield
    finally:
        planting.restore(lab, before)
        for monitor in monitors:
            service.delete(world.require(lab), monitor.name, METER)


def _metered(lab: str, plan: Plan, monitor: Host) -> tuple[ServiceInputs, ...]:
    target = f"{monitor.address}:{ports.NODE_EXPORTER}"
    hosts = [host.name for host in plan.hosts.values() if host.data_gib and host.role != "gateway"]
    inputs = ServiceInputs(
        world=lab,
        host=monitor.name,
        name=METER,
        command=("python", "-m", "drills.meter", target, *hosts),
        ready=Ready(kind="tcp", address=target),
    )
    service.create(world.require(lab), inputs)
    change = planting.rewritten("prometheus.yml", lambda text: scraping(text, target))
    return planting.exchange(lab, [monitor], "prometheus", change)


def _driven(  # noqa: PLR0913, PLR0917  what is driven where
    it: Degradation, rehearsal: Rehearsal, observer: Observer, log: Path, rate: float, seed: int
) -> Warned:
    clients = rehearsal.start_load(rate, CALM_SECONDS + it.seconds_max, seed, log)
    watch = Watch(observer, it.plan.of_role("monitor"))
    try:
        time.sleep(CALM_SECONDS)
        it.begin()
        watch.start()
        began = time.monotonic()
        try:
            failed = _until_it_fails(it, log, began)
        finally:
            it.end()
            notices = watch.stop()
    finally:
        clients.kill()
    return Warned(
        word=it.word,
        where=it.where,
        alert=it.alert,
        fired_seconds=_fired(notices, it.alert, began),
        failed_seconds=None if failed is None else round(failed - began, 1),
    )


def _until_it_fails(it: Degradation, log: Path, began: float) -> float | None:
    while (since := time.monotonic() - began) < it.seconds_max:
        it.step(since)
        now = time.monotonic()
        if it.has_failed(_settled(log), now):
            return now
        time.sleep(STEP_SECONDS)
    return None


def _settled(log: Path) -> list[load.Line]:
    """What is written so far; the last line may be half."""
    if not log.exists():
        raise LabError(f"the clients wrote no {log}: did they start?")
    return [load.from_json(text) for text in log.read_text(encoding="utf-8").split("\n")[:-1]]


def _fired(notices: Sequence[Notice], alert: str, began: float) -> float | None:
    fired = [it.alarmed - began for it in notices if it.alert == alert and it.alarmed is not None]
    return round(min(fired), 1) if fired else None
