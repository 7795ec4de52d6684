"""The lease in etcd: who works. Its token grows with every holder, so the ledger can refuse all before."""

from __future__ import annotations

import asyncio
import base64
import time
from dataclasses import dataclass
from typing import Any

from etcd3gw.client import Etcd3Client
from etcd3gw.exceptions import Etcd3Exception
from etcd3gw.lease import Lease as EtcdLease
from requests import RequestException

from workloads.passive.settings import Tls

Unreachable = (Etcd3Exception, RequestException, KeyError)
"""What the client raises where a member of etcd does not answer, or not as it should."""
API_PATH = "/v3/"
WISH_SECONDS = 5
"""How long the member to which a lease was given over has the first try to itself."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that is held."""

    id: int
    token: int
    """etcd's revision at which it was taken."""


class Lease:
    """An engine's lease, for one member. Every call tries the members of etcd one after the other."""

    def __init__(
        self, members: tuple[str, ...], engine: str, member: str, seconds: int, tls: Tls | None = None
    ) -> None:
        self._clients = [_client(address, max(0.5, seconds / 4), tls) for address in members]
        self._member, self._wish = member, f"/diversite/{engine}/wanted"
        self._key, self._value, self._seconds = _text(f"/diversite/{engine}/lease"), _text(member), seconds
        self._held: Held | None = None
        self._until = 0.0

    @property
    def held(self) -> Held | None:
        """The lease, while it surely is; by this member's own monotonic clock, counted from before it last asked."""
        return self._held if time.monotonic() < self._until else None

    async def take(self) -> bool:
        """Take the lease if nobody holds it."""
        if await self.holder() is not None or await self._wanted() not in {None, self._member}:
            return False
        asked = time.monotonic()
        taken = await self._ask(self._taken)
        if taken:
            self._held, self._until = taken, asked + self._seconds
        return taken is not None

    async def renew(self) -> bool:
        """Renew it; False where it was lost."""
        asked, held = time.monotonic(), self._held
        if held is None:
            return False
        left = await self._ask(lambda client: _renewed(client, held))
        if left:
            self._until = asked + self._seconds
        return bool(left)

    async def give_up(self, to: str | None = None) -> None:
        """Let another member have it at once; for some seconds only the one that is named, if any."""
        held, self._held, self._until = self._held, None, 0.0
        if to is not None:
            await self._ask(lambda client: client.put(self._wish, to, client.lease(WISH_SECONDS)))
        if held:
            await self._ask(lambda client: EtcdLease(held.id, client).revoke())

    async def holder(self) -> str | None:
        """Who holds it; None where nobody does."""
        found = await self._ask(lambda client: client.get(base64.b64decode(self._key).decode()))
        return bytes(found[0]).decode() if found else None

    async def _wanted(self) -> str | None:
        """Who alone may take it now."""
        found = await self._ask(lambda client: client.get(self._wish))
        return bytes(found[0]).decode() if found else None

    def _taken(self, client: Any) -> Held | None:
        lease = client.lease(self._seconds)
        answer = client.transaction(
            {
                "compare": [{"key": self._key, "result": "EQUAL", "target": "CREATE", "create_revision": 0}],
                "success": [{"request_put": {"key": self._key, "value": self._value, "lease": lease.id}}],
                "failure": [],
            }
        )
        if answer.get("succeeded"):
            return Held(int(lease.id), int(answer["header"]["revision"]))
        lease.revoke()
        return None

    async def _ask(self, question: Any) -> Any:
        """The answer of the first member of etcd that gives one; the last one's error where none does."""
        error: Exception | None = None
        for _ in range(len(self._clients)):
            try:
                return await asyncio.to_thread(question, self._clients[0])
            except Unreachable as refusal:
                error = refusal
                self._clients.append(self._clients.pop(0))
        raise ConnectionError(f"no member of etcd answers: {error}")


def _client(address: str, timeout: float, tls: Tls | None) -> Any:
    host, _, port = address.rpartition(":")
    if tls is None:
        return Etcd3Client(host=host, port=int(port), timeout=timeout, api_path=API_PATH)
    return Etcd3Client(
        host=host,
        port=int(port),
        protocol="https",
        ca_cert=tls.etcd,
        cert_key=tls.key,
        cert_cert=tls.certificate,
        timeout=timeout,
        api_path=API_PATH,
    )


def _renewed(client: Any, held: Held) -> bool:
    return bool(EtcdLease(held.id, client).refresh() > 0)


def _text(value: str) -> str:
    return base64.b64encode(value.encode()).decode()
