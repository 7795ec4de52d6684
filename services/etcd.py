"""etcd: who is primary of a store, and who holds an engine's lease, agreed by majority."""

from __future__ import annotations

from diversite import ports
from diversite.keeping import StorePlan
from diversite.plan import Host, Plan
from services.membership import Membership, engines_of
from services.service import Paths, Ready, Service
from services.writing import yaml

NAME = "etcd"
PEERS, CLIENTS = "peers.pem", "clients.pem"


def service(plan: Plan, host: Host, paths: Paths, mine: Membership) -> Service:
    """A member of the store's etcd, with whom only its peers and the store's users speak."""
    store = store_of(plan, host)
    users = [name for engine in engines_of(plan, store=store.name) for name in engine.members]
    return Service(
        name=NAME,
        command=("etcd", "--config-file", f"{paths.etc}/etcd.yaml"),
        files={
            f"{paths.etc}/etcd.yaml": config(plan, host, store, paths, mine),
            f"{paths.etc}/{PEERS}": mine.trust(store.members),
            f"{paths.etc}/{CLIENTS}": mine.trust([*store.members, *users]),
        },
        ready=Ready(kind="tcp", address=f"{host.address}:{ports.ETCD_CLIENT}"),
    )


def store_of(plan: Plan, host: Host) -> StorePlan:
    """The store whose member a host is."""
    return next(store for store in plan.keepings.stores.values() if host.name in store.members)


def endpoints(plan: Plan, store: StorePlan) -> list[str]:
    """`address:port` of every member, for clients."""
    return [f"{plan.hosts[name].address}:{ports.ETCD_CLIENT}" for name in store.members]


def config(plan: Plan, host: Host, store: StorePlan, paths: Paths, mine: Membership) -> str:
    """`etcd.yaml`: the members, and time-outs from the latency matrix."""
    peers = ",".join(f"{name}=https://{plan.hosts[name].address}:{ports.ETCD_PEER}" for name in store.members)
    client, peer = (f"https://{host.address}:{port}" for port in (ports.ETCD_CLIENT, ports.ETCD_PEER))
    shown = {"cert-file": mine.certificate, "key-file": mine.key, "client-cert-auth": True}
    return yaml(
        {
            "name": host.name,
            "data-dir": f"{paths.data}/member",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "listen-metrics-urls": f"http://{host.address}:{ports.ETCD_METRICS}",  # monitors read, and nothing else
            "client-transport-security": {**shown, "trusted-ca-file": f"{paths.etc}/{CLIENTS}"},
            "peer-transport-security": {**shown, "trusted-ca-file": f"{paths.etc}/{PEERS}"},
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
            "log-level": "error",  # 3.4 warns with every question by its JSON gateway that certificates are no users
        }
    )
