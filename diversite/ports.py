"""Every port once, and who may speak to whom. Every firewall is generated from `FLOWS`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["gateway", "validator", "engine", "entry", "monitor"]
Peer = Literal["gateway", "validator", "engine", "entry", "monitor", "client"]
Protocol = Literal["tcp", "udp", "ospf"]

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
BFD_CONTROL = 3784
WIREGUARD = 51820


@dataclass(frozen=True, kw_only=True)
class Flow:
    """One thing that may be said: who, to whom, on which port, and what for."""

    source: Peer
    target: Role
    protocol: Protocol
    port: int
    purpose: str
    scope: Literal["venue", "site", "link", "public"] = "venue"
    """`site`: only inside one site; `link`: only over a link's own addresses; `public`: from anywhere."""


FLOWS: tuple[Flow, ...] = (
    Flow(source="validator", target="validator", protocol="tcp", port=COMETBFT_P2P, purpose="consensus gossip"),
    Flow(
        source="engine", target="validator", protocol="tcp", port=COMETBFT_RPC, purpose="submits orders", scope="site"
    ),
    Flow(source="monitor", target="validator", protocol="tcp", port=COMETBFT_RPC, purpose="compares heights"),
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
    Flow(source="gateway", target="gateway", protocol="udp", port=WIREGUARD, purpose="encrypts a link", scope="public"),
)


def flows_into(role: Role) -> tuple[Flow, ...]:
    """What hosts of a role accept; nothing else is open."""
    return tuple(flow for flow in FLOWS if flow.target == role)
