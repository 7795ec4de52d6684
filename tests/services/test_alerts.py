"""Every alert fires on what it is for and is silent otherwise, judged by Prometheus' own rule engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services import alerts
from services.writing import yaml
from tests.services.venues import europe, run

MONITOR = "monitor-dub"
RISING = "0+10x60"
STILL = "100x60"


@dataclass(frozen=True)
class Example:
    """Series (values at every 5 s) on which an alert fires after five minutes, and on which it does not."""

    fires: dict[str, str]
    silent: dict[str, str]


def _of(metric: str, node: str, **labels: str) -> str:
    site = node.partition("-")[2]
    found = {"node": node, "site": site, "provider": "aws", **labels}
    return f"{metric}{{{', '.join(f'{key}={value!r}' for key, value in found.items())}}}".replace("'", '"')


def _heights(par: str, nbg: str) -> dict[str, str]:
    metric = "cometbft_consensus_latest_block_height"
    return {_of(metric, "validator-par"): par, _of(metric, "validator-nbg"): nbg}


def _books(par: tuple[str, str], nbg: tuple[str, str]) -> dict[str, str]:
    return {
        _of(f"engine_books_hash{suffix}", node): values[position]
        for node, values in (("engine-par", par), ("engine-nbg", nbg))
        for position, suffix in enumerate(("", "_height"))
    }


def _one(metric: str, node: str, fires: str, silent: str, **labels: str) -> Example:
    series = _of(metric, node, **labels)
    return Example({series: fires}, {series: silent})


SIGNED = _of("cometbft_consensus_validator_last_signed_height", "validator-par", validator_address="AB")
ROUNDS = _of("cometbft_consensus_round_duration_seconds_count", "validator-par")
HEIGHT = _of("cometbft_consensus_height", "validator-par")
ICMP = {"job": "probe-site", "phase": "rtt"}
UP = {"job": "engine", "instance": "10.128.0.1:8080"}
TIME_FROM_ZERO = "0+5x60"

EXAMPLES: dict[str, Example] = {
    "ConsensusHalted": Example(_heights(STILL, STILL), _heights(STILL, RISING)),
    "ValidatorStalled": Example(_heights(STILL, RISING), _heights(RISING, RISING)),
    "ValidatorBehind": Example(_heights(RISING, "1000+10x60"), _heights(RISING, "100+10x60")),
    "ValidatorNotSigning": Example(
        {**_heights(RISING, RISING), SIGNED: STILL}, {**_heights(RISING, RISING), SIGNED: "0 0 0+10x60"}
    ),
    "ProposersFail": Example({ROUNDS: "0+12x60", HEIGHT: "0+10x60"}, {ROUNDS: "0+10x60", HEIGHT: "0+10x60"}),
    "PeersLost": _one("cometbft_p2p_peers", "validator-par", "5x60", "6x60"),
    "BooksDiverge": Example(
        _books(("7x60", "10x60"), ("8x60", "10x60")), _books(("7x60", "10x60"), ("8x60", "20x60"))
    ),
    "EngineNotReady": _one("probe_success", "engine-par", "0x60", "1x60", job="probe-engine"),
    "AcknowledgementSlow": Example(
        {_of("engine_acknowledge_seconds_bucket", "engine-par", le=le): "0+1x60" for le in ("10", "+Inf")},
        {_of("engine_acknowledge_seconds_bucket", "engine-par", le=le): "0+1x60" for le in ("0.1", "10", "+Inf")},
    ),
    "OrdersIndeterminate": _one("engine_indeterminate_total", "engine-par", "0+1x60", "3x60"),
    "ClockAhead": _one("engine_last_commit_timestamp_seconds", "engine-par", "2+5x60", TIME_FROM_ZERO),
    "EntranceClosed": _one("probe_success", "entry-par", "0x60", "1x60", job="probe-entry"),
    "EntranceOnBackup": _one("haproxy_backend_active_servers", "entry-par", "0x60", "1x60", proxy="engines"),
    "CertificateExpires": _one("probe_ssl_earliest_cert_expiry", "entry-par", "86400x60", "8640000x60"),
    "SiteLost": Example(
        {_of("up", "engine-par", **UP): "0x60", _of("up", "engine-par", job="probe-engine"): "1x60"},
        {_of("up", "engine-par", **UP): "0x60", _of("probe_success", "gateway-par", job="probe-site"): "1x60"},
    ),
    "ServiceDown": _one("up", "engine-par", "0x60", "1x60", **UP),
    "RoundTripDrifts": _one("probe_icmp_duration_seconds", "gateway-hel", "0.2x60", "0.04x60", **ICMP),
    "Watchdog": Example({}, {}),
    "MonitorSilent-hel": _one("ALERTS", "monitor-hel", "_x60", "1x60", alertname="Watchdog", alertstate="firing",
                              monitor="hel"),
    "AlertmanagersApart": _one("alertmanager_cluster_members", "monitor-dub", "1x60", "2x60"),
    "NotificationsFail": _one("alertmanager_notifications_failed_total", "monitor-dub", "0+1x60", "0x60"),
    "DiskFills": _one("node_filesystem_avail_bytes", "validator-par", "100000-1000x60", "100000x60", mountpoint="/"),
    "DiskFillsSoon": _one("node_filesystem_avail_bytes", "engine-par", "100000-1000x60", "100000x60", mountpoint="/"),
    "ClockUnsynchronised": _one("node_timex_sync_status", "validator-par", "0x60", "1x60"),
}  # fmt: skip
LONG_HOLDS = {"DiskFills": 900}
"""Seconds until an alert with a long hold fires."""


def test_every_alert_has_an_example() -> None:
    """No alert is there that no example fires."""
    venue = europe()
    assert {alert.name for alert in alerts.alerts(venue, venue.hosts[MONITOR])} == set(EXAMPLES)


def test_every_alert_fires_and_is_silent(tmp_path: Path) -> None:
    """Prometheus evaluates each alert on the series that it is for, and on healthy ones."""
    venue = europe()
    (tmp_path / "rules.yml").write_text(yaml(alerts.rules(venue, venue.hosts[MONITOR])))
    tests = [test for name, example in EXAMPLES.items() for test in _tests(name, example)]
    (tmp_path / "tests.yml").write_text(
        yaml({"rule_files": ["rules.yml"], "evaluation_interval": "5s", "tests": tests})
    )
    run("promtool", "test", "rules", str(tmp_path / "tests.yml"))


def test_an_action_follows_every_alert() -> None:
    """Who is woken reads what happened and what to do, in whole sentences."""
    venue = europe()
    for alert in alerts.alerts(venue, venue.hosts[MONITOR]):
        assert alert.summary.endswith("."), alert.name
        assert alert.action.endswith("."), alert.name


def test_round_trips_are_compared_with_the_planned_way() -> None:
    """What a monitor expects to a site is the catalogue's upper figure over all links of the way there."""
    venue = europe()
    expected = {item.labels["site"]: item.value for item in alerts.expectations(venue, venue.hosts[MONITOR])}
    assert set(expected) == set(venue.sites) - {"dub"}
    for site, seconds in expected.items():
        route = venue.routes["dub", site]
        assert seconds * 1000 >= route.rtt_ms


def _tests(name: str, example: Example) -> list[dict[str, Any]]:
    silent = [] if name == "Watchdog" else [_test(name, example.silent, fires=False)]
    return [_test(name, example.fires, fires=True), *silent]


def _test(name: str, series: dict[str, str], *, fires: bool) -> dict[str, Any]:
    stretched = {key: values.replace("x60", "x240") for key, values in series.items()}
    query = f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) > bool 0'
    return {
        "name": f"{name} {'fires' if fires else 'is silent'}",
        "interval": "5s",
        "input_series": [{"series": key, "values": values} for key, values in stretched.items()],
        "promql_expr_test": [
            {
                "expr": query,
                "eval_time": f"{LONG_HOLDS.get(name, 290)}s",
                "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
            }
        ],
    }
