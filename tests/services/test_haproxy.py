"""HAProxy accepts every entrance, and each entrance prefers the nearest engine that is ready."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from diversite.plan import Plan
from services import engine, haproxy
from tests.services.venues import europe, in_own_network, passive, run, small, written

PROJECT = Path(__file__).parents[2]


def test_haproxy_accepts_every_entrance(venue: Plan, tmp_path: Path) -> None:
    """`haproxy -c` finds no fault in any entrance's configuration, not even a warning."""
    for _, service in written(venue, tmp_path, "entry"):
        assert "WARNING" not in run("haproxy", "-c", "-f", next(iter(service.files)))


def test_the_sites_own_engine_takes_all_while_it_is_ready() -> None:
    """Engines of the entrance's site serve; all others are backups, nearest first."""
    venue = europe()
    entry = venue.hosts["entry-lon"]
    order = haproxy.engines_in_order(venue, entry)
    assert [(engine.key, backup) for engine, backup in order[:1]] == [("lon", False)]
    assert all(backup for _, backup in order[1:])
    delays = [venue.one_way_ms["lon", engine.site] for engine, _ in order]
    assert delays == sorted(delays)


def test_an_entrance_without_an_engine_uses_the_nearest_site() -> None:
    """Where no engine stands beside the entrance, the nearest site's engines are no backups."""
    venue = small()
    order = haproxy.engines_in_order(venue, venue.hosts["entry-hel"])
    serving = {engine.site for engine, backup in order if not backup}
    assert serving == {order[0][0].site} == {"nbg"}


def test_an_active_passive_engine_is_reached_by_its_name() -> None:
    """Orders go to the member that works, and wait at any other whose queue answers while none does."""
    venue = passive()
    told = haproxy.config(venue, venue.hosts["entry-fra"])
    assert "use_backend perp if { path_beg /engines/perp/ }" in told
    servers = [line.split() for line in told.split("backend perp\n")[1].split("backend ")[0].splitlines()]
    kinds = [line[3:] for line in servers if line[:1] == ["server"]]
    working = [kind for kind in kinds if kind[0] == "track"]
    assert [kind[-1].partition("/")[0] for kind in kinds] == ["perp-works"] * 2 + ["perp-ready"] * 2
    assert working == kinds[:2], "the others are backups"


def test_a_client_is_held_to_its_orders_a_second() -> None:
    """The limit is the topology's own, and what exceeds it is told so with 429."""
    venue = small()
    assert "deny_status 429 if { sc_http_req_rate(0) gt 7 }" in haproxy.config(venue, venue.hosts["entry-hel"])


def test_an_order_is_tried_until_a_dead_engine_is_noticed() -> None:
    """The attempts of one order last longer than the health check needs to take an engine away."""
    venue = europe()
    assert haproxy.retries(venue) * haproxy.CONNECT_MS >= venue.health_check.detection_ms


def test_the_engine_answers_before_the_entrance_gives_up() -> None:
    """An order without a block is the engine's to call indeterminate, not a time-out of the balancer."""
    assert haproxy.SERVER_SECONDS > engine.ACKNOWLEDGE_SECONDS_MAX


@pytest.mark.lab
def test_an_order_outlives_its_engine(tmp_path: Path) -> None:
    """The order that meets a dead engine is answered by the next nearest; a burst and a large body are refused."""
    (service,) = (service for host, service in written(small(), tmp_path, "entry"))
    command = in_own_network("--pid", "--fork", "--kill-child", sys.executable, "-m", "tests.services.entrance")
    result = subprocess.run(
        [*command, next(iter(service.files))], cwd=PROJECT, capture_output=True, text=True, timeout=90, check=True
    )
    seen = json.loads(result.stdout)
    order = [engine.key for engine, _ in haproxy.engines_in_order(small(), small().hosts["entry-hel"])]
    assert seen["before"] == [200, order[0]], result.stderr
    assert seen["after"] == [200, order[1]], result.stderr
    assert seen["large"] == 413
    assert seen["burst"] == [200, 429]
