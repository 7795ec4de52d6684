"""HAProxy on an engine's own host: one address for the store, which leads to whoever is primary by Patroni's word."""

from __future__ import annotations

from diversite import ports
from diversite.plan import Host, Plan
from services.service import Paths, Ready, Service
from services.writing import render

NAME = "store-proxy"

CHECK_MS = 500
FALL = 2


def service(plan: Plan, host: Host, paths: Paths) -> Service:
    """The proxy."""
    path = f"{paths.etc}/haproxy.cfg"
    return Service(
        name=NAME,
        command=("haproxy", "-db", "-f", path),
        files={path: config(plan, host)},
        ready=Ready(kind="none"),
    )


def config(plan: Plan, host: Host) -> str:
    """`haproxy.cfg`: sessions end at once when their primary is one no more."""
    engine = next(engine for engine in plan.keepings.engines.values() if host.name in engine.members)
    store = plan.keepings.stores[engine.store]
    return render(
        "store_proxy.cfg.j2",
        host=host,
        members=[plan.hosts[name] for name in store.members],
        proxy_port=ports.STORE_PROXY,
        database_port=ports.POSTGRESQL,
        patroni_port=ports.PATRONI,
        check_ms=CHECK_MS,
        fall=FALL,
    )
