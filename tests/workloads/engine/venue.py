"""A venue of a few validators and engines on loopback, real processes, for tests and measurements of the engine.

python -m tests.workloads.engine.venue --validators 4 --seconds 20 --rate 20      measures order to acknowledgement
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drills.load import Load, generate, summary
from workloads.engine.settings import MarketRules, Rules, app_state

ROOT = Path(__file__).parents[3]
COMETBFT = ROOT / ".tools" / "bin" / "cometbft"
MARKET = "BTC-PERP"

FAST = {
    "abci": '"grpc"',
    "log_level": '"error"',
    "addr_book_strict": "false",
    "allow_duplicate_ip": "true",
    "pex": "false",
    "flush_throttle_timeout": '"1ms"',
    "peer_gossip_sleep_duration": '"2ms"',
    "peer_query_maj23_sleep_duration": '"100ms"',
    "timeout_propose": '"1s"',
    "timeout_prevote": '"500ms"',
    "timeout_precommit": '"500ms"',
    "timeout_commit": '"0s"',
    "create_empty_blocks_interval": '"1s"',
    "recheck": "false",
    "indexer": '"null"',
}
"""CometBFT's settings for low latency; every key occurs once in its config.toml."""


class Node:
    """One validator with its engine: two processes, four ports, one directory."""

    def __init__(self, directory: Path, number: int) -> None:
        self.directory = directory
        self.number = number
        self.ports = [_free_port() for _ in range(4)]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def gateway(self) -> str:
        """The entrance's URL."""
        return f"http://127.0.0.1:{self.ports[1]}"

    @property
    def rpc(self) -> str:
        """The validator's RPC."""
        return f"http://127.0.0.1:{self.ports[2]}"

    def start_engine(self) -> None:
        """Start the engine, or start it again."""
        command = [sys.executable, "-m", "workloads.engine", "--config", str(self.directory / "engine.json")]
        self._start("engine", command)

    def start_validator(self) -> None:
        """Start the validator, or start it again."""
        self._start("validator", [str(COMETBFT), "start", "--home", str(self.directory)])

    def end(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """End one of the two processes and wait for its end."""
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait(timeout=20)

    def get(self, path: str) -> Any:
        """JSON of the gateway; None when it does not answer (or not with 200)."""
        return _json_of(self.gateway + path)

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and JSON of a POST to the gateway."""
        request = urllib.request.Request(self.gateway + path, json.dumps(body).encode())  # noqa: S310  our own loopback URL
        try:
            with urllib.request.urlopen(request, timeout=15) as response:  # noqa: S310
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def height(self) -> int:
        """The engine's committed height; 0 while it does not answer."""
        status = self.get("/status")
        return int(status["height"]) if status else 0

    def log(self, name: str) -> str:
        """What the process has said so far."""
        return (self.directory / f"{name}.log").read_text()

    def _start(self, name: str, command: list[str]) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)


class Venue:
    """Some nodes with one genesis; a context manager that ends what it started.

    Of the nodes the last `followers` are no validators and are started by `start_from_snapshot`.
    """

    def __init__(
        self, directory: Path, validators: int, rules: Rules | None = None, followers: int = 0, **settings: Any
    ) -> None:
        self.rules = rules or Rules(markets={MARKET: MarketRules()})
        self.validators = validators
        self.nodes = [Node(directory / f"node{number}", number) for number in range(validators + followers)]
        for node in self.nodes:
            _initialise(node)
        self._write_genesis()
        peers = ",".join(f"{_node_id(node)}@127.0.0.1:{node.ports[3]}" for node in self.nodes)
        for node in self.nodes:
            _configure(node, peers)
            _write_engine_settings(node, settings)

    def __enter__(self) -> Venue:
        for node in self.nodes[: self.validators]:
            node.start_engine()
            node.start_validator()
        return self

    def __exit__(self, fault: type[BaseException] | None, *_: object) -> None:
        for node in self.nodes:
            for name in node.processes if fault else ():
                print(f"--- node {node.number}, {name}\n{node.log(name)[-2000:]}")
            for name in list(node.processes):
                node.end(name)

    def start_from_snapshot(self, node: Node) -> None:
        """Start a follower with state sync, trusting the first node's block 1."""
        trusted = _json_of(f"{self.nodes[0].rpc}/commit?height=1")["result"]["signed_header"]["commit"]["block_id"]
        _replace_settings(
            node,
            {
                "enable": "true",
                "rpc_servers": f'"{self.nodes[0].rpc},{self.nodes[1].rpc}"',
                "trust_height": "1",
                "trust_hash": f'"{trusted["hash"]}"',
                "discovery_time": '"5s"',
            },
        )
        node.start_engine()
        node.start_validator()

    def wait_until_ready(self, nodes: list[Node] | None = None, seconds: float = 30) -> None:
        """Return when these gateways (all of them, if not said) are ready."""
        for node in self.nodes if nodes is None else nodes:
            wait_for(lambda node=node: node.get("/ready"), f"node {node.number} to be ready", seconds)  # type: ignore[misc]

    def _write_genesis(self) -> None:
        genesis = json.loads((self.nodes[0].directory / "config/genesis.json").read_text())
        keys = [
            json.loads((n.directory / "config/priv_validator_key.json").read_text())
            for n in self.nodes[: self.validators]
        ]
        genesis["chain_id"] = "venue"
        genesis["validators"] = [
            {"address": key["address"], "pub_key": key["pub_key"], "power": str(1_000_000 + i), "name": f"v{i}"}
            for i, key in enumerate(keys)
        ]
        genesis["app_state"] = app_state(self.rules)
        genesis["consensus_params"]["version"]["app"] = "1"
        for node in self.nodes:
            (node.directory / "config/genesis.json").write_text(json.dumps(genesis))


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """The condition's first true value; AssertionError naming `what` when time runs out."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for {what}")


def _initialise(node: Node) -> None:
    node.directory.mkdir(parents=True)
    subprocess.run([str(COMETBFT), "init", "--home", str(node.directory)], check=True, stdout=subprocess.DEVNULL)


def _configure(node: Node, peers: str) -> None:
    _replace_settings(node, FAST | {"proxy_app": f'"127.0.0.1:{node.ports[0]}"', "persistent_peers": f'"{peers}"'})
    path = node.directory / "config/config.toml"
    text = path.read_text().replace("tcp://127.0.0.1:26657", f"tcp://127.0.0.1:{node.ports[2]}")
    path.write_text(text.replace("tcp://0.0.0.0:26656", f"tcp://127.0.0.1:{node.ports[3]}"))


def _replace_settings(node: Node, settings: dict[str, str]) -> None:
    path = node.directory / "config/config.toml"
    text = path.read_text()
    for key, value in settings.items():
        text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        assert count == 1, f"{key} occurs {count} times in CometBFT's configuration"
    path.write_text(text)


def _write_engine_settings(node: Node, settings: dict[str, Any]) -> None:
    content = {
        "abci": f"127.0.0.1:{node.ports[0]}",
        "http": f"127.0.0.1:{node.ports[1]}",
        "rpc": node.rpc,
        "data": str(node.directory / "engine"),
        "site": f"site{node.number}",
    }
    (node.directory / "engine.json").write_text(json.dumps(content | settings))


def _node_id(node: Node) -> str:
    command = [str(COMETBFT), "show-node-id", "--home", str(node.directory)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _free_port() -> int:
    """A port that nothing listens on, below those that the kernel hands out to connections."""
    while True:
        port = secrets.choice(range(10_000, 32_000))
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def _json_of(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310
            return json.load(response)
    except (OSError, ValueError):
        return None


def main() -> None:
    """Measure a venue on this machine and print what `drills.load` makes of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--validators", type=int, default=4)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=TOML", help="one more CometBFT setting")
    arguments = parser.parse_args()
    FAST.update(dict(item.split("=", 1) for item in arguments.set))
    with tempfile.TemporaryDirectory() as directory, Venue(Path(directory), arguments.validators) as venue:
        venue.wait_until_ready()
        heights = [node.height() for node in venue.nodes]
        entrances = tuple(node.gateway for node in venue.nodes)
        load = Load(entrances=entrances, rate=arguments.rate, seconds=arguments.seconds)
        cpu = [_cpu_seconds(node) for node in venue.nodes]
        lines = asyncio.run(generate(load))
        used = [
            _percent(_cpu_seconds(node), before, load.seconds) for node, before in zip(venue.nodes, cpu, strict=True)
        ]
        print(json.dumps(summary(lines)))
        print("blocks/s", [(n.height() - h) / arguments.seconds for n, h in zip(venue.nodes, heights, strict=True)])
        print("cpu % of a core", used)


def _percent(after: dict[str, float], before: dict[str, float], seconds: float) -> dict[str, float]:
    return {name: round(100 * (after[name] - before[name]) / seconds, 1) for name in after}


def _cpu_seconds(node: Node) -> dict[str, float]:
    def seconds(pid: int) -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    return {name: seconds(process.pid) for name, process in node.processes.items()}


if __name__ == "__main__":
    main()
