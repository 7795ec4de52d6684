"""NATS JetStream: a member of an order queue. It syncs before it acknowledges; the software's own default does not."""

from __future__ import annotations

from diversite import ports
from diversite.keeping import QueuePlan
from diversite.plan import Host, Plan
from services.membership import Membership, engines_of
from services.service import Paths, Ready, Service
from services.writing import render

NAME = "nats"
PEERS, CLIENTS = "peers.pem", "clients.pem"
STORE_MEBIBYTES = 256
PAYLOAD_BYTES_MAX = 65_536


def service(plan: Plan, host: Host, paths: Paths, mine: Membership) -> Service:
    """The server, with which only its peers and the engines of its queue speak."""
    queue = queue_of(plan, host)
    users = [name for engine in engines_of(plan, queue=queue.name) for name in engine.members]
    path = f"{paths.etc}/nats.conf"
    return Service(
        name=NAME,
        command=("nats-server", "--config", path),
        files={
            path: config(plan, host, paths, mine),
            f"{paths.etc}/{PEERS}": mine.trust(queue.members),
            f"{paths.etc}/{CLIENTS}": mine.trust(users),
        },
        ready=Ready(kind="tcp", address=f"{host.address}:{ports.NATS_CLIENT}"),
    )


def queue_of(plan: Plan, host: Host) -> QueuePlan:
    """The queue whose member a host is."""
    return next(queue for queue in plan.keepings.queues.values() if host.name in queue.members)


def stream(queue: QueuePlan, engine: str) -> str:
    """The stream of an engine's orders in a queue."""
    return f"{queue.name}-{engine}"


def config(plan: Plan, host: Host, paths: Paths, mine: Membership) -> str:
    """`nats.conf` of a member."""
    queue = queue_of(plan, host)
    return render(
        "nats.conf.j2",
        host=host,
        queue=queue,
        peers=[plan.hosts[name] for name in queue.members if name != host.name],
        engines=[(it, stream(queue, it.name)) for it in engines_of(plan, queue=queue.name)],
        mine=mine,
        peers_file=f"{paths.etc}/{PEERS}",
        clients_file=f"{paths.etc}/{CLIENTS}",
        data=paths.data,
        client_port=ports.NATS_CLIENT,
        cluster_port=ports.NATS_CLUSTER,
        monitor_port=ports.NATS_MONITOR,
        store_mebibytes=STORE_MEBIBYTES,
        payload_bytes_max=PAYLOAD_BYTES_MAX,
    )
