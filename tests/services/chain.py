"""Run inside a network namespace of its own: the validators of a rendered venue with CometBFT's own key-value store.

    python -m tests.services.chain DIRECTORY

Starts all, kills all, starts all again, kills all, and starts all with the first one's sign state gone; prints as JSON
what it saw. Processes end with the namespace's first process, which this is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

SECONDS_MAX = 30
KEY_VALUE_STORE = {"CMT_PROXY_APP": "persistent_kvstore", "CMT_ABCI": "socket"}
FRESH_SIGN_STATE = '{\n  "height": "0",\n  "round": 0,\n  "step": 0\n}'


def main(directory: Path) -> dict[str, object]:
    """What happened, by name."""
    addresses: Mapping[str, str] = json.loads((directory / "addresses.json").read_text())
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in addresses.values():
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
    first = next(iter(addresses))
    running = {name: _start(directory, name) for name in addresses}
    began = _until(lambda: _height(addresses[first]) >= 3) and _height(addresses[first])
    metrics = _get(f"http://{addresses[first]}:26660/metrics")
    _kill(running)
    running = {name: _start(directory, name) for name in addresses}
    went_on = _until(lambda: _height(addresses[first]) > began + 1)
    _kill(running)
    (directory / first / "data/cometbft/data/priv_validator_state.json").write_text(FRESH_SIGN_STATE)
    running = {name: _start(directory, name) for name in addresses}
    refused = _until(lambda: running[first].poll() is not None)
    log = (directory / f"{first}.log").read_text()
    return {
        "began_at": began,
        "went_on_after_all_were_killed": went_on,
        "newcomer_refused": refused and "same key" in log,
        "metrics": sorted({line.partition("{")[0].split()[0] for line in metrics.splitlines() if line[:1] != "#"}),
        "log": log[-2000:],
    }


def _start(directory: Path, name: str) -> subprocess.Popen[bytes]:
    with (directory / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            ["sh", f"{directory}/{name}/etc/cometbft/start"],
            env={**os.environ, **KEY_VALUE_STORE},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _kill(running: Mapping[str, subprocess.Popen[bytes]]) -> None:
    for process in running.values():
        process.kill()
        process.wait()


def _height(address: str) -> int:
    answer = _get(f"http://{address}:26657/status")
    return int(json.loads(answer)["result"]["sync_info"]["latest_block_height"]) if answer else 0


def _get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  # the addresses are our own
            return str(answer.read().decode())
    except OSError:
        return ""


def _until(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SECONDS_MAX
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
