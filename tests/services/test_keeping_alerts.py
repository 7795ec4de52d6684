"""Every alert of stores, queues and active-passive engines fires on what it is for and is silent otherwise."""

from __future__ import annotations

import re
from pathlib import Path

from services import alerts, keeping_alerts
from services.writing import yaml
from tests.services.test_alerts import Example, _of, _tests
from tests.services.venues import passive, run
from workloads.passive import gateway

FRA, LON, HEL = "store-ledger-fra", "store-ledger-lon", "store-ledger-hel"
WORKER, STANDBY = "passive-perp-fra", "passive-perp-lon"
STORE, ENGINE = {"scope": "ledger"}, {"engine": "perp"}


def _primary(fra: int) -> dict[str, str]:
    values = {FRA: fra, LON: 0, HEL: 0}
    return {_of("patroni_primary", node, **STORE): f"{value}x60" for node, value in values.items()}


def _streaming(lon: int) -> dict[str, str]:
    values = {FRA: 0, LON: lon, HEL: 0}
    return {_of("patroni_postgres_streaming", node, **STORE): f"{value}x60" for node, value in values.items()}


def _pair(metric: str, worker: str, standby: str, **labels: str) -> dict[str, str]:
    return {_of(metric, WORKER, **labels): worker, _of(metric, STANDBY, **labels): standby}


def _one(metric: str, node: str, fires: str, silent: str, **labels: str) -> Example:
    series = _of(metric, node, **labels)
    return Example({series: fires}, {series: silent})


MOST = {_of("passive_queue_messages_max", WORKER, **ENGINE): "1000x60"}
HELD = _of("passive_queue_messages", WORKER, **ENGINE)
DAY = 86400
ENDS = "probe_ssl_earliest_cert_expiry"
EXAMPLES = {
    "CertificateEnds": _one(ENDS, HEL, f"{80 * DAY}x60", f"{3649 * DAY}x60", job="probe-store"),
    "CertificateOld": _one("passive_certificate_ends_seconds", WORKER, f"{3200 * DAY}x60", f"{3649 * DAY}x60"),
    "StoreWithoutPrimary-ledger": Example(_primary(0), _primary(1)),
    "StoreWithoutStandby-ledger": Example(_primary(1) | _streaming(0), _primary(1) | _streaming(1)),
    "StoreMemberMissing-ledger": _one("up", HEL, "0x60", "1x60", job="patroni"),
    "EtcdWithoutLeader-ledger": _one("etcd_server_has_leader", HEL, "0x60", "1x60"),
    "StoreArchiveWaits-ledger": _one("keeper_archive_waiting_seconds", FRA, "200x60", "100x60", store="ledger"),
    "StoreBackupOld-ledger": _one("keeper_backup_timestamp_seconds", HEL, "-9000x60", "0x60", store="ledger"),
    "StoreBackupDamaged-ledger": _one("keeper_backup_damaged", HEL, "1x60", "0x60", store="ledger"),
    "EngineWithoutWorker-perp": Example(
        _pair("passive_working", "0x60", "0x60", **ENGINE), _pair("passive_working", "1x60", "0x60", **ENGINE)
    ),
    "EngineAlone-perp": Example(_pair("up", "1x60", "0x60", job="passive"), _pair("up", "1x60", "1x60", job="passive")),
    "EngineFollowsSlowly-perp": Example(
        _pair("passive_height", "500x60", "10x60", **ENGINE), _pair("passive_height", "500x60", "490x60", **ENGINE)
    ),
    "QueueWithoutQuorum-orders-perp": Example(
        _pair("passive_queue_answers", "0x60", "0x60", **ENGINE),
        _pair("passive_queue_answers", "0x60", "1x60", **ENGINE),
    ),
    "QueueFills-orders-perp": Example(MOST | {HELD: "300x60"}, MOST | {HELD: "20x60"}),
}


def test_every_alert_has_an_example() -> None:
    """No alert is there that no example fires."""
    assert {alert.name for alert in keeping_alerts.alerts(passive())} == set(EXAMPLES)


def test_every_alert_fires_and_is_silent(tmp_path: Path) -> None:
    """Prometheus evaluates each on the series that it is for, on healthy ones, and, for what is absent, on none."""
    venue = passive()
    (tmp_path / "rules.yml").write_text(yaml(alerts.rules(venue, venue.of_role("monitor")[0])))
    tests = [test for name, example in EXAMPLES.items() for test in _tests(name, example)]
    (tmp_path / "tests.yml").write_text(
        yaml({"rule_files": ["rules.yml"], "evaluation_interval": "5s", "tests": tests})
    )
    run("promtool", "test", "rules", str(tmp_path / "tests.yml"))


def test_alerts_read_metrics_that_the_engine_has() -> None:
    """Each metric of the engine in a rule is one that its gateway exports."""
    source = Path(gateway.__file__).read_text()
    for alert in keeping_alerts.alerts(passive()):
        for name in re.findall(r"passive_[a-z_]+", alert.expression):
            assert f'"{name}"' in source
