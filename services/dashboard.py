"""A Grafana dashboard of a venue, as its JSON model: what an operator looks at first, in the order of asking.

Do orders go through, does consensus go on, do the books agree, do the links hold, are the machines well. Every panel
reads metrics that `services.prometheus` scrapes; limits in it are the plan's own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from diversite.plan import Plan
from services.alerts import NEWEST_BOOKS

SCHEMA_VERSION = 39
"""Of Grafana 10 and later, which read it and migrate by themselves."""
COLUMNS, WIDTH, HEIGHT = 24, 8, 8


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One graph."""

    title: str
    says: str
    """What to see in it."""
    queries: Sequence[tuple[str, str]]
    """PromQL and its legend."""
    unit: str = "short"
    limit: float | None = None
    """Where the line turns red."""


def dashboard(plan: Plan) -> str:
    """The dashboard of a venue, for Grafana's import; its data source is asked for there."""
    model = {
        "title": f"diversite: {plan.venue}",
        "uid": f"diversite-{plan.venue}",
        "tags": ["diversite"],
        "schemaVersion": SCHEMA_VERSION,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus"}]},
        "annotations": {"list": [_alerts()]},
        "panels": [_placed(number, panel) for number, panel in enumerate(panels(plan))],
    }
    return json.dumps(model, indent=2) + "\n"


def panels(plan: Plan) -> tuple[Panel, ...]:
    """Every panel, in the order of asking."""
    return (*_orders(plan), *_consensus(plan), *_network(), *_machines())


def _orders(plan: Plan) -> tuple[Panel, ...]:
    quantiles = [
        (f"histogram_quantile({q}, sum by (le) (rate(engine_acknowledge_seconds_bucket[1m])))", f"p{round(100 * q)}")
        for q in (0.5, 0.99)
    ]
    return (
        Panel(
            title="Order to acknowledgement",
            says=f"the wire alone takes {plan.order_limit_ms:.0f} ms at the median in this placement",
            queries=quantiles,
            unit="s",
        ),
        Panel(
            title="Engines that could acknowledge",
            says="by entrance; without any, no order goes through",
            queries=[('haproxy_backend_active_servers{proxy="engines"}', "{{instance}}")],
            limit=0,
        ),
        Panel(
            title="Refused and indeterminate",
            says="an indeterminate order is asked for again with its key",
            queries=[
                ("sum by (reason) (rate(engine_refused_total[1m]))", "{{reason}}"),
                ("sum(rate(engine_indeterminate_total[1m]))", "indeterminate"),
            ],
            unit="ops",
        ),
    )


def _consensus(plan: Plan) -> tuple[Panel, ...]:
    return (
        Panel(
            title="Blocks",
            says="a second; the lowest validator is behind",
            queries=[("rate(cometbft_consensus_latest_block_height[30s])", "{{instance}}")],
            unit="ops",
        ),
        Panel(
            title="Rounds",
            says="above zero a proposer did not come through in time",
            queries=[("max by (instance) (cometbft_consensus_rounds)", "{{instance}}")],
            limit=1,
        ),
        Panel(
            title="Books",
            says="one value at each height, or somebody is wrong",
            queries=[(f'count(count_values("hash", {NEWEST_BOOKS}))', "different hashes")],
            limit=2,
        ),
        Panel(
            title="Peers",
            says=f"each of {len(plan.of_role('validator'))} validators sees all others",
            queries=[("cometbft_p2p_peers", "{{instance}}")],
        ),
    )


def _network() -> tuple[Panel, ...]:
    return (
        Panel(
            title="Round trips",
            says="between monitors and sites, against what the catalogue lets them be",
            queries=[
                ('probe_icmp_duration_seconds{phase="rtt"}', "{{instance}}"),
                ("diversite:rtt_high_seconds", "at most: {{site}}"),
            ],
            unit="s",
        ),
        Panel(
            title="What does not answer",
            says="scrapes and probes, by site",
            queries=[("count by (site) (up == 0 or probe_success == 0)", "{{site}}")],
            limit=1,
        ),
    )


def _machines() -> tuple[Panel, ...]:
    return (
        Panel(
            title="Clock offset",
            says="in clouds only",
            queries=[("node_timex_offset_seconds", "{{instance}}")],
            unit="s",
        ),
        Panel(
            title="Disk left",
            says="in clouds only",
            queries=[
                (
                    'node_filesystem_avail_bytes{mountpoint="/var/lib/diversite"} / node_filesystem_size_bytes',
                    "{{instance}}",
                )
            ],
            unit="percentunit",
        ),
        Panel(
            title="Processor pressure",
            says="the share of time in which something waited",
            queries=[("rate(node_pressure_cpu_waiting_seconds_total[1m])", "{{instance}}")],
            unit="percentunit",
        ),
    )


def _placed(number: int, panel: Panel) -> dict[str, Any]:
    per_row = COLUMNS // WIDTH
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "gridPos": {"h": HEIGHT, "w": WIDTH, "x": number % per_row * WIDTH, "y": number // per_row * HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "thresholds": _thresholds(panel.limit)}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": expression, "legendFormat": legend}
            for index, (expression, legend) in enumerate(panel.queries)
        ],
    }


def _thresholds(limit: float | None) -> dict[str, Any]:
    red = [] if limit is None else [{"color": "red", "value": limit}]
    return {"mode": "absolute", "steps": [{"color": "green", "value": None}, *red]}


def _alerts() -> dict[str, Any]:
    return {
        "name": "Alerts",
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "enable": True,
        "iconColor": "red",
        "expr": 'ALERTS{alertstate="firing", alertname!="Watchdog"}',
        "titleFormat": "{{alertname}} {{site}}",
    }
