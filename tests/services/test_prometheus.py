"""Prometheus accepts every monitor's configuration, which watches every host of the venue."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from diversite.plan import Plan
from services import Paths, prometheus
from tests.services.venues import europe, run, small, written
from workloads.engine.metrics import Metrics

PATHS = Paths(etc="/etc/prometheus", data="/var/lib/prometheus")


def test_promtool_accepts_every_monitor(venue: Plan, tmp_path: Path) -> None:
    """`promtool check config` finds no fault, in the rules neither."""
    for _, service in written(venue, tmp_path, "monitor"):
        if service.name == prometheus.NAME:
            run("promtool", "check", "config", *(path for path in service.files if path.endswith("prometheus.yml")))


def test_every_host_is_watched_by_every_monitor(venue: Plan) -> None:
    """Each monitor scrapes or probes each host of every role, itself and the other monitors among them."""
    for monitor in venue.of_role("monitor"):
        watched = {labels["node"] for job in _jobs(venue, monitor.name) for labels in _labels(job)}
        assert watched == set(venue.hosts)


def test_a_dead_mans_switch_is_no_echo() -> None:
    """A monitor takes each other's own switch, not what a third remembers of it, and believes no old time stamp."""
    job = next(job for job in _jobs(small(), "monitor-par") if job["job_name"] == "watchdog")
    assert job["params"]["match[]"] == ['ALERTS{alertname="Watchdog", monitor=""}']
    assert job["honor_labels"] is True
    assert job["honor_timestamps"] is False
    assert {labels["node"] for labels in _labels(job)} == {"monitor-lon", "monitor-hel"}


def test_alerts_read_metrics_that_engines_have() -> None:
    """Each engine metric in a rule is one that the reference engine exports."""
    exported = Metrics("par").text().decode()
    (rules,) = (text for path, text in _service(europe()).files.items() if path.endswith("rules.yml"))
    for name in set(re.findall(r"\bengine_[a-z_]+", rules)):
        assert name.removesuffix("_bucket") in exported, name


def test_alerts_read_metrics_that_are_kept() -> None:
    """Each CometBFT metric in a rule passes the filter that drops the rest."""
    (rules,) = (text for path, text in _service(europe()).files.items() if path.endswith("rules.yml"))
    for name in set(re.findall(r"\bcometbft_[a-z0-9_]+", rules)):
        assert re.fullmatch(prometheus.COMETBFT_KEPT, name), name


def _service(venue: Plan) -> Any:
    return prometheus.service(venue, venue.of_role("monitor")[0], PATHS)


def _jobs(venue: Plan, monitor: str) -> list[dict[str, Any]]:
    text = prometheus.config(venue, venue.hosts[monitor], PATHS)
    jobs: list[dict[str, Any]] = YAML(typ="safe").load(text)["scrape_configs"]
    return jobs


def _labels(job: dict[str, Any]) -> list[dict[str, str]]:
    return [target["labels"] for target in job["static_configs"]]
