"""HAProxy on an engine's own host: one address for the store, which leads to whoever is primary by Patroni's word."""

from __future__ import annotations

from diversite import ports
from diversite.keeping import StorePlan
from diversite.plan import Host, Plan
from services.membership import Membership
from services.service import Paths, Ready, Service
from services.writing import render

NAME = "store-proxy"
STORE = "store.pem"

CHECK_MS = 500
FALL = 2


def service(plan: Plan, host: Host, paths: Paths, mine: Membership) -> Service:
    """The proxy."""
    path, trust = f"{paths.etc}/haproxy.cfg", f"{paths.etc}/{STORE}"
    return Service(
        name=NAME,
        command=("haproxy", "-db", "-f", path),
        files={path: config(plan, host, trust), trust: mine.trust(store_of(plan, host).members)},
        ready=Ready(kind="none"),
    )


def store_of(plan: Plan, host: Host) -> StorePlan:
    """The store of the engine whose member a host is."""
    engine = next(engine for engine in plan.keepings.engines.values() if host.name in engine.members)
    return plan.keepings.stores[engine.store]


def config(plan: Plan, host: Host, trust: str) -> str:
    """`haproxy.cfg`: sessions end at once when their primary is one no more. `trust`: the path of the store's file."""
    store = store_of(plan, host)
    return render(
        "store_proxy.cfg.j2",
        host=host,
        members=[plan.hosts[name] for name in store.members],
        proxy_port=ports.STORE_PROXY,
        database_port=ports.POSTGRESQL,
        patroni_port=ports.PATRONI,
        trust=trust,
        check_ms=CHECK_MS,
        fall=FALL,
    )
