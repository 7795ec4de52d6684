"""Patroni: PostgreSQL on a store's member, replicated synchronously, with a primary that needs no person.

Strict quorum commit: a write is confirmed once any `synchronous` standbys have it on disk, and never with fewer. A
standby is promoted only with every confirmed write; there is no asynchronous promotion.
"""

from __future__ import annotations

from typing import Any

from diversite import ports
from diversite.keeping import StorePlan
from diversite.plan import Host, Plan
from services.etcd import endpoints, store_of
from services.service import Paths, Ready, Service
from services.writing import render, yaml

NAME = "patroni"
USER = "postgres"
"""PostgreSQL refuses to run as root."""
BINARIES = "/usr/lib/postgresql/15/bin"
"""Where Debian 12 keeps them."""
DATABASE = "venue"
ROLE = "engine"
"""What an active-passive engine is to the store: it owns its tables and nothing else."""
CONNECTIONS_MAX = 100


def service(plan: Plan, host: Host, paths: Paths) -> Service:
    """Patroni and the PostgreSQL that it runs."""
    store = store_of(plan, host)
    path, begin = f"{paths.etc}/patroni.yaml", f"{paths.etc}/begin.sh"
    return Service(
        name=NAME,
        command=("patroni", path),
        files={
            path: config(plan, host, store, paths),
            begin: render("store_begin.sh.j2", database=DATABASE, role=ROLE),
        },
        ready=Ready(kind="http", address=f"{host.address}:{ports.PATRONI}", path="/liveness", seconds_max=60),
        user=USER,
    )


def config(plan: Plan, host: Host, store: StorePlan, paths: Paths) -> str:
    """`patroni.yaml` of a member."""
    timing = store.timing
    return yaml(
        {
            "scope": store.name,
            "name": host.name,
            "restapi": {
                "listen": f"{host.address}:{ports.PATRONI}",
                "connect_address": f"{host.address}:{ports.PATRONI}",
            },
            "etcd3": {"hosts": endpoints(plan, store)},
            "bootstrap": {
                "dcs": {
                    "ttl": timing.patroni_ttl_seconds,
                    "loop_wait": timing.patroni_loop_wait_seconds,
                    "retry_timeout": timing.patroni_retry_timeout_seconds,
                    "primary_start_timeout": timing.patroni_primary_start_timeout_seconds,
                    "synchronous_mode": "quorum",
                    "synchronous_mode_strict": True,
                    "synchronous_node_count": store.synchronous,
                    "postgresql": {"use_pg_rewind": True, "use_slots": True},
                },
                "initdb": [{"encoding": "UTF8"}, "data-checksums"],
                "post_bootstrap": f"sh {paths.etc}/begin.sh",
            },
            "postgresql": _postgresql(plan, host, store, paths),
            "watchdog": {"mode": "off"},
            "tags": {"failover_priority": 2 if host.name == store.primary else 1},
        }
    )


def _postgresql(plan: Plan, host: Host, store: StorePlan, paths: Paths) -> dict[str, Any]:
    milliseconds = f"{store.timing.connection_timeout_ms}ms"
    return {
        "listen": f"{host.address}:{ports.POSTGRESQL}",
        "connect_address": f"{host.address}:{ports.POSTGRESQL}",
        "data_dir": f"{paths.data}/database",
        "bin_dir": BINARIES,
        "basebackup": [{"checkpoint": "fast"}],  # by default a new standby waits minutes for the next one
        "pgpass": f"{paths.data}/pgpass",
        "use_unix_socket": True,
        "use_unix_socket_repl": True,
        "authentication": {
            "superuser": {"username": USER},
            "replication": {"username": "replicator"},
            "rewind": {"username": "rewinder"},
        },
        "parameters": {
            "unix_socket_directories": paths.data,
            "max_connections": CONNECTIONS_MAX,
            "shared_buffers": "64MB",
            "synchronous_commit": "on",
            "wal_sender_timeout": milliseconds,
            "wal_receiver_timeout": milliseconds,
            "wal_retrieve_retry_interval": "500ms",
            "tcp_user_timeout": milliseconds,
            "log_checkpoints": "off",
        },
        "pg_hba": _who_may(plan, store),
    }


def _who_may(plan: Plan, store: StorePlan) -> list[str]:
    """Members replicate, engines reach their own database; by address, which the packet filter vouches for."""
    members = [plan.hosts[name].address for name in store.members]
    engines = [
        plan.hosts[name].address
        for engine in plan.keepings.engines.values()
        if engine.store == store.name
        for name in engine.members
    ]
    return [
        f"local all {USER} trust",
        "local replication replicator trust",
        *(f"host replication replicator {address}/32 trust" for address in members),
        *(f"host all {name} {address}/32 trust" for address in members for name in (USER, "rewinder")),
        *(f"host {DATABASE} {ROLE} {address}/32 trust" for address in engines),
    ]
