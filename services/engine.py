"""The reference matching engine: the ABCI application and the HTTP gateway of one site, in one process."""

from __future__ import annotations

import json

from diversite import ports
from diversite.genesis import ORDER_BYTES_MAX
from diversite.plan import Host, Plan
from services.cometbft import BLOCKS_RETAINED
from services.service import Paths, Ready, Service
from services.statesync import SNAPSHOT_EVERY_BLOCKS

NAME = "engine"

ACKNOWLEDGE_SECONDS_MAX = 10.0
"""An order that is in no block by then is answered as indeterminate: the client asks again with the same key."""
PERSIST_EVERY_BLOCKS = 100


def service(plan: Plan, host: Host, paths: Paths) -> Service:
    """The engine process of a host; it waits for its validator, which connects to it."""
    return Service(
        name=NAME,
        command=("python", "-m", "workloads.engine", "--config", f"{paths.etc}/engine.json"),
        files={f"{paths.etc}/engine.json": config(plan, host, paths)},
        ready=Ready(kind="tcp", address=f"{host.address}:{ports.COMETBFT_ABCI}"),
    )


def config(plan: Plan, host: Host, paths: Paths) -> str:
    """`engine.json`: where it listens, which validator it submits to, how often it keeps what it knows."""
    validator = plan.hosts[host.partner or ""]
    settings = {
        "abci": f"{host.address}:{ports.COMETBFT_ABCI}",
        "http": f"{host.address}:{ports.ENGINE_HTTP}",
        "rpc": f"http://{validator.address}:{ports.COMETBFT_RPC}",
        "data": paths.data,
        "site": host.site,
        "persist_every_blocks": PERSIST_EVERY_BLOCKS,
        "snapshot_every_blocks": SNAPSHOT_EVERY_BLOCKS,
        "retain_blocks": BLOCKS_RETAINED,
        "ready_stall_seconds_max": plan.health_check.stall_ms / 1000,
        "order_bytes_max": ORDER_BYTES_MAX,
        "acknowledge_seconds_max": ACKNOWLEDGE_SECONDS_MAX,
    }
    if plan.topology.consensus.halt_height is not None:
        settings["halt_height"] = plan.topology.consensus.halt_height
    return json.dumps(settings, indent=2) + "\n"
