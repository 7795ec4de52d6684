"""The node exporter: how a machine in a cloud is, for the monitors. A lab's hosts are one machine, and have none."""

from __future__ import annotations

from diversite import ports
from diversite.plan import Host
from services.service import Ready, Service

NAME = "node-exporter"
METRICS = "/run/diversite/metrics"
"""Where scripts leave metrics of their own, in files `*.prom`."""


def service(host: Host) -> Service:
    """The exporter of a host."""
    address = f"{host.address}:{ports.NODE_EXPORTER}"
    return Service(
        name=NAME,
        command=(
            "prometheus-node-exporter",
            f"--web.listen-address={address}",
            f"--collector.textfile.directory={METRICS}",
            "--collector.systemd",
            "--collector.systemd.unit-include=diversite-.+[.]service",
            "--log.level=warn",
        ),
        files={},
        ready=Ready(kind="http", address=address, path="/"),
    )
