"""A process inside a lab that asks its hosts over HTTP, each question from the network of the host it names.

Firewalls let nobody ask everything of everybody, and nothing of a lab listens outside it; so whoever observes a lab
stands on the host that is asked. One JSON question a line on standard input, one JSON answer a line on standard output,
in any order: `{"id", "host", "url", "timeout_seconds"}` gives `{"id", "status", "body"}` or `{"id", "error"}`. With
`addresses` in place of `url` the host pings them, `count` times each, and the body is JSON: nanoseconds by address.
A process for each ping would keep a small machine from its work for longer than a block takes.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import AddrInfoType

from lab import ping

NAMESPACES = Path("/run/netns")
CLONE_NEWNET = 0x40000000
QUESTIONS_AT_ONCE_MAX = 64
PING_SECONDS_BETWEEN = 0.02

_libc = ctypes.CDLL(None, use_errno=True)


class Networks:
    """Makes sockets inside hosts' networks. A socket stays in the network it was made in."""

    def __init__(self) -> None:
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    def session(self, host: str) -> aiohttp.ClientSession:
        """A client that speaks from a host's network, kept for its next question."""
        if host not in self._sessions:
            connector = aiohttp.TCPConnector(socket_factory=lambda info: self._tcp(host, info), force_close=True)
            self._sessions[host] = aiohttp.ClientSession(connector=connector)
        return self._sessions[host]

    async def close(self) -> None:
        """End every client."""
        for session in self._sessions.values():
            await session.close()

    def icmp(self, host: str) -> socket.socket:
        """A socket for echo requests from a host's network, to be closed by who asked for it."""
        with self._inside(host):
            return ping.opened_socket()

    def _tcp(self, host: str, info: AddrInfoType) -> socket.socket:
        with self._inside(host):
            return socket.socket(info[0], info[1], info[2])

    @contextmanager
    def _inside(self, host: str) -> Iterator[None]:
        namespace = os.open(NAMESPACES / host, os.O_RDONLY)
        try:
            _enter(namespace)
            yield
        finally:
            _enter(self._home)
            os.close(namespace)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


async def _answer(networks: Networks, question: dict[str, Any]) -> dict[str, Any]:
    return await (_pinged if "addresses" in question else _fetched)(networks, question)


async def _pinged(networks: Networks, question: dict[str, Any]) -> dict[str, Any]:
    patience, addresses, count = question["timeout_seconds"], question["addresses"], question["count"]
    try:
        with networks.icmp(question["host"]) as opened:
            trips = await asyncio.to_thread(ping.measure, opened, addresses, count, PING_SECONDS_BETWEEN, patience)
    except OSError as error:
        return {"id": question["id"], "error": f"{type(error).__name__}: {error}"}
    return {"id": question["id"], "status": 200, "body": json.dumps(trips)}


async def _fetched(networks: Networks, question: dict[str, Any]) -> dict[str, Any]:
    timeout = aiohttp.ClientTimeout(total=question["timeout_seconds"])
    try:
        async with networks.session(question["host"]).get(question["url"], timeout=timeout, ssl=False) as response:
            return {"id": question["id"], "status": response.status, "body": await response.text()}
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return {"id": question["id"], "error": f"{type(error).__name__}: {error}"}


async def _serve() -> None:
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    networks, places, asked = Networks(), asyncio.Semaphore(QUESTIONS_AT_ONCE_MAX), set()

    async def handle(line: bytes) -> None:
        async with places:
            answer = await _answer(networks, json.loads(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()

    while line := await reader.readline():
        task = asyncio.create_task(handle(line))
        asked.add(task)
        task.add_done_callback(asked.discard)
    await asyncio.gather(*asked)
    await networks.close()


if __name__ == "__main__":
    asyncio.run(_serve())
