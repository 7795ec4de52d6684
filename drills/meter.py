"""What a node exporter would tell of the disks of a lab's hosts: `python -m drills.meter ADDRESS:PORT HOST…`

In a cloud each machine runs the real one; the hosts of a lab are one machine, whose exporter would tell of all disks at
once, so a lab has none. This stands in for it where a drill needs the figure: it runs on a monitor, sees every host's
disk inside the lab, and tells them under the real one's names, with the label `node` that a scrape would add.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOSTS = Path("/run/lab/hosts")
METRIC = "node_filesystem_avail_bytes"


def main() -> int:
    """Serve until ended."""
    address, _, port = sys.argv[1].rpartition(":")
    hosts = sys.argv[2:]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = told(hosts).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  the name is the base class's
            del format, arguments

    ThreadingHTTPServer((address, int(port)), Handler).serve_forever()
    return 0


def told(hosts: Iterable[str], directory: Path = HOSTS) -> str:
    """The metric of each host's disk in Prometheus' text format; a host without one has none."""
    return f"# TYPE {METRIC} gauge\n" + "".join(_lines(hosts, directory))


def _lines(hosts: Iterable[str], directory: Path) -> Iterator[str]:
    for host in hosts:
        data = directory / host / "data"
        if data.exists():
            found = os.statvfs(data)
            yield f'{METRIC}{{node="{host}",mountpoint="{data}"}} {found.f_bavail * found.f_frsize}\n'


if __name__ == "__main__":
    sys.exit(main())
