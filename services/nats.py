"""NATS JetStream: a member of an order queue. It syncs before it acknowledges; the software's own default does not."""

from __future__ import annotations

from diversite import ports
from diversite.keeping import QueuePlan
from diversite.plan import Host, Plan
from services.service import Paths, Ready, Service
from services.writing import render

NAME = "nats"
STORE_MEBIBYTES = 256
PAYLOAD_BYTES_MAX = 65_536


def service(plan: Plan, host: Host, paths: Paths) -> Service:
    """The server."""
    path = f"{paths.etc}/nats.conf"
    return Service(
        name=NAME,
        command=("nats-server", "--config", path),
        files={path: config(plan, host, paths)},
        ready=Ready(kind="tcp", address=f"{host.address}:{ports.NATS_CLIENT}"),
    )


def queue_of(plan: Plan, host: Host) -> QueuePlan:
    """The queue whose member a host is."""
    return next(queue for queue in plan.keepings.queues.values() if host.name in queue.members)


def config(plan: Plan, host: Host, paths: Paths) -> str:
    """`nats.conf` of a member."""
    queue = queue_of(plan, host)
    return render(
        "nats.conf.j2",
        host=host,
        queue=queue,
        peers=[plan.hosts[name] for name in queue.members if name != host.name],
        data=paths.data,
        client_port=ports.NATS_CLIENT,
        cluster_port=ports.NATS_CLUSTER,
        monitor_port=ports.NATS_MONITOR,
        store_mebibytes=STORE_MEBIBYTES,
        payload_bytes_max=PAYLOAD_BYTES_MAX,
    )
