"""A process inside a lab that asks its hosts over HTTP, each question from the network of the host it names.

Firewalls let nobody ask everything of everybody, and nothing of a lab listens outside it; so whoever observes a lab
stands on the host that is asked. One JSON question a line on standard input, one JSON answer a line on standard output,
in any order: `{"id", "host", "url", "timeout_seconds"}` gives `{"id", "status", "body"}` or `{"id", "error"}`.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import AddrInfoType

NAMESPACES = Path("/run/netns")
CLONE_NEWNET = 0x40000000
QUESTIONS_AT_ONCE_MAX = 64

_libc = ctypes.CDLL(None, use_errno=True)


class Networks:
    """Makes sockets inside hosts' networks. A socket stays in the network it was made in."""

    def __init__(self) -> None:
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    def session(self, host: str) -> aiohttp.ClientSession:
        """A client that speaks from a host's network, kept for its next question."""
        if host not in self._sessions:
            connector = aiohttp.TCPConnector(socket_factory=lambda info: self._socket(host, info), force_close=True)
            self._sessions[host] = aiohttp.ClientSession(connector=connector)
        return self._sessions[host]

    async def close(self) -> None:
        """End every client."""
        for session in self._sessions.values():
            await session.close()

    def _socket(self, host: str, info: AddrInfoType) -> socket.socket:
        namespace = os.open(NAMESPACES / host, os.O_RDONLY)
        try:
            _enter(namespace)
            return socket.socket(info[0], info[1], info[2])
        finally:
            _enter(self._home)
            os.close(namespace)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


async def _answer(networks: Networks, question: dict[str, Any]) -> dict[str, Any]:
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
