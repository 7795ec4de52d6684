"""Run inside a network namespace of its own: a rendered entrance before stand-ins for the engines of its venue.

    python -m tests.services.entrance CONFIGURATION

The stand-ins answer with their own name. The nearest is shut down while orders flow, then a burst exceeds the limit of
one client; prints as JSON who answered and with which status.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

SECONDS_MAX = 20


class StandIn(ThreadingHTTPServer):
    """An engine that acknowledges everything under its own name."""

    daemon_threads = True

    def __init__(self, name: str, address: str, port: int) -> None:
        self.name = name
        super().__init__((address, port), _Answer)
        Thread(target=self.serve_forever, daemon=True).start()


class _Answer(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self) -> None:
        self._say()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._say()

    def _say(self) -> None:
        body = self.server.name.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Keep quiet: standard output is the answer."""


def main(configuration: Path) -> dict[str, object]:
    """What clients saw, by phase."""
    text = configuration.read_text()
    servers = re.findall(r"server (\S+) (\S+):(\d+)", text)
    own = re.search(r"bind (\d\S+):\d+", text)
    port = re.search(r"bind \*:(\d+)", text)
    assert own
    assert port
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in [own[1], *(address for _, address, _ in servers)]:
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
    engines = [StandIn(name, address, int(port)) for name, address, port in servers]
    subprocess.Popen(["haproxy", "-db", "-f", str(configuration)], stdout=sys.stderr)
    url = f"http://{own[1]}:{port[1]}/orders"
    before = _until_answered(url)
    engines[0].shutdown()
    engines[0].server_close()
    after = _order(url)
    large = _order(url, b"x" * 5000)
    burst = [_order(url)[0] for _ in range(50)]
    return {"before": before, "after": after, "large": large[0], "burst": sorted(set(burst))}


def _until_answered(url: str) -> tuple[int, str]:
    deadline = time.monotonic() + SECONDS_MAX
    while (answer := _order(url))[0] != 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    return answer


def _order(url: str, body: bytes = b"{}") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, data=body, timeout=10) as answer:  # noqa: S310  # the address is our own
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
