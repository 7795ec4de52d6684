"""How a validator in a cloud whose disk has no chain comes to the others' height: by a snapshot, not by replay.

A venue makes more than a million blocks a day and keeps the last hundred thousand, so the first ones are nowhere. What
a snapshot must be true to is told by validators at other sites, who all have to agree.
"""

from __future__ import annotations

from diversite import ports
from diversite.plan import Host, Plan
from services.writing import Table, render

SERVERS_MAX = 4
"""Who is asked: validators at other sites, the nearest first."""
SNAPSHOT_EVERY_BLOCKS = 1000
BACK_BLOCKS = 2 * SNAPSHOT_EVERY_BLOCKS
"""How far below the lowest height that is told the trusted block lies: below a snapshot that all of them have."""
TRUST_SECONDS = 3600


def servers(plan: Plan, host: Host) -> tuple[str, ...]:
    """The addresses that are asked, one a site."""
    others = [other for other in plan.of_role("validator") if other.site != host.site]
    nearest = sorted(others, key=lambda other: (plan.one_way_ms[host.site, other.site], other.name))
    by_site = {other.site: other for other in reversed(nearest)}
    chosen = [other for other in nearest if by_site[other.site] is other]
    return tuple(f"http://{other.address}:{ports.COMETBFT_RPC}" for other in chosen[:SERVERS_MAX])


def table(asked: tuple[str, ...]) -> Table:
    """`[statesync]`: off, until the start script finds that it is needed and what to trust."""
    return {
        "enable": False,
        "rpc_servers": ",".join(asked),
        "trust_height": 0,
        "trust_hash": "",
        "trust_period": f"{TRUST_SECONDS}s",
        "discovery_time": "15s",
    }


def script(asked: tuple[str, ...], log: str, *, joins: bool = False) -> str:
    """The part of the start script that finds what to trust; empty where fewer than two could be asked.

    `log`: the path of consensus' write-ahead log, which is there once the node has taken part in consensus: such a node
    has a chain, and asks nobody. `joins`: the chain began without this validator, so it waits where nobody answers: it
    must not begin at a first block that the others may have no more.
    """
    if len(asked) < 2:
        return ""
    return render(
        "trust.sh.j2", servers=asked, snapshot_every=SNAPSHOT_EVERY_BLOCKS, back=BACK_BLOCKS, log=log, joins=joins
    )
