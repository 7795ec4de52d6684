"""Run inside a network namespace of its own: an entrance at Hetzner, behind something that speaks as its balancer does.

    python -m tests.services.boot.balancer CONFIGURATION BALANCER

Prints as JSON which status each visitor saw; 0 is a connection that was closed without an answer.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.services.entrance import StandIn

SECONDS_MAX = 20
MONITOR = "192.0.2.9"


def main(configuration: Path, balancer: str) -> dict[str, object]:
    """What the visitors saw."""
    text = configuration.read_text()
    servers = re.findall(r"server (\S+) (\S+):(\d+)", text)
    (own, metrics), *_ = re.findall(r"bind (\d\S+):(\d+)", text)
    orders = re.findall(r"bind \*:(\d+)", text)[0]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in [own, balancer, MONITOR, *(address for _, address, _ in servers)]:
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
    kept = [StandIn(name, address, int(port)) for name, address, port in servers]
    subprocess.Popen(["haproxy", "-db", "-f", str(configuration)], stdout=sys.stderr)

    def visit(source: str, port: str, path: str, client: str = "") -> int:
        return _visit((source, 0), (own, int(port)), path, client)

    deadline = time.monotonic() + SECONDS_MAX
    while visit(balancer, metrics, "/ready") != 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert kept
    return {
        "burst": sorted({visit(balancer, orders, "/orders", "198.51.100.1") for _ in range(50)}),
        "another": visit(balancer, orders, "/orders", "198.51.100.2"),
        "health": visit(balancer, metrics, "/ready"),
        "monitor": visit(MONITOR, orders, "/ready"),
        "orders at the metrics' port": visit(balancer, metrics, "/orders"),
        "forged": visit(MONITOR, orders, "/orders", "198.51.100.3") % 400,  # 400: what it says is no HTTP
        "without": visit(balancer, orders, "/orders"),
    }


def _visit(source: tuple[str, int], target: tuple[str, int], path: str, client: str) -> int:
    said = f"PROXY TCP4 {client} {target[0]} 40000 {target[1]}\r\n" if client else ""
    try:
        with socket.create_connection(target, timeout=10, source_address=source) as connection:
            connection.sendall(f"{said}GET {path} HTTP/1.1\r\nHost: venue\r\nConnection: close\r\n\r\n".encode())
            answer = connection.makefile("rb").readline().split()
    except OSError:
        return 0
    return int(answer[1]) if answer else 0


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2])))
