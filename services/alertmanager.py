"""Alertmanager: the monitors' notifiers as one cluster: an alert arrives once, and also when one of them is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from diversite import ports
from diversite.plan import Host, Plan
from services.service import Paths, Ready, Service
from services.writing import yaml

NAME = "alertmanager"

OPERATORS = "operators"
WATCHDOG = "watchdog"
"""The receivers: people, and the dead man's switch outside of the venue that misses the alert that always fires."""
WATCHDOG_REPEAT_SECONDS = 60
NO_WEBHOOKS: Mapping[str, str] = {}


def service(plan: Plan, host: Host, paths: Paths, webhooks: Mapping[str, str] = NO_WEBHOOKS) -> Service:
    """The notifier of a monitor. `webhooks`: address by receiver (`operators`, `watchdog`)."""
    path = f"{paths.etc}/alertmanager.yml"
    return Service(
        name=NAME,
        command=(
            "prometheus-alertmanager",
            f"--config.file={path}",
            f"--storage.path={paths.data}",
            f"--web.listen-address={host.address}:{ports.ALERTMANAGER}",
            f"--cluster.listen-address={host.address}:{ports.ALERTMANAGER_CLUSTER}",
            f"--cluster.advertise-address={host.address}:{ports.ALERTMANAGER_CLUSTER}",
            *_peers(plan, host),
            "--log.level=warn",
        ),
        files={path: config(webhooks)},
        ready=Ready(kind="http", address=f"{host.address}:{ports.ALERTMANAGER}", path="/-/ready"),
    )


def config(webhooks: Mapping[str, str] = NO_WEBHOOKS) -> str:
    """`alertmanager.yml`, the same on every monitor. A receiver without a webhook shows its alerts and tells nobody."""
    return yaml(
        {
            "route": {
                "receiver": OPERATORS,
                "group_by": ["alertname", "site"],
                "group_wait": "5s",
                "group_interval": "30s",
                "repeat_interval": "4h",
                "routes": [_watchdog_route()],
            },
            "inhibit_rules": [_inhibit("SiteLost", "site"), _inhibit("ConsensusHalted", "venue")],
            "receivers": [_receiver(name, webhooks) for name in (OPERATORS, WATCHDOG)],
        }
    )


def _watchdog_route() -> dict[str, Any]:
    repeat = f"{WATCHDOG_REPEAT_SECONDS}s"
    return {
        "receiver": WATCHDOG,
        "matchers": ['alertname="Watchdog"'],
        "group_by": ["monitor"],
        "group_interval": repeat,
        "repeat_interval": repeat,
    }


def _inhibit(cause: str, *shared: str) -> dict[str, Any]:
    """A cause silences the warnings that share its labels, not other critical alerts."""
    return {
        "source_matchers": [f'alertname="{cause}"'],
        "target_matchers": ['severity="warning"'],
        "equal": list(shared),
    }


def _receiver(name: str, webhooks: Mapping[str, str]) -> dict[str, Any]:
    hooks = {"webhook_configs": [{"url": webhooks[name], "send_resolved": True}]} if name in webhooks else {}
    return {"name": name, **hooks}


def _peers(plan: Plan, host: Host) -> Iterable[str]:
    for other in plan.of_role("monitor"):
        if other.name != host.name:
            yield f"--cluster.peer={other.address}:{ports.ALERTMANAGER_CLUSTER}"
