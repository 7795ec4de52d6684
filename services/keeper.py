"""The keeper of a store's member: takes backups, watches the archive, keeps etcd's leader off the primary's site."""

from __future__ import annotations

import json

from diversite import ports
from diversite.keeping import StorePlan
from diversite.plan import Host, Plan
from services import pgbackrest
from services.etcd import store_of
from services.membership import Membership
from services.service import Paths, Ready, Service

NAME = "keeper"
MEMBERS = "members.pem"


def service(plan: Plan, host: Host, paths: Paths, mine: Membership) -> Service:
    """The keeper."""
    store = store_of(plan, host)
    path = f"{paths.etc}/keeper.json"
    return Service(
        name=NAME,
        command=("python", "-m", "workloads.keeper", "--config", path),
        files={path: config(plan, host, store, paths, mine), f"{paths.etc}/{MEMBERS}": mine.trust(store.members)},
        ready=Ready(kind="tcp", address=f"{host.address}:{ports.KEEPER_METRICS}"),
        user=pgbackrest.USER,
    )


def config(plan: Plan, host: Host, store: StorePlan, paths: Paths, mine: Membership) -> str:
    """`keeper.json` of a member."""
    settings = {
        "store": store.name,
        "member": host.name,
        "sites": dict(store.members),
        "http": f"{host.address}:{ports.KEEPER_METRICS}",
        "patroni": f"{host.address}:{ports.PATRONI}",
        "etcd": {name: f"{plan.hosts[name].address}:{ports.ETCD_CLIENT}" for name in store.members},
        "tls": {"key": mine.key, "certificate": mine.certificate, "members": f"{paths.etc}/{MEMBERS}"},
        "database": pgbackrest.beside(paths, pgbackrest.DATABASE).data,
        "backups": _backups(plan, host, store, paths),
    }
    return json.dumps(settings, indent=2) + "\n"


def _backups(plan: Plan, host: Host, store: StorePlan, paths: Paths) -> dict[str, object] | None:
    there = pgbackrest.beside(paths, pgbackrest.NAME)
    if not pgbackrest.keeps(plan, host, there):
        return None
    timing = store.backup
    return {
        "command": pgbackrest.command(store, there, pgbackrest.KEEPER),
        "incremental_seconds": timing.incremental_seconds,
        "full_seconds": timing.full_seconds,
        "archive_seconds": timing.archive_seconds,
    }
