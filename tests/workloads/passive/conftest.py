"""One PostgreSQL, one etcd and one NATS for all tests; each test has an engine of its own in them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import psycopg
import pytest

from services.writing import render
from tests.workloads.passive import servers
from tests.workloads.passive.servers import Servers, await_true
from workloads.passive.settings import Settings

Member = Callable[..., Settings]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers, with the database that an engine owns."""
    servers.require("etcd", "nats-server", f"{servers.BINARIES}/postgres")
    directory = tmp_path_factory.mktemp("servers")
    database, etcd, queue = (servers.free_port() for _ in range(3))
    started = [servers.postgresql(directory, database), servers.etcd(directory, etcd), servers.nats(directory, queue)]
    where = f"host=127.0.0.1 port={database}"
    found = Servers(
        store=f"{where} dbname=venue user=engine",
        administration=f"{where} dbname=postgres user=postgres",
        etcd=f"127.0.0.1:{etcd}",
        queue=f"nats://127.0.0.1:{queue}",
    )
    try:
        await_true(lambda: found.administer("SELECT 1") == [(1,)], what="PostgreSQL")
        await_true(lambda: servers.is_healthy(found.etcd), what="etcd")
        await_true(lambda: servers.listens(queue), what="NATS")
        found.administer("CREATE ROLE engine LOGIN")
        found.administer("CREATE DATABASE venue")
        with psycopg.connect(found.administration.replace("dbname=postgres", "dbname=venue"), autocommit=True) as made:
            made.execute(render("ledger.sql.j2", role="engine").encode())
        yield found
    finally:
        for server in started:
            servers.end(server)


@pytest.fixture
def member(store: Servers) -> Member:
    """Makes the settings of members of one engine that no other test has."""
    engine = f"perp-{next(_numbers)}"

    def make(name: str = "fra", **more: object) -> Settings:
        told = {
            "engine": engine,
            "member": name,
            "site": name,
            "preferred": name == "fra",
            "http": f"127.0.0.1:{servers.free_port()}",
            "store": store.store,
            "etcd": (store.etcd,),
            "queue": (store.queue,),
            "stream": f"orders-{engine}",
            "replicas": 1,
            "lease_seconds": 2,
            "renew_ms": 200,
            "markets": {"BTC-PERP": {"tick": 1, "lot": 1}},
        }
        return Settings.model_validate(told | more)

    return make
