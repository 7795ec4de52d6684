"""Patroni: PostgreSQL on a store's member, replicated synchronously, with a primary that needs no person.

Strict quorum commit: a write is confirmed once any `synchronous` standbys have it on disk, and never with fewer. A
standby is promoted only with every confirmed write; there is no asynchronous promotion.
"""

from __future__ import annotations

from typing import Any

from diversite import ports
from diversite.keeping import StorePlan
from diversite.plan import Host, Plan
from services import pgbackrest
from services.etcd import endpoints, store_of
from services.membership import Membership, engines_of
from services.service import Paths, Ready, Service
from services.writing import render, yaml

NAME = "patroni"
USER = "postgres"
"""PostgreSQL refuses to run as root."""
ACCOUNT = "diversite"
"""What services run as on a cloud's host."""
MEMBERS, CLIENTS = "members.pem", "clients.pem"
RESTORE = "restore.sh"
BINARIES = "/usr/lib/postgresql/15/bin"
"""Where Debian 12 keeps them."""
DATABASE = "venue"
ROLE = "engine"
"""What an active-passive engine is to the store: it reads and adds to its tables, and owns nothing."""
_BEGUN = {"database": DATABASE, "role": ROLE}
CONNECTIONS_MAX = 100
LOG_MEBIBYTES = {"lab": (96, 256), "cloud": (1024, 32_768)}
"""How much log is written until a checkpoint at the latest, and is kept for a standby that is away. The disk of
a lab's host has 512 MiB, of which etcd takes a quarter, and full it would end the store. A standby that was away for
longer is made anew (`patronictl reinit`)."""


def service(plan: Plan, host: Host, paths: Paths, mine: Membership) -> Service:
    """Patroni and the PostgreSQL that it runs."""
    store = store_of(plan, host)
    users = [name for engine in engines_of(plan, store=store.name) for name in engine.members]
    path, begin = f"{paths.etc}/patroni.yaml", f"{paths.etc}/begin.sh"
    return Service(
        name=NAME,
        command=("patroni", path),
        files={
            path: config(plan, host, store, paths, mine),
            f"{paths.etc}/{MEMBERS}": mine.trust(store.members),
            f"{paths.etc}/{CLIENTS}": mine.trust([*store.members, *users]),
            begin: render("store_begin.sh.j2" if store.restored is None else "store_restored.sh.j2", **_BEGUN),
            **_restoring(host, store, paths),
        },
        ready=Ready(kind="tcp", address=f"{host.address}:{ports.PATRONI}", seconds_max=60),
        user=USER,
    )


def config(plan: Plan, host: Host, store: StorePlan, paths: Paths, mine: Membership) -> str:
    """`patroni.yaml` of a member. Whoever may reach it may read; what changes anything takes a member's certificate."""
    members = f"{paths.etc}/{MEMBERS}"
    return yaml(
        {
            "scope": store.name,
            "name": host.name,
            "restapi": {
                "listen": f"{host.address}:{ports.PATRONI}",
                "connect_address": f"{host.address}:{ports.PATRONI}",
                "certfile": mine.certificate,
                "keyfile": mine.key,
                "cafile": members,
                "verify_client": "optional",
            },
            "ctl": {"certfile": mine.certificate, "keyfile": mine.key, "cacert": members},
            "etcd3": {
                "hosts": endpoints(plan, store),
                "protocol": "https",
                "cacert": members,
                "cert": mine.certificate,
                "key": mine.key,
            },
            **_bootstrap(host, store, paths),
            "postgresql": _postgresql(plan, host, store, paths, mine),
            "watchdog": {"mode": "off"},
            "tags": {"failover_priority": 2 if host.name == store.primary else 1},
        }
    )


def _bootstrap(host: Host, store: StorePlan, paths: Paths) -> dict[str, Any]:
    """How a store begins: by the planned primary alone, so that it is the first one. Others wait for it."""
    timing = store.timing
    if host.name != store.primary:
        return {}
    begins: dict[str, Any] = {"initdb": [{"encoding": "UTF8"}, "data-checksums"]}
    if store.restored:
        told = {"command": f"sh {paths.etc}/{RESTORE}", "no_params": True, "keep_existing_recovery_conf": True}
        begins = {"method": "pgbackrest", "pgbackrest": told}
    return {
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
            **begins,
            "post_bootstrap": f"sh {paths.etc}/begin.sh",
        }
    }


def _restoring(host: Host, store: StorePlan, paths: Paths) -> dict[str, str]:
    if store.restored is None or host.name != store.primary:
        return {}
    return {f"{paths.etc}/{RESTORE}": pgbackrest.begin(store, paths)}


def _postgresql(plan: Plan, host: Host, store: StorePlan, paths: Paths, mine: Membership) -> dict[str, Any]:
    milliseconds = f"{store.timing.connection_timeout_ms}ms"
    written, kept = LOG_MEBIBYTES["cloud" if paths.cloud else "lab"]
    shown = {"sslmode": "verify-ca", "sslcert": mine.certificate, "sslkey": mine.key}
    secured = {**shown, "sslrootcert": f"{paths.etc}/{MEMBERS}"}
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
            "replication": {"username": "replicator", **secured},
            "rewind": {"username": "rewinder", **secured},
        },
        "parameters": {
            "unix_socket_directories": paths.data,
            "max_connections": CONNECTIONS_MAX,
            "shared_buffers": "64MB",
            "max_wal_size": f"{written}MB",
            "max_slot_wal_keep_size": f"{kept}MB",
            "synchronous_commit": "on",
            "wal_sender_timeout": milliseconds,
            "wal_receiver_timeout": milliseconds,
            "wal_retrieve_retry_interval": "500ms",
            "tcp_user_timeout": milliseconds,
            "log_checkpoints": "off",
            **pgbackrest.archiving(store, paths),
            "ssl": "on",
            "ssl_min_protocol_version": "TLSv1.3",
            "ssl_cert_file": mine.certificate,
            "ssl_key_file": mine.key,
            "ssl_ca_file": f"{paths.etc}/{CLIENTS}",
        },
        "pg_hba": _who_may(plan, store),
        "pg_ident": _who_is(plan, store),
    }


def _who_may(plan: Plan, store: StorePlan) -> list[str]:
    """The superuser only on the host itself; over the network by certificate: members replicate, engines reach their
    own database. By address too, which the packet filter vouches for.
    """
    members = [plan.hosts[name].address for name in store.members]
    engines = [plan.hosts[name].address for it in engines_of(plan, store=store.name) for name in it.members]
    return [
        f"local all {USER} peer map=here",
        "local replication replicator peer map=here",
        *(f"hostssl replication replicator {address}/32 cert map=members" for address in members),
        *(f"hostssl postgres rewinder {address}/32 cert map=members" for address in members),
        *(f"hostssl {DATABASE} {ROLE} {address}/32 cert map=engines" for address in engines),
    ]


def _who_is(plan: Plan, store: StorePlan) -> list[str]:
    """Which role each may take: the accounts that Patroni runs as, and certificates by the host that they name."""
    accounts = [f"here {account} {role}" for account in (USER, ACCOUNT) for role in (USER, "replicator")]
    members = [f"members {name} {role}" for name in store.members for role in ("replicator", "rewinder")]
    engines = [f"engines {name} {ROLE}" for it in engines_of(plan, store=store.name) for name in it.members]
    return [*accounts, *members, *engines]
