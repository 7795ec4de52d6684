"""Prometheus: what a monitor scrapes and probes, and the alerts that it evaluates.

Every monitor watches every site, its own and the other monitors among them. Each takes the other's dead man's switch
by federation, so that a monitor that hangs is noticed and not only one that is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from diversite import ports
from diversite.plan import Host, Plan
from services import alerts
from services.service import Paths, Ready, Service
from services.writing import yaml

NAME = "prometheus"

SCRAPE_SECONDS = 5
"""Two monitors and forty targets cost a few percent of a core; an alert without a hold fires within 10 s."""
SCRAPE_SECONDS_MAX = 4
RETENTION_DAYS = 15
RETENTION_MEBIBYTES = 256
WAL_SEGMENT_MEBIBYTES = 16

COMETBFT_KEPT = (
    "cometbft_consensus_(height|latest_block_height|rounds|round_duration_seconds_.*|block_interval_seconds_.*"
    "|validators_power|validator_power|validator_last_signed_height|validator_missed_blocks|late_votes|num_txs|total_txs"
    "|byzantine_validators|quorum_precommit_delay)"
    "|cometbft_p2p_peers|cometbft_p2p_message_(receive|send)_bytes_total|cometbft_mempool_(size|failed_txs)"
    "|process_(cpu_seconds_total|resident_memory_bytes)"
)
"""The series of a validator that are kept: its peers' and channels' counters would be nine tenths of all."""


def service(plan: Plan, host: Host, paths: Paths) -> Service:
    """The Prometheus of a monitor."""
    return Service(
        name=NAME,
        command=(
            "prometheus",
            f"--config.file={paths.etc}/prometheus.yml",
            f"--web.listen-address={host.address}:{ports.PROMETHEUS}",
            f"--storage.tsdb.path={paths.data}",
            f"--storage.tsdb.retention.time={RETENTION_DAYS}d",
            f"--storage.tsdb.retention.size={RETENTION_MEBIBYTES}MB",
            f"--storage.tsdb.wal-segment-size={WAL_SEGMENT_MEBIBYTES}MB",
            "--log.level=warn",
        ),
        files={
            f"{paths.etc}/prometheus.yml": config(plan, host, paths),
            f"{paths.etc}/rules.yml": yaml(alerts.rules(plan, host)),
        },
        ready=Ready(kind="http", address=f"{host.address}:{ports.PROMETHEUS}", path="/-/ready"),
    )


def config(plan: Plan, host: Host, paths: Paths) -> str:
    """`prometheus.yml` of a monitor."""
    return yaml(
        {
            "global": {
                "scrape_interval": f"{SCRAPE_SECONDS}s",
                "scrape_timeout": f"{SCRAPE_SECONDS_MAX}s",
                "evaluation_interval": f"{alerts.RULES_INTERVAL_SECONDS}s",
                "external_labels": {"venue": plan.venue, "monitor": host.key},
            },
            "rule_files": [f"{paths.etc}/rules.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": _notifiers(plan)}]}]},
            "scrape_configs": [*_scrapes(plan, host), *(_machines(plan) if paths.cloud else ()), *_probes(plan, host)],
        }
    )


def _scrapes(plan: Plan, host: Host) -> Iterable[dict[str, Any]]:
    monitors = plan.of_role("monitor")
    yield _job(
        "cometbft",
        _targets(plan.of_role("validator"), ports.COMETBFT_METRICS),
        metric_relabel_configs=[{"source_labels": ["__name__"], "regex": COMETBFT_KEPT, "action": "keep"}],
    )
    yield _job("engine", _targets(plan.of_role("engine"), ports.ENGINE_HTTP))
    yield _job(
        "haproxy",
        _targets(plan.of_role("entry"), ports.ENTRY_METRICS),
        params={"scope": ["frontend", "backend"], "no-maint": [""]},
    )
    yield from _keepers(plan)
    yield _job("prometheus", _targets(monitors, ports.PROMETHEUS))
    yield _job("alertmanager", _targets(monitors, ports.ALERTMANAGER))
    yield _job("blackbox", _targets([host], ports.BLACKBOX))
    others = [other for other in monitors if other.name != host.name]
    if others:
        yield _watchdogs(others)


def _keepers(plan: Plan) -> Iterable[dict[str, Any]]:
    """State beside consensus, where there is any. What a queue holds is told by the engines that use it."""
    if plan.keepings.stores:
        yield _job("etcd", _targets(plan.of_role("store"), ports.ETCD_METRICS))
        unverified = {"insecure_skip_verify": True}  # a monitor reads, by address, and knows no member's key
        yield _job("keeper", _targets(plan.of_role("store"), ports.KEEPER_METRICS))
        yield _job("patroni", _targets(plan.of_role("store"), ports.PATRONI), scheme="https", tls_config=unverified)
    if plan.keepings.engines:
        yield _job("passive", _targets(plan.of_role("passive"), ports.ENGINE_HTTP))


def _machines(plan: Plan) -> Iterable[dict[str, Any]]:
    """The node exporter of every host; a lab's hosts are one machine, and have none."""
    yield _job("node", _targets(plan.hosts.values(), ports.NODE_EXPORTER))


def _watchdogs(others: Iterable[Host]) -> dict[str, Any]:
    return _job(
        "watchdog",
        _targets(others, ports.PROMETHEUS),
        metrics_path="/federate",
        params={"match[]": ['ALERTS{alertname="Watchdog", monitor=""}']},  # its own, not an echo of a third's
        honor_labels=True,  # the label `monitor` says whose switch it is
        honor_timestamps=False,  # with its own time stamp a dead switch would look alive for five minutes
    )


def _probes(plan: Plan, host: Host) -> Iterable[dict[str, Any]]:
    ready = plan.health_check.path
    yield _probe("probe-entry", "http_ready", _targets(plan.of_role("entry"), ports.ORDERS, "http://{}" + ready), host)
    yield _probe(
        "probe-engine", "http_ready", _targets(plan.of_role("engine"), ports.ENGINE_HTTP, "http://{}" + ready), host
    )
    if plan.keepings.queues:
        health = "https://{}/healthz"
        yield _probe("probe-queue", "https_ready", _targets(plan.of_role("queue"), ports.NATS_MONITOR, health), host)
    if plan.keepings.stores:
        alive = "https://{}/liveness"
        yield _probe("probe-store", "https_ready", _targets(plan.of_role("store"), ports.PATRONI, alive), host)
    yield _probe("probe-site", "icmp_rtt", [_target(it, str(it.address)) for it in plan.of_role("gateway")], host)


def _probe(name: str, module: str, targets: list[dict[str, Any]], host: Host) -> dict[str, Any]:
    relabel = [
        {"source_labels": ["__address__"], "target_label": "__param_target"},
        {"source_labels": ["__param_target"], "target_label": "instance"},
        {"target_label": "__address__", "replacement": f"{host.address}:{ports.BLACKBOX}"},
    ]
    return _job(name, targets, metrics_path="/probe", params={"module": [module]}, relabel_configs=relabel)


def _job(name: str, targets: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"job_name": name, **more, "static_configs": targets}


def _targets(hosts: Iterable[Host], port: int, shape: str = "{}") -> list[dict[str, Any]]:
    return [_target(host, shape.format(f"{host.address}:{port}")) for host in hosts]


def _target(host: Host, address: str) -> dict[str, Any]:
    labels = {"node": host.name, "site": host.site, "provider": host.provider, "role": host.role}
    return {"targets": [address], "labels": labels}


def _notifiers(plan: Plan) -> list[str]:
    return [f"{monitor.address}:{ports.ALERTMANAGER}" for monitor in plan.of_role("monitor")]
