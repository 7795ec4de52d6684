"""The kernel takes every setting, and connections outlive an outage."""

from __future__ import annotations

from services import sysctl
from tests.services.venues import in_own_network, run, small


def test_the_kernel_takes_every_setting() -> None:
    """Each name exists in a host's own network namespace and takes its value."""
    venue = small()
    for host in (venue.gateway("par"), venue.hosts["validator-a1"]):
        settings = [f"{name}={value}" for name, value in sysctl.settings(venue, host).items()]
        run(*in_own_network("sysctl", "-w", *settings))


def test_the_two_that_keep_connections_come_together() -> None:
    """A short retransmission pause without many retries would end connections within the outage."""
    venue = small()
    for host in venue.hosts.values():
        assert sysctl.KEEP_CONNECTIONS.items() <= sysctl.settings(venue, host).items()


def test_only_routers_forward() -> None:
    """A validator never passes on what is not for it."""
    venue = small()
    forwarding = {h.role for h in venue.hosts.values() if "net.ipv4.ip_forward" in sysctl.settings(venue, h)}
    assert forwarding == {"gateway"}
