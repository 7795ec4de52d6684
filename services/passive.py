"""The reference active-passive engine: one member works while it holds the lease, the others follow the store."""

from __future__ import annotations

import json

from diversite import ports
from diversite.genesis import ORDER_BYTES_MAX
from diversite.keeping import PassivePlan
from diversite.plan import Host, Plan
from services.engine import ACKNOWLEDGE_SECONDS_MAX
from services.etcd import endpoints
from services.membership import Membership
from services.nats import stream
from services.patroni import DATABASE, ROLE
from services.service import Paths, Ready, Service

NAME = "passive"
STORE, QUEUE = "store.pem", "queue.pem"


def service(plan: Plan, host: Host, paths: Paths, mine: Membership) -> Service:
    """The engine's process: its entrance on every member, its work on the one with the lease."""
    path = f"{paths.etc}/passive.json"
    return Service(
        name=NAME,
        command=("python", "-m", "workloads.passive", "--config", path),
        files={path: config(plan, host, paths, mine), **_trust(plan, host, paths, mine)},
        ready=Ready(kind="tcp", address=f"{host.address}:{ports.ENGINE_HTTP}"),
    )


def config(plan: Plan, host: Host, paths: Paths, mine: Membership) -> str:
    """`passive.json`: where it listens, its store, its queue and its lease."""
    engine = _engine_of(plan, host)
    store, queue = plan.keepings.stores[engine.store], plan.keepings.queues[engine.queue]
    settings = {
        "engine": engine.name,
        "member": host.name,
        "site": host.site,
        "preferred": host.name == next(iter(engine.members)),
        "http": f"{host.address}:{ports.ENGINE_HTTP}",
        "store": f"host=127.0.0.1 port={ports.STORE_PROXY} dbname={DATABASE} user={ROLE} {_secured(paths, mine)}",
        "etcd": endpoints(plan, store),
        "queue": [f"tls://{plan.hosts[name].address}:{ports.NATS_CLIENT}" for name in queue.members],
        "tls": {
            "key": mine.key,
            "certificate": mine.certificate,
            "etcd": f"{paths.etc}/{STORE}",
            "queue": f"{paths.etc}/{QUEUE}",
        },
        "sites": {
            "store": {str(plan.hosts[name].address): site for name, site in store.members.items()},
            "queue": dict(queue.members),
        },
        "stream": stream(queue, engine.name),
        "replicas": queue.replicas,
        "messages_max": queue.messages_max,
        "lease_seconds": engine.timing.lease_seconds,
        "renew_ms": engine.timing.renew_ms,
        "order_bytes_max": ORDER_BYTES_MAX,
        "acknowledge_seconds_max": ACKNOWLEDGE_SECONDS_MAX,
        "markets": {name: {"tick": it.tick, "lot": it.lot} for name, it in plan.topology.markets.items()},
    }
    return json.dumps(settings, indent=2) + "\n"


def _engine_of(plan: Plan, host: Host) -> PassivePlan:
    return next(engine for engine in plan.keepings.engines.values() if host.name in engine.members)


def _trust(plan: Plan, host: Host, paths: Paths, mine: Membership) -> dict[str, str]:
    engine, keepings = _engine_of(plan, host), plan.keepings
    return {
        f"{paths.etc}/{STORE}": mine.trust(keepings.stores[engine.store].members),
        f"{paths.etc}/{QUEUE}": mine.trust(keepings.queues[engine.queue].members),
    }


def _secured(paths: Paths, mine: Membership) -> str:
    """One of the store's members must answer; which one, the way through the proxy decides."""
    return f"sslmode=verify-ca sslrootcert={paths.etc}/{STORE} sslcert={mine.certificate} sslkey={mine.key}"
