"""etcd: who is primary of a store, and who holds an engine's lease, agreed by majority."""

from __future__ import annotations

from diversite import ports
from diversite.keeping import StorePlan
from diversite.plan import Host, Plan
from services.service import Paths, Ready, Service
from services.writing import yaml

NAME = "etcd"


def service(plan: Plan, host: Host, paths: Paths) -> Service:
    """A member of the store's etcd."""
    store = store_of(plan, host)
    return Service(
        name=NAME,
        command=("etcd", "--config-file", f"{paths.etc}/etcd.yaml"),
        files={f"{paths.etc}/etcd.yaml": config(plan, host, store, paths)},
        ready=Ready(kind="tcp", address=f"{host.address}:{ports.ETCD_CLIENT}"),
    )


def store_of(plan: Plan, host: Host) -> StorePlan:
    """The store whose member a host is."""
    return next(store for store in plan.keepings.stores.values() if host.name in store.members)


def endpoints(plan: Plan, store: StorePlan) -> list[str]:
    """`address:port` of every member, for clients."""
    return [f"{plan.hosts[name].address}:{ports.ETCD_CLIENT}" for name in store.members]


def config(plan: Plan, host: Host, store: StorePlan, paths: Paths) -> str:
    """`etcd.yaml`: the members, and time-outs from the latency matrix."""
    peers = ",".join(f"{name}=http://{plan.hosts[name].address}:{ports.ETCD_PEER}" for name in store.members)
    here = {"client": f"http://{host.address}:{ports.ETCD_CLIENT}", "peer": f"http://{host.address}:{ports.ETCD_PEER}"}
    return yaml(
        {
            "name": host.name,
            "data-dir": f"{paths.data}/member",
            "listen-client-urls": here["client"],
            "advertise-client-urls": here["client"],
            "listen-peer-urls": here["peer"],
            "initial-advertise-peer-urls": here["peer"],
            "initial-cluster": peers,
            "initial-cluster-token": f"{plan.venue}-{store.name}",
            "initial-cluster-state": "new",
            "heartbeat-interval": store.timing.etcd_heartbeat_ms,
            "election-timeout": store.timing.etcd_election_ms,
            "auto-compaction-mode": "periodic",
            "auto-compaction-retention": "1h",
            "enable-v2": False,
            "enable-grpc-gateway": True,  # off where a file configures it, though its default is on
            "logger": "zap",
            "log-level": "warn",
        }
    )
