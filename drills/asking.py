"""Questions that a fault asks of one host, over HTTP from that host's own network."""

from __future__ import annotations

import json
import sys
from typing import Any

from diversite import ports
from diversite.errors import LabError, NotWholeError
from diversite.plan import Host
from lab import control

SECONDS_MAX = 5.0
_ASK = """
import sys, urllib.request
sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=float(sys.argv[2])).read().decode())
"""


def engine(lab: str, host: Host, path: str) -> Any:
    """What an engine answers; LabError where it does not."""
    return _ask(lab, host, ports.ENGINE_HTTP, path)


def validator(lab: str, host: Host, path: str) -> Any:
    """What a validator's RPC answers, without its frame; LabError where it does not."""
    return _ask(lab, host, ports.COMETBFT_RPC, path)["result"]


def prometheus(lab: str, host: Host, path: str) -> Any:
    """What a monitor's Prometheus answers, without its frame; LabError where it does not."""
    return _ask(lab, host, ports.PROMETHEUS, path)["data"]


def metric(lab: str, host: Host, name: str) -> float:
    """One of an engine's metrics without labels; LabError where it does not answer, or has none of that name."""
    text = read(lab, host, ports.ENGINE_HTTP, "/metrics")
    for line in text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    raise LabError(f"{host.name}: its metrics have no {name}")


def read(lab: str, host: Host, port: int, path: str) -> str:
    """The body of a host's answer; NotWholeError where it gives none."""
    url = f"http://{host.address}:{port}{path}"
    asked = control.run(lab, host.name, [sys.executable, "-I", "-S", "-c", _ASK, url, str(SECONDS_MAX)])
    if asked.returncode:
        raise NotWholeError(f"{host.name} did not answer {url}: {asked.stderr.strip().splitlines()[-1:]}")
    return asked.stdout


def _ask(lab: str, host: Host, port: int, path: str) -> Any:
    return json.loads(read(lab, host, port, path))
