"""Every port once, and who may speak to whom. Every firewall is generated from `FLOWS`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["gateway", "validator", "engine", "entry", "monitor", "store", "queue", "passive"]
Peer = Role | Literal["client", "operator"]
Protocol = Literal["tcp", "udp", "ospf"]

SSH = 22
COMETBFT_P2P = 26656
COMETBFT_RPC = 26657
COMETBFT_ABCI = 26658
COMETBFT_METRICS = 26660
ENGINE_HTTP = 8080
ORDERS = 8443
ENTRY_METRICS = 8404
PROMETHEUS = 9090
ALERTMANAGER = 9093
ALERTMANAGER_CLUSTER = 9094
BLACKBOX = 9115
WATCHDOG = 9099
NODE_EXPORTER = 9100
BFD_CONTROL = 3784
WIREGUARD = 51820
POSTGRESQL = 5432
PATRONI = 8008
ETCD_CLIENT = 2379
ETCD_PEER = 2380
ETCD_METRICS = 2381
PGBACKREST = 8432
KEEPER_METRICS = 9187
NATS_CLIENT = 4222
NATS_CLUSTER = 6222
NATS_MONITOR = 8222
STORE_PROXY = 5000
"""On the loopback of a host that uses a store: HAProxy leads it to the primary."""

IAP_NETWORK = "35.235.240.0/20"
"""From where Google's Identity-Aware Proxy reaches hosts, for operators whom it has let in."""
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, kw_only=True)
class Flow:
    """One thing that may be said: who, to whom, on which port, and what for."""

    source: Peer
    target: Role
    protocol: Protocol
    port: int
    purpose: str
    scope: Literal["venue", "site", "link", "public", "operators"] = "venue"
    """`site`: only inside one site; `link`: only over a link's own addresses; `public`: from anywhere; `operators`:
    from where the provider lets people in (`IAP_NETWORK` on Google; at Hetzner the gateway, and from it the site; AWS's
    agent calls out, so nothing comes in)."""
    only_in_clouds: bool = False
    """Whether a rehearsal has nothing there."""


FLOWS: tuple[Flow, ...] = (
    Flow(source="validator", target="validator", protocol="tcp", port=COMETBFT_P2P, purpose="consensus gossip"),
    Flow(
        source="engine", target="validator", protocol="tcp", port=COMETBFT_RPC, purpose="submits orders", scope="site"
    ),
    Flow(source="monitor", target="validator", protocol="tcp", port=COMETBFT_RPC, purpose="compares heights"),
    Flow(
        source="validator",
        target="validator",
        protocol="tcp",
        port=COMETBFT_RPC,
        purpose="asks what to trust when it has no chain",
        only_in_clouds=True,
    ),
    Flow(
        source="validator", target="engine", protocol="tcp", port=COMETBFT_ABCI, purpose="executes blocks", scope="site"
    ),
    Flow(source="monitor", target="validator", protocol="tcp", port=COMETBFT_METRICS, purpose="scrapes CometBFT"),
    Flow(source="entry", target="engine", protocol="tcp", port=ENGINE_HTTP, purpose="passes orders, checks readiness"),
    Flow(
        source="monitor",
        target="engine",
        protocol="tcp",
        port=ENGINE_HTTP,
        purpose="scrapes the engine, probes readiness",
    ),
    Flow(source="client", target="entry", protocol="tcp", port=ORDERS, purpose="sends orders", scope="public"),
    Flow(source="monitor", target="entry", protocol="tcp", port=ORDERS, purpose="probes the entrance"),
    Flow(source="monitor", target="entry", protocol="tcp", port=ENTRY_METRICS, purpose="scrapes HAProxy"),
    Flow(source="monitor", target="monitor", protocol="tcp", port=PROMETHEUS, purpose="watches the other monitor"),
    Flow(source="monitor", target="monitor", protocol="tcp", port=ALERTMANAGER, purpose="sends alerts to both"),
    Flow(
        source="monitor",
        target="monitor",
        protocol="tcp",
        port=ALERTMANAGER_CLUSTER,
        purpose="shares what was notified",
    ),
    Flow(
        source="monitor",
        target="monitor",
        protocol="udp",
        port=ALERTMANAGER_CLUSTER,
        purpose="shares what was notified",
    ),
    Flow(source="monitor", target="monitor", protocol="tcp", port=BLACKBOX, purpose="probes", scope="site"),
    Flow(source="monitor", target="monitor", protocol="tcp", port=WATCHDOG, purpose="dead man's switch"),
    Flow(
        source="gateway",
        target="gateway",
        protocol="udp",
        port=BFD_CONTROL,
        purpose="detects a dead link",
        scope="link",
    ),
    Flow(source="gateway", target="gateway", protocol="ospf", port=0, purpose="routes between sites", scope="link"),
    Flow(source="store", target="store", protocol="tcp", port=POSTGRESQL, purpose="replicates"),
    Flow(source="store", target="store", protocol="tcp", port=PATRONI, purpose="asks how far a member is"),
    Flow(source="store", target="store", protocol="tcp", port=ETCD_CLIENT, purpose="holds the store's lease"),
    Flow(source="store", target="store", protocol="tcp", port=ETCD_PEER, purpose="agrees who holds a lease"),
    Flow(source="store", target="store", protocol="tcp", port=PGBACKREST, purpose="archives, backs up, restores"),
    Flow(source="monitor", target="store", protocol="tcp", port=KEEPER_METRICS, purpose="scrapes the keeper"),
    Flow(source="passive", target="store", protocol="tcp", port=POSTGRESQL, purpose="commits what it applied"),
    Flow(source="passive", target="store", protocol="tcp", port=PATRONI, purpose="finds the primary"),
    Flow(source="passive", target="store", protocol="tcp", port=ETCD_CLIENT, purpose="holds the engine's lease"),
    Flow(source="monitor", target="store", protocol="tcp", port=PATRONI, purpose="scrapes Patroni"),
    Flow(source="monitor", target="store", protocol="tcp", port=ETCD_METRICS, purpose="scrapes etcd"),
    Flow(source="queue", target="queue", protocol="tcp", port=NATS_CLUSTER, purpose="replicates messages"),
    Flow(source="passive", target="queue", protocol="tcp", port=NATS_CLIENT, purpose="publishes and reads orders"),
    Flow(source="monitor", target="queue", protocol="tcp", port=NATS_MONITOR, purpose="scrapes the queue"),
    Flow(source="entry", target="passive", protocol="tcp", port=ENGINE_HTTP, purpose="passes orders, checks readiness"),
    Flow(source="monitor", target="passive", protocol="tcp", port=ENGINE_HTTP, purpose="scrapes, probes readiness"),
    Flow(source="gateway", target="gateway", protocol="udp", port=WIREGUARD, purpose="encrypts a link", scope="public"),
    *(
        Flow(
            source="monitor",
            target=role,
            protocol="tcp",
            port=NODE_EXPORTER,
            purpose="scrapes the machine",
            only_in_clouds=True,
        )
        for role in ROLES
    ),
    *(
        Flow(
            source="operator",
            target=role,
            protocol="tcp",
            port=SSH,
            purpose="lets operators in",
            scope="operators",
            only_in_clouds=True,
        )
        for role in ROLES
    ),
)


def flows_into(role: Role) -> tuple[Flow, ...]:
    """What hosts of a role accept; nothing else is open."""
    return tuple(flow for flow in FLOWS if flow.target == role)
