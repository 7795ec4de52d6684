"""HAProxy: the entrance of orders at a site. Plain HTTP; what ends TLS stands before it."""

from __future__ import annotations

import math
from ipaddress import IPv4Network

from diversite import addresses, ports
from diversite.genesis import ORDER_BYTES_MAX
from diversite.plan import Host, Plan
from services.engine import ACKNOWLEDGE_SECONDS_MAX
from services.service import Paths, Ready, Service
from services.writing import render

NAME = "haproxy"

CONNECTIONS_MAX = 2000
CONNECTIONS_PER_CLIENT_MAX = 100
CONNECT_MS = 500
"""More than the longest round trip between two sites of a continent, and one lost handshake is still noticed."""
SERVER_SECONDS = math.ceil(ACKNOWLEDGE_SECONDS_MAX) + 2
"""Longer than an engine takes to say that it does not know: the entrance must not answer first."""


def service(plan: Plan, host: Host, paths: Paths) -> Service:
    """The balancer of an entrance."""
    path = f"{paths.etc}/haproxy.cfg"
    return Service(
        name=NAME,
        command=("haproxy", "-db", "-f", path),
        files={path: config(plan, host, balancer=_balancer(plan, host) if paths.cloud else None)},
        ready=Ready(kind="http", address=f"{host.address}:{ports.ENTRY_METRICS}", path="/metrics"),
    )


def config(plan: Plan, host: Host, *, balancer: IPv4Network | None = None) -> str:
    """`haproxy.cfg` of an entrance. `balancer`: from where a balancer tells the client's address by the PROXY protocol.

    Others, such as a monitor that probes the entrance, come without it.
    """
    return render(
        "haproxy.cfg.j2",
        host=host,
        engines=engines_in_order(plan, host),
        passive={name: [plan.hosts[it] for it in each.members] for name, each in plan.keepings.engines.items()},
        check=plan.health_check,
        orders_per_second_max=plan.topology.order_entry[host.key].orders_per_second_per_client_max,
        connections_max=CONNECTIONS_MAX,
        connections_per_client_max=CONNECTIONS_PER_CLIENT_MAX,
        connect_ms=CONNECT_MS,
        retries=retries(plan),
        server_seconds=SERVER_SECONDS,
        client_seconds=SERVER_SECONDS + 1,
        body_bytes_max=ORDER_BYTES_MAX,
        orders_port=ports.ORDERS,
        engine_port=ports.ENGINE_HTTP,
        metrics_port=ports.ENTRY_METRICS,
        balancer=balancer,
    )


def engines_in_order(plan: Plan, host: Host) -> list[tuple[Host, bool]]:
    """Every engine that the entrance reaches, nearest first, and whether it is a backup of those before it."""
    reached = [engine for engine in plan.of_role("engine") if (host.site, engine.site) in plan.one_way_ms]
    near_first = sorted(reached, key=lambda engine: (plan.one_way_ms[host.site, engine.site], engine.key))
    return [(engine, engine.site != near_first[0].site) for engine in near_first]


def _balancer(plan: Plan, host: Host) -> IPv4Network | None:
    """Hetzner's balancer speaks from its own address in the site's network; those of the others keep the client's."""
    return addresses.part(plan.sites[host.site].network, "balancer") if host.provider == "hetzner" else None


def retries(plan: Plan) -> int:
    """As many connection attempts as it takes until the health check has taken a dead engine away."""
    return math.ceil(plan.health_check.detection_ms / CONNECT_MS) + 1
