"""The Grafana dashboard: its model is whole, and Prometheus understands what it asks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not among the dependencies
from typer.testing import CliRunner

from cli.main import app
from diversite.plan import Plan
from services.dashboard import COLUMNS, dashboard, panels
from tests.services.venues import europe


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The reference venue."""
    return europe()


@pytest.fixture(scope="module")
def model(plan: Plan) -> dict[str, Any]:
    """Its dashboard, read back."""
    read: dict[str, Any] = json.loads(dashboard(plan))
    return read


def test_prometheus_understands_every_query(plan: Plan, tmp_path: Path) -> None:
    """Each panel's expression is PromQL."""
    asked = [query for panel in panels(plan) for query, _ in panel.queries]
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(asked)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    told = subprocess.run(
        ["promtool", "check", "rules", tmp_path / "rules.yaml"], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr


def test_no_two_panels_share_a_place(model: dict[str, Any]) -> None:
    """Panels lie beside each other, within the page's width, each with a number of its own."""
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in model["panels"]]
    assert len(set(places)) == len({panel["id"] for panel in model["panels"]}) == len(places)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= COLUMNS for panel in model["panels"])


def test_every_panel_asks_the_chosen_source(model: dict[str, Any]) -> None:
    """The data source is a variable, so that one dashboard serves any Grafana."""
    assert {panel["datasource"]["uid"] for panel in model["panels"]} == {"${source}"}
    assert model["templating"]["list"][0]["name"] == "source"


def test_the_command_prints_it() -> None:
    """`diversite dashboard` prints the model and nothing else."""
    told = CliRunner().invoke(app, ["dashboard", "europe"])
    assert told.exit_code == 0
    assert json.loads(told.stdout)["title"] == "diversite: europe"
