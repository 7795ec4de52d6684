"""What the monitors of a lab notice, and when: the alerts of those that still watch, asked every second.

An alert is noticed when its condition first holds (Prometheus then calls it pending) and alarms when it fires: when
somebody is called. Alerts that were there before the fault do not count.
"""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diversite import ports
from diversite.plan import Host
from drills.observer import Observer

EVERY_SECONDS = 1.0
CALM = frozenset({"Watchdog"})
"""Alerts that fire while all is well."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """An alert that came up during a fault. Instants are monotonic seconds."""

    alert: str
    where: str
    """The node, site or monitor that it names."""
    noticed: float
    """When its condition first held, by the monitor's word."""
    alarmed: float | None
    """When it fired, to the second; None if it did not."""


class Watch:
    """Asks monitors in the background; to be started once all is calm, and stopped before the heal."""

    def __init__(self, observer: Observer, monitors: Sequence[Host]) -> None:
        self._observer = observer
        self._monitors = monitors
        self._before: frozenset[tuple[str, str]] = frozenset()
        self._noticed: dict[tuple[str, str], Notice] = {}
        self._ended = threading.Event()
        self._asking = threading.Thread(target=self._ask, daemon=True)

    def start(self) -> None:
        """Take note of what is up already, and go on asking."""
        self._before = frozenset(_key(alert) for alert in self._alerts())
        self._asking.start()

    def stop(self) -> tuple[Notice, ...]:
        """What came up since, in the order of notice."""
        self._ended.set()
        self._asking.join()
        self._note()
        return tuple(sorted(self._noticed.values(), key=lambda notice: notice.noticed))

    def _ask(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            self._note()

    def _note(self) -> None:
        for alert in self._alerts():
            key = _key(alert)
            if key not in self._before:
                self._noticed[key] = _noted(alert, self._noticed.get(key))

    def _alerts(self) -> Iterable[Mapping[str, Any]]:
        url = "http://{}:" + f"{ports.PROMETHEUS}/api/v1/alerts"
        answers = self._observer.ask([(host, url.format(host.address)) for host in self._monitors])
        found = [alert for answer in answers if answer.ok for alert in answer.json()["data"]["alerts"]]
        return [alert for alert in found if alert["labels"]["alertname"] not in CALM]


def first_noticed(notices: Iterable[Notice], since: float) -> float | None:
    """How long after an instant the first alert was noticed, in seconds; None without one."""
    return min((max(0.0, notice.noticed - since) for notice in notices), default=None)


def first_alarmed(notices: Iterable[Notice], since: float) -> float | None:
    """How long after an instant the first alert fired, in seconds; None without one."""
    return min((max(0.0, it.alarmed - since) for it in notices if it.alarmed is not None), default=None)


def _noted(alert: Mapping[str, Any], before: Notice | None) -> Notice:
    fires = time.monotonic() if alert["state"] == "firing" else None
    noticed = _monotonic(alert["activeAt"])
    name, where = _key(alert)
    if before is None:
        return Notice(alert=name, where=where, noticed=noticed, alarmed=fires)
    alarmed = before.alarmed if before.alarmed is not None else fires
    return Notice(alert=name, where=where, noticed=before.noticed, alarmed=alarmed)


def _key(alert: Mapping[str, Any]) -> tuple[str, str]:
    labels = alert["labels"]
    where = next((labels[name] for name in ("node", "site", "monitor", "job") if name in labels), "")
    return str(labels["alertname"]), str(where)


def _monotonic(moment: str) -> float:
    """A moment of the wall clock, such as 2026-11-22T14:02:03.123456789Z, on the monotonic clock of this machine."""
    whole, _, fraction = moment.removesuffix("Z").partition(".")
    told = datetime.datetime.fromisoformat(f"{whole}.{(fraction + '000000')[:6]}+00:00").timestamp()
    return told - time.time() + time.monotonic()
