"""The blackbox exporter: how a monitor probes readiness and round trips. What it probes, Prometheus' file says."""

from __future__ import annotations

from diversite import ports
from diversite.plan import Host
from services.service import Paths, Ready, Service
from services.writing import yaml

NAME = "blackbox"

PROBE_SECONDS_MAX = 2


def service(host: Host, paths: Paths) -> Service:
    """The prober of a monitor."""
    path = f"{paths.etc}/blackbox.yml"
    return Service(
        name=NAME,
        command=(
            "prometheus-blackbox-exporter",
            f"--config.file={path}",
            f"--web.listen-address={host.address}:{ports.BLACKBOX}",
            "--log.level=warn",
        ),
        files={path: config()},
        ready=Ready(kind="http", address=f"{host.address}:{ports.BLACKBOX}", path="/-/healthy"),
    )


def config() -> str:
    """`blackbox.yml`: `http_ready` for an answer of 200, `https_ready` for a member's, `icmp_rtt` for a round trip."""
    timeout = f"{PROBE_SECONDS_MAX}s"
    http = {"method": "GET", "valid_status_codes": [200], "follow_redirects": False, "preferred_ip_protocol": "ip4"}
    secured = {**http, "tls_config": {"insecure_skip_verify": True}}  # monitors know no member's key
    return yaml(
        {
            "modules": {
                "http_ready": {"prober": "http", "timeout": timeout, "http": http},
                "https_ready": {"prober": "http", "timeout": timeout, "http": secured},
                "icmp_rtt": {"prober": "icmp", "timeout": timeout, "icmp": {"preferred_ip_protocol": "ip4"}},
            }
        }
    )
