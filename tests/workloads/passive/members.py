"""Members of an engine in the test's own process, and as processes that a test can stop and end."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.workloads.passive import servers
from workloads.engine import orders
from workloads.engine.orders import New
from workloads.engine.outcomes import Outcome
from workloads.passive.lease import Lease
from workloads.passive.settings import Settings
from workloads.passive.worker import Worker

TRUE_SECONDS_MAX = 30.0


class Running:
    """A worker that runs, and every outcome that it told."""

    def __init__(self, settings: Settings) -> None:
        self.told: dict[str, Outcome] = {}
        self.lease = Lease(settings.etcd, settings.engine, settings.member, settings.lease_seconds)
        self.worker = Worker(settings, self.lease, self.told.__setitem__)

    async def send(self, *numbers: int) -> None:
        """Hand orders to the queue."""
        for number in numbers:
            await self.worker.publish(identity(number), encoded(number))


def order(number: int) -> New:
    """An order of its own for each number; neighbours trade with each other."""
    quantity = 1 + number % 3
    if number % 2:
        return New(client="c", key=str(number), market="BTC-PERP", side="buy", price=100, quantity=quantity)
    return New(client="c", key=str(number), market="BTC-PERP", side="sell", price=100, quantity=quantity)


def encoded(number: int) -> bytes:
    """It as the queue has it."""
    return orders.encode(order(number))


def identity(number: int) -> str:
    """Its client and key."""
    return orders.identity(order(number))


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """A member in this process, without its gateway."""
    member = Running(settings)
    task = asyncio.create_task(member.worker.run())
    try:
        yield member
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition of this process holds."""
    deadline = time.monotonic() + TRUE_SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, f"not within {TRUE_SECONDS_MAX:.0f} s: {what}"
        await asyncio.sleep(0.01)


class Process:
    """`python -m workloads.passive` with these settings."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self.settings = settings
        path = directory / f"{settings.member}.json"
        path.write_text(settings.model_dump_json())
        self.process: subprocess.Popen[bytes] = servers.start(
            sys.executable, "-m", "workloads.passive", "--config", str(path), log=directory / f"{settings.member}.log"
        )

    def status(self) -> dict[str, Any]:
        """What GET /status says; empty where nothing answers."""
        try:
            with urllib.request.urlopen(f"http://{self.settings.http}/status", timeout=1) as answer:
                return dict(json.load(answer))
        except (OSError, urllib.error.URLError):
            return {}

    def works(self) -> bool:
        """Whether it says that it works."""
        return self.status().get("role") == "works"

    def order(self, number: int) -> tuple[int, dict[str, Any]]:
        """POST an order; status and answer."""
        one = order(number)
        fields = {name: getattr(one, name) for name in ("client", "key", "market", "side", "price", "quantity")}
        return self.post(fields)

    def post(self, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """POST the fields of an order; status and answer."""
        request = urllib.request.Request(f"http://{self.settings.http}/orders", json.dumps(fields).encode())
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310  it is http
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)
