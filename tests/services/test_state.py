"""What stores, queues and active-passive engines are told is accepted by the programs that read it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are a separate package

from diversite import ports
from diversite.plan import Plan
from services import etcd, nats, passive, patroni, store_proxy
from services.membership import Membership
from tests.services import venues
from tests.services.venues import run, written
from workloads.passive.settings import Settings

MINE = Membership(key="/srv/key.pem", certificate="/srv/certificate.pem", known={})
RUNS_SECONDS = 8
ENDED = 124
"""What `timeout` returns for what it had to end."""


@pytest.fixture(scope="module")
def venue() -> Plan:
    """The example of state beside consensus."""
    return venues.passive()


def files(venue: Plan, directory: Path, role: Any, name: str) -> list[Path]:
    """The first file of a service on every host of a role."""
    return [Path(next(iter(it.files))) for _, it in written(venue, directory, role) if it.name == name]


def test_etcd_takes_its_configuration(venue: Plan, tmp_path: Path) -> None:
    """With its file, etcd runs and waits for its peers until it is ended."""
    path = files(venue, tmp_path, "store", etcd.NAME)[0]
    command = venues.in_own_network("timeout", str(RUNS_SECONDS), "etcd", "--config-file", str(path))
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == ENDED, result.stderr


def test_etcd_has_an_odd_number_of_members_and_their_round_trips_in_its_timers(venue: Plan) -> None:
    """Each member lists all, and its election lasts ten heartbeats of at least a round trip."""
    for host in venue.of_role("store"):
        told = yaml.safe_load(etcd.config(venue, host, etcd.store_of(venue, host), paths(venue), MINE))
        members = told["initial-cluster"].split(",")
        assert len(members) % 2 == 1
        assert host.name in {member.split("=")[0] for member in members}
        assert told["election-timeout"] == 10 * told["heartbeat-interval"]


def test_patroni_takes_its_configuration(venue: Plan, tmp_path: Path) -> None:
    """`patroni --validate-config` finds no fault."""
    for path in files(venue, tmp_path, "store", patroni.NAME):
        result = subprocess.run(
            [str(venues.TOOLS / "patroni"), "--validate-config", "--ignore-listen-port", str(path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_a_store_is_never_promoted_without_every_confirmed_write(venue: Plan) -> None:
    """Quorum commit, strict, without a switch that would take an asynchronous standby."""
    for host in venue.of_role("store"):
        store = etcd.store_of(venue, host)
        told = yaml.safe_load(patroni.config(venue, host, store, paths(venue), MINE))
        assert told["postgresql"]["parameters"]["synchronous_commit"] == "on"
        assert told["postgresql"]["parameters"]["max_slot_wal_keep_size"] == "256MB"  # a lab's disk has 512
        assert ("bootstrap" in told) == (host.name == store.primary), "who may begin a store is its first primary"
        if host.name != store.primary:
            continue
        shared = told["bootstrap"]["dcs"]
        assert (shared["synchronous_mode"], shared["synchronous_mode_strict"]) == ("quorum", True)
        assert shared["synchronous_node_count"] == store.synchronous
        assert shared["loop_wait"] + 2 * shared["retry_timeout"] <= shared["ttl"], "Patroni would correct it"


def test_the_database_is_for_members_and_its_engines_alone(venue: Plan) -> None:
    """Nobody else's address is let in, and an engine is let into nothing but its own database."""
    for host in venue.of_role("store"):
        told = yaml.safe_load(patroni.config(venue, host, etcd.store_of(venue, host), paths(venue), MINE))
        lines = [line.split() for line in told["postgresql"]["pg_hba"] if line.startswith("host")]
        assert {(line[0], line[4]) for line in lines} == {("hostssl", "cert")}
        stores = {f"{it.address}/32" for it in venue.of_role("store")}
        engines = {f"{it.address}/32" for it in venue.of_role("passive")}
        assert {line[3] for line in lines} == stores | engines
        assert {(line[1], line[2]) for line in lines if line[3] in engines} == {(patroni.DATABASE, patroni.ROLE)}


def test_nats_takes_its_configuration(venue: Plan, tmp_path: Path) -> None:
    """`nats-server -t` finds no fault, and it syncs always."""
    for path in files(venue, tmp_path, "queue", nats.NAME):
        run(str(venues.PROJECT / ".tools/bin/nats-server"), "-t", "-c", str(path))
        assert re.search(r"sync_interval: always", path.read_text())


def test_haproxy_takes_the_way_to_the_store(venue: Plan, tmp_path: Path) -> None:
    """`haproxy -c` finds no fault, not even a warning, and the way leads to every member."""
    for path in files(venue, tmp_path, "passive", store_proxy.NAME):
        assert "WARNING" not in run("haproxy", "-c", "-f", str(path))
        for member in venue.of_role("store"):
            assert f"{member.address}:{ports.POSTGRESQL}" in path.read_text()


def test_an_engine_takes_its_settings(venue: Plan) -> None:
    """Each member's file holds as settings, one member is preferred, and all name the same stream."""
    read = [
        Settings.model_validate_json(passive.config(venue, host, paths(venue), MINE))
        for host in venue.of_role("passive")
    ]
    assert [it.preferred for it in read].count(True) == 1
    assert len({it.stream for it in read}) == 1
    assert json.loads(read[0].model_dump_json())["lease_seconds"] * 1000 > 2 * read[0].renew_ms


def paths(venue: Plan) -> Any:
    """Where a host keeps a service's things."""
    return venues.paths_below(Path("/srv"), next(iter(venue.hosts.values())))("any")
