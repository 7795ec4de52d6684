"""Runs the keeper of one member: `python -m workloads.keeper --config FILE`."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from workloads.keeper.archive import waiting_seconds
from workloads.keeper.backups import Taker
from workloads.keeper.leaders import Leaders
from workloads.keeper.settings import Settings, SettingsError, load_settings

LOOK_SECONDS = 2.0
BACKUP_LOOK_SECONDS = 5.0


class Metrics:
    """What Prometheus reads."""

    def __init__(self, store: str) -> None:
        self.registry = CollectorRegistry()
        self._store = store
        self.waiting = self._gauge("keeper_archive_waiting_seconds", "How long the log has waited to be archived")
        self.backup = self._gauge("keeper_backup_timestamp_seconds", "When the newest good backup ended")
        self.damaged = self._gauge("keeper_backup_damaged", "1 while pages in the newest backup are damaged")
        self.leads = self._gauge("keeper_leads_etcd", "1 while this member leads etcd")

    def _gauge(self, name: str, says: str) -> Gauge:
        return Gauge(name, says, ["store"], registry=self.registry)

    def set(self, gauge: Gauge, value: float | None) -> None:
        """Tell a figure; one that is not known is not told."""
        if value is None:
            gauge.clear()
        else:
            gauge.labels(self._store).set(value)


def main() -> int:
    """Run until SIGTERM or SIGINT; 2 when the settings do not hold."""
    parser = argparse.ArgumentParser(prog="python -m workloads.keeper", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="JSON file of the keeper's settings")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = load_settings(parser.parse_args().config)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(settings, stop)
    return 0


def run(settings: Settings, stop: threading.Event) -> None:
    """Look after everything until told to stop. A backup may take hours, so it has a thread of its own."""
    metrics, leaders = Metrics(settings.store), Leaders(settings)
    address, _, port = settings.http.rpartition(":")
    start_http_server(int(port), address, metrics.registry)
    if settings.backups:
        taker = Taker(settings.backups)
        threading.Thread(
            target=_repeat, args=(lambda: _back_up(taker, metrics), BACKUP_LOOK_SECONDS, stop), daemon=True
        ).start()
    _repeat(lambda: _look(leaders, settings, metrics), LOOK_SECONDS, stop)


def _look(leaders: Leaders, settings: Settings, metrics: Metrics) -> None:
    metrics.set(metrics.leads, leaders.look())
    metrics.set(metrics.waiting, waiting_seconds(settings.database))


def _back_up(taker: Taker, metrics: Metrics) -> None:
    found = taker.look()
    metrics.set(metrics.backup, found.good_at if found else None)
    metrics.set(metrics.damaged, float(found.damaged) if found else None)


def _repeat(look: Callable[[], None], seconds: float, stop: threading.Event) -> None:
    while True:
        try:
            look()
        except Exception:
            logging.getLogger("workloads.keeper").exception("a look failed")
        if stop.wait(seconds):
            return


if __name__ == "__main__":
    sys.exit(main())
