"""What differs between the providers for a host that boots: clocks, ways in, packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Where a provider's hosts take the time from."""

    servers: tuple[str, ...]
    near: bool
    """Whether it answers from the machine's own rack, so that it may be asked every 16 s."""
    reason: str


CLOCKS: Mapping[str, Clock] = {
    "aws": Clock(servers=("169.254.169.123",), near=True, reason="Amazon Time Sync, which smears leap seconds"),
    "gcp": Clock(servers=("metadata.google.internal",), near=True, reason="Google's, which smears leap seconds"),
    "hetzner": Clock(
        servers=("ntp1.hetzner.de", "ntp2.hetzner.com", "ntp3.hetzner.net"),
        near=False,
        reason="Hetzner's, which does not smear leap seconds",
    ),
}
HETZNER_NAMESERVERS = ("185.12.64.1", "185.12.64.2")
"""For hosts with no public interface, to which Hetzner's DHCP tells none."""

PACKAGES_EVERYWHERE = ("ca-certificates", "chrony", "curl", "nftables", "unattended-upgrades")
PACKAGES: Mapping[str, tuple[str, ...]] = {
    "alertmanager": ("prometheus-alertmanager",),
    "bird": ("bird2", "wireguard-tools"),
    "etcd": ("etcd-server",),
    "patroni": ("postgresql-15",),
    "pgbackrest": ("pgbackrest",),
    "store-proxy": ("haproxy",),
    "blackbox": ("prometheus-blackbox-exporter",),
    "haproxy": ("haproxy",),
    "node-exporter": ("prometheus-node-exporter",),
    "prometheus": ("prometheus",),
}
"""Debian's packages by the service that needs them; the programs of `RELEASED` come with a release."""
MASKED_UNITS = (
    "bird.service",
    "etcd.service",
    "haproxy.service",
    "needrestart.service",
    "nftables.service",
    "postgresql.service",
    "postgresql@15-main.service",
    "prometheus.service",
    "prometheus-alertmanager.service",
    "prometheus-blackbox-exporter.service",
    "prometheus-node-exporter.service",
)
"""What Debian's packages would start by themselves; ours run instead."""
RELEASED = ("validator", "engine", "passive", "store", "queue")
"""The roles whose program a venue brings itself; a store brings Patroni, and takes etcd and PostgreSQL from Debian."""
