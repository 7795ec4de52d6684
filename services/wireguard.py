"""WireGuard: this end of an encrypted link, for `wg-quick`. BIRD decides what goes through, the firewall what may.

One interface a link, because OSPF needs one; so each link also has keys of its own. The private key is made on the
gateway and never leaves it: `<data>/<interface>.key`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from diversite import ports
from diversite.plan import LinkEnd, LinkPlan, Plan
from diversite.topology import SITES_MAX
from services.service import Paths

NAME = "wireguard"

MTU_BYTES = 1380
"""Google's 1460 less WireGuard's 80 over IPv6."""
PORTS = range(ports.WIREGUARD, ports.WIREGUARD + 2 * SITES_MAX)
"""A link's port at a gateway is one of these, pinned by the link's name."""


@dataclass(frozen=True, kw_only=True)
class Far:
    """What is known of the far end once it is there."""

    public_key: str
    """Base64."""
    public_address: str
    """Where its gateway is reached from outside."""


def config(plan: Plan, link: LinkPlan, site: str, far: Far, paths: Paths) -> str:
    """`<interface>.conf` of a link's end at `site`."""
    here, there = _ends(link, site)
    return (
        f"# {link.name}: {here.site} to {there.site}, carried by {link.carrier}\n"
        "[Interface]\n"
        f"Address = {here.address}\n"
        f"ListenPort = {listen_ports(plan, here.site)[link.name]}\n"
        f"MTU = {MTU_BYTES}\n"
        "Table = off\n"
        f"PostUp = wg set %i private-key {paths.data}/{here.interface}.key\n"
        "\n"
        "[Peer]\n"
        f"PublicKey = {far.public_key}\n"
        f"Endpoint = {far.public_address}:{listen_ports(plan, there.site)[link.name]}\n"
        "AllowedIPs = 0.0.0.0/0\n"
    )


def listen_ports(plan: Plan, site: str) -> Mapping[str, int]:
    """The UDP port of each encrypted link at a site, by the link's name; a link added at the end moves no other's."""
    found: dict[str, int] = {}
    for link in plan.links.values():
        if link.kind == NAME and site in link.sites:
            found[link.name] = _free(link.name, set(found.values()))
    return found


def _ends(link: LinkPlan, site: str) -> tuple[LinkEnd, LinkEnd]:
    return (link.a, link.b) if link.a.site == site else (link.b, link.a)


def _free(name: str, taken: set[int]) -> int:
    first = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % len(PORTS)
    candidates = (PORTS[(first + step) % len(PORTS)] for step in range(len(PORTS)))
    return next(port for port in candidates if port not in taken)
