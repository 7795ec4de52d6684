"""The validator's RPC, as far as the engine needs it: hand a transaction in, ask whether the node is catching up."""

from __future__ import annotations

import base64
import json
from typing import Any

import aiohttp


class Unreachable(Exception):  # noqa: N818  an answer for the gateway, which tells the client
    """The validator did not take the transaction; `is_certain` when it cannot have seen it."""

    def __init__(self, reason: str, is_certain: bool) -> None:
        self.is_certain = is_certain
        super().__init__(reason)


class ValidatorRpc:
    """One keep-alive connection pool to one validator; open it inside a running loop, close it at the end."""

    def __init__(self, url: str, seconds_max: float) -> None:
        self._url = url
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=seconds_max), connector=aiohttp.TCPConnector(limit=64)
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def submit(self, transaction: bytes) -> tuple[int, str]:
        """Hand a transaction to the mempool: (code, log) of its check; a code of 0 is on its way to a block.

        A transaction that the mempool has seen before is on its way, too. Raises Unreachable.
        """
        answer = await self._call("broadcast_tx_sync", {"tx": base64.b64encode(transaction).decode()})
        error = answer.get("error")
        if error is None:
            return int(answer["result"]["code"]), str(answer["result"].get("log", ""))
        reason = f"{error.get('message', '')}: {error.get('data', '')}"
        if "already exists in cache" in reason:
            return 0, ""
        raise Unreachable(f"the validator's mempool refuses: {reason}", is_certain="mempool is full" in reason)

    async def poke(self, transaction: bytes) -> None:
        """Make CometBFT ask the application about `transaction`; whatever comes of it."""
        await self._call("broadcast_tx_async", {"tx": base64.b64encode(transaction).decode()})

    async def is_catching_up(self) -> bool:
        """Whether the node is in block sync or state sync; raises Unreachable."""
        answer = await self._call("status", {})
        return bool(answer["result"]["sync_info"]["catching_up"])

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        try:
            async with self._session.post(self._url, data=json.dumps(body)) as response:
                answer: dict[str, Any] = json.loads(await response.read())
                return answer
        except aiohttp.ClientConnectorError as error:
            raise Unreachable(f"the validator's RPC at {self._url} does not answer: {error}", is_certain=True) from None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            reason = f"the validator's RPC at {self._url} gave no answer: {error!r}"
            raise Unreachable(reason, is_certain=False) from None
