"""The kernel settings of a host that recovery and safety need, in the lab and in the clouds alike."""

from __future__ import annotations

from collections.abc import Mapping

from diversite.plan import Host, Plan

KEEP_CONNECTIONS: Mapping[str, str] = {
    "net.ipv4.tcp_rto_max_ms": "1000",
    "net.ipv4.tcp_retries2": "100",
}
"""A connection outlives an outage of up to about 105 s and goes on within a second of its end.

Without them CometBFT dials again: 20 tries of 5 s and up to 3 s more, then ever longer, fixed in its code
(`persistent_peers_max_dial_period` is read only by the peer exchange, which is off). The two belong together: the first
alone gives up within the outage, the second alone waits up to two minutes after it. The first needs Linux 6.15; where
the kernel lacks it, set neither.
"""


OF_INTERFACES: Mapping[str, str] = {"accept_redirects": "0", "accept_source_route": "0", "send_redirects": "0"}
"""Nobody tells a host another way. The kernel asks an interface's own value too, and where nothing is forwarded one of
the two is enough to accept redirects: so it is set for all, for those to come, and at boot for each that is there."""


def settings(_plan: Plan, host: Host) -> Mapping[str, str]:
    """The settings of a host, by name."""
    return {**_every_host(), **(_router() if host.role == "gateway" else {})}


def together(plan: Plan, host: Host) -> tuple[Mapping[str, str], ...]:
    """The same in groups: where the kernel lacks one setting of a group, none of it is set."""
    single = ({name: value} for name, value in settings(plan, host).items() if name not in KEEP_CONNECTIONS)
    each = ({f"net.ipv4.conf.*.{name}": value} for name, value in OF_INTERFACES.items())
    return (KEEP_CONNECTIONS, *single, *each)


def _every_host() -> dict[str, str]:
    return {
        **KEEP_CONNECTIONS,
        "net.ipv4.tcp_slow_start_after_idle": "0",  # a block after a quiet second must not start small again
        "net.ipv4.tcp_syn_retries": "3",
        **{f"net.ipv4.conf.{which}.{name}": it for which in ("all", "default") for name, it in OF_INTERFACES.items()},
    }


def _router() -> dict[str, str]:
    return {
        "net.ipv4.ip_forward": "1",
        "net.ipv4.conf.all.rp_filter": "2",  # ways may differ by direction; the firewall refuses forged sources
    }
