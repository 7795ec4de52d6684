"""The reference engine accepts what is rendered for it, with its own parsers."""

from __future__ import annotations

import json
from pathlib import Path

from diversite.genesis import ORDER_BYTES_MAX
from diversite.plan import Plan
from tests.services.venues import europe, facts_of, genesis_with, written
from workloads.engine.settings import load_settings, parse_app_state


def test_the_engine_accepts_its_settings(venue: Plan, tmp_path: Path) -> None:
    """Every key is one that the engine knows, with a value that it takes."""
    for host, service in written(venue, tmp_path, "engine"):
        settings = load_settings(Path(next(iter(service.files))))
        assert settings.site == host.site


def test_the_engine_accepts_its_genesis(venue: Plan) -> None:
    """The rules of the venue's markets are those of the topology."""
    rules = parse_app_state(json.dumps(genesis_with(venue, facts_of(venue).validators).app_state.model_dump()).encode())
    assert set(rules.markets) == set(venue.topology.markets)
    assert rules.order_bytes_max == ORDER_BYTES_MAX


def test_an_idle_venue_stays_ready() -> None:
    """Empty blocks come more often than readiness needs one."""
    planned = europe()
    assert planned.timing.empty_blocks_interval_ms < planned.health_check.stall_ms
