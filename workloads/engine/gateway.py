"""The site's entrance: HTTP and JSON in front of the replicated state.

    POST /orders            a transaction's fields as JSON; `kind` is "new" and `lifetime` "gtc" when left out
    POST /cancels           the same with kind "cancel"
    GET  /book?market=M     best levels of a market (`levels`, at most 1000)
    GET  /status            where this engine stands; `?height=H` for the hashes at a height
    GET  /hashes?from=&to=  hashes of a run of heights, for comparing engines
    GET  /ready             200 only while an order could be acknowledged, else 503 with the reasons
    GET  /metrics           for Prometheus

An order is answered when its block is committed here. The pair (client, key) decides once: a repetition joins the
order that is under way, or gets its first outcome, at every gateway of the venue.

    200 {"status": "acknowledged", "client", "key", "height", "index", "filled", "notional", "remaining"}
    4xx {"status": "refused", "code", "reason"}, with height and index when a block decided it
    503 {"status": "unavailable", "reason"}: not submitted
    504 {"status": "indeterminate", "reason"}: ask again with the same key, here or elsewhere
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from workloads.engine import orders
from workloads.engine.app import Application, Committed
from workloads.engine.mending import Standstill
from workloads.engine.metrics import Metrics
from workloads.engine.orders import Code, Refused
from workloads.engine.outcomes import Outcome, body_digest
from workloads.engine.settings import Settings
from workloads.engine.validator import Unreachable, ValidatorRpc

HASHES_PER_ANSWER_MAX = 1000

log = logging.getLogger(__name__)

_HTTP_STATUS = {
    Code.MALFORMED: 400,
    Code.OVERSIZED: 413,
    Code.KEY_REUSED: 409,
    Code.UNKNOWN_MARKET: 404,
    Code.UNKNOWN_ORDER: 404,
    Code.NOT_ADMITTED: 403,
    Code.NOT_AUTHORISED: 403,
    Code.HALTED: 423,
    Code.CANCEL_ONLY: 423,
}


@dataclass(slots=True)
class _Pending:
    """An order on its way: everyone who asks for it waits for the same future."""

    future: asyncio.Future[tuple[Outcome | None, str]]
    body: bytes


class Gateway:
    """HTTP in front of one application; `committed` is to be called with every committed block."""

    def __init__(self, settings: Settings, application: Application, rpc: ValidatorRpc) -> None:
        self.metrics = Metrics(settings.site)
        self._settings = settings
        self._application = application
        self._rpc = rpc
        self._pending: dict[str, _Pending] = {}
        self._committed_at = float("-inf")
        self._is_catching_up = True
        self._standstill = Standstill(
            settings.site, settings.mend_stall_seconds_max, settings.mend_every_seconds, time.monotonic()
        )

    def web_application(self) -> web.Application:
        """The routes, for a runner or a test client."""
        application = web.Application(client_max_size=self._settings.order_bytes_max)
        application.add_routes(
            [
                web.post("/orders", self._post_order),
                web.post("/cancels", self._post_cancel),
                web.get("/book", self._get_book),
                web.get("/status", self._get_status),
                web.get("/hashes", self._get_hashes),
                web.get("/ready", self._get_ready),
                web.get("/metrics", self._get_metrics),
            ]
        )
        return application

    def committed(self, block: Committed) -> None:
        """Acknowledge the orders of a committed block."""
        now = time.monotonic()
        self.metrics.block_seconds.observe(min(now - self._committed_at, 1e6))
        self._committed_at = now
        self._count(block)
        for result in block.result.results if block.result else ():
            pending = self._pending.get(result.identity)
            if pending and result.outcome and not pending.future.done():
                pending.future.set_result((result.outcome, result.reason))

    async def watch_validator(self, seconds: float = 1.0) -> None:
        """Keep asking whether the node is catching up; end one that stands still or does not know of a restart here."""
        while True:
            self._mend()
            try:
                self._is_catching_up = await self._rpc.is_catching_up()
                if not self._application.greeted:
                    await self._rpc.poke(b"stale %d" % time.monotonic_ns())
            except (Unreachable, KeyError):
                self._is_catching_up = True
            self.metrics.ready.set(not self._obstacles())
            await asyncio.sleep(seconds)

    def _mend(self) -> None:
        """Have a validator end that has had blocks and has none any more: refused every call, it does (app.py)."""
        has_begun = self._application.last.height > 0
        if has_begun and self._standstill.calls_for_an_end(time.monotonic(), self._committed_at):
            log.warning("no block for long: the validator is made to start anew")
            self._application.greeted = False

    async def _post_order(self, request: web.Request) -> web.Response:
        return await self._answer(request, {"kind": "new"})

    async def _post_cancel(self, request: web.Request) -> web.Response:
        return await self._answer(request, {"kind": "cancel"})

    async def _answer(self, request: web.Request, defaults: dict[str, str]) -> web.Response:
        arrived = time.monotonic()
        try:
            transaction = orders.from_fields(defaults | _fields(await _body(request)))
            identity, encoded = orders.identity(transaction), orders.encode(transaction)
            outcome, reason = await self._decided(identity, encoded)
        except Refused as refused:
            self.metrics.refused.labels(refused.code.name.lower()).inc()
            return _refusal(refused.code, refused.reason, None)
        except Unreachable as error:
            return self._undecided(error)
        if outcome.code is Code.ACCEPTED:
            self.metrics.acknowledge_seconds.observe(time.monotonic() - arrived)
            return _json(200, {"status": "acknowledged", **_named(identity), **_numbers(outcome)})
        self.metrics.refused.labels(outcome.code.name.lower()).inc()
        return _refusal(outcome.code, reason, outcome)

    async def _decided(self, identity: str, encoded: bytes) -> tuple[Outcome, str]:
        """The outcome under `identity`, once there is one; raises Refused, Unreachable."""
        state = self._application.state
        if state is None:
            raise Unreachable("the chain has not begun at this engine", is_certain=True)
        first = state.outcomes.find(identity)
        if first is not None and self._application.is_committed(first.height):
            return _same_body(identity, encoded, first), ""
        if first is None and identity not in self._pending:
            state.check(encoded)
            self._require_ready()
        return await self._joined(identity, encoded)

    async def _joined(self, identity: str, encoded: bytes) -> tuple[Outcome, str]:
        pending = self._pending.get(identity)
        if pending is None:
            pending = self._pending[identity] = _Pending(
                asyncio.get_running_loop().create_future(), body_digest(encoded)
            )
            pending.future.add_done_callback(lambda _: self._pending.pop(identity, None))
            asyncio.get_running_loop().call_later(self._settings.acknowledge_seconds_max, _give_up, pending.future)
        elif pending.body != body_digest(encoded):
            raise Refused(Code.KEY_REUSED, f"{identity} names another transaction, which is under way")
        await self._submit(pending, encoded)
        outcome, reason = await asyncio.shield(pending.future)
        if outcome is None:
            raise Unreachable(reason, is_certain=False)
        return _same_body(identity, encoded, outcome), reason

    async def _submit(self, pending: _Pending, encoded: bytes) -> None:
        try:
            code, reason = await self._rpc.submit(encoded)
        except Unreachable as error:
            if error.is_certain:
                _settle(pending.future, None, str(error))
                raise
            return  # it may be on its way: wait for the block, or for the time to run out
        if code not in (Code.ACCEPTED, Code.DUPLICATE):
            _settle(pending.future, None, reason)
            raise Refused(Code(code), reason)

    def _require_ready(self) -> None:
        obstacles = self._obstacles()
        if len(self._pending) >= self._settings.orders_pending_max:
            obstacles.append(f"{len(self._pending)} orders are under way, which is the most")
        if obstacles:
            raise Unreachable("; ".join(obstacles), is_certain=True)

    def _obstacles(self) -> list[str]:
        """Why an order could not be acknowledged now; empty when it could."""
        obstacles = []
        stalled = time.monotonic() - self._committed_at
        if not self._application.greeted:
            obstacles.append("the validator has not greeted this engine since it started")
        if stalled > self._settings.ready_stall_seconds_max:
            obstacles.append(f"no block for {self._settings.ready_stall_seconds_max} s or more")
        if self._is_catching_up:
            obstacles.append("the validator is catching up, or its RPC does not answer")
        behind_seconds = time.time() - self._application.last.time_ns / 1e9
        if behind_seconds > self._settings.ready_behind_seconds_max:
            obstacles.append(f"the last block is older than {self._settings.ready_behind_seconds_max} s")
        return obstacles

    def _undecided(self, error: Unreachable) -> web.Response:
        if error.is_certain:
            return _json(503, {"status": "unavailable", "reason": str(error)})
        self.metrics.indeterminate.inc()
        return _json(504, {"status": "indeterminate", "reason": str(error)})

    async def _get_book(self, request: web.Request) -> web.Response:
        state, market = self._application.state, request.query.get("market", "")
        if state is None or market not in state.books:
            known = ", ".join(state.books) if state else "none yet"
            return _refusal(Code.UNKNOWN_MARKET, f"no market {market!r:.80}; there are {known}"[:300], None)
        levels = _bounded(request, "levels", 20, 1000)
        book = state.books[market]
        return _json(
            200,
            {
                "market": market,
                "height": state.height,
                "bids": book.depth("buy", levels),
                "asks": book.depth("sell", levels),
                "open_orders": len(book),
                "traded": book.traded,
                "book_hash": book.digest().hex(),
            },
        )

    async def _get_status(self, request: web.Request) -> web.Response:
        if "height" in request.query:
            block = self._application.hashes.get(_bounded(request, "height", 0, 2**62))
            return _json(200, _hashes(block)) if block else _json(404, {"reason": "no hashes kept for that height"})
        state, last = self._application.state, self._application.last
        return _json(
            200,
            {
                "site": self._settings.site,
                "rpc": self._settings.rpc,
                "chain": state.chain if state else None,
                **_hashes(last),
                "persisted_height": self._application.persisted_height,
                "ready": not self._obstacles(),
                "obstacles": self._obstacles(),
                "halted": sorted(state.halted) if state else [],
                "cancel_only": state.is_cancel_only(state.height + 1) if state else False,
                "validators": state.validators if state else {},
                "pending": len(self._pending),
                "catching_up": self._is_catching_up,
            },
        )

    async def _get_hashes(self, request: web.Request) -> web.Response:
        last = self._application.last.height
        first = _bounded(request, "from", max(1, last - 99), 2**62)
        end = min(_bounded(request, "to", last, 2**62), last, first + HASHES_PER_ANSWER_MAX - 1)
        blocks = (self._application.hashes.get(height) for height in range(first, end + 1))
        return _json(200, {"hashes": [_hashes(block) for block in blocks if block]})

    async def _get_ready(self, _: web.Request) -> web.Response:
        obstacles = self._obstacles()
        return _json(503 if obstacles else 200, {"ready": not obstacles, "obstacles": obstacles})

    async def _get_metrics(self, _: web.Request) -> web.Response:
        state = self._application.state
        for market, book in state.books.items() if state else ():
            self.metrics.open_orders.labels(market).set(len(book))
        self.metrics.persisted_height.set(self._application.persisted_height)
        self.metrics.ready.set(not self._obstacles())
        return web.Response(body=self.metrics.text(), content_type="text/plain")

    def _count(self, block: Committed) -> None:
        self.metrics.height.set(block.height)
        self.metrics.commit_time.set(time.time())
        if block.height % 10 == 0:
            self.metrics.books_hash.set(int.from_bytes(block.books_hash[:6]))
            self.metrics.books_hash_height.set(block.height)
        for result in block.result.results if block.result else ():
            self.metrics.transactions.labels(result.code.name.lower()).inc()
            self.metrics.trades.inc(result.trades)


async def _body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise Refused(Code.OVERSIZED, f"the body is larger than {request.app._client_max_size} bytes") from None


def _fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(Code.MALFORMED, "the body is not JSON") from None
    if not isinstance(fields, dict):
        raise Refused(Code.MALFORMED, "the body is not a JSON object")
    if fields.get("kind", "new") == "new" and "order" not in fields:
        fields.setdefault("lifetime", "gtc")
    return fields


def _bounded(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise web.HTTPBadRequest(text=f"{name} must be a whole number from 0 to {most}")
    return min(int(text), most)


def _same_body(identity: str, encoded: bytes, outcome: Outcome) -> Outcome:
    if outcome.body != body_digest(encoded):
        raise Refused(Code.KEY_REUSED, f"{identity} names another transaction, decided at height {outcome.height}")
    return outcome


def _settle(future: asyncio.Future[tuple[Outcome | None, str]], outcome: Outcome | None, reason: str) -> None:
    if not future.done():
        future.set_result((outcome, reason))


def _give_up(future: asyncio.Future[tuple[Outcome | None, str]]) -> None:
    _settle(future, None, "no block decided it in time; ask again with the same key, here or at another gateway")


def _named(identity: str) -> dict[str, str]:
    client, _, key = identity.rpartition("/")
    return {"client": client, "key": key}


def _numbers(outcome: Outcome) -> dict[str, int]:
    return {
        "height": outcome.height,
        "index": outcome.index,
        "filled": outcome.filled,
        "notional": outcome.notional,
        "remaining": outcome.remaining,
    }


def _refusal(code: Code, reason: str, outcome: Outcome | None) -> web.Response:
    where = {"height": outcome.height, "index": outcome.index} if outcome else {}
    return _json(
        _HTTP_STATUS.get(code, 422), {"status": "refused", "code": code.name.lower(), "reason": reason, **where}
    )


def _hashes(block: Committed) -> dict[str, Any]:
    return {"height": block.height, "app_hash": block.app_hash.hex(), "books_hash": block.books_hash.hex()}


def _json(status: int, value: Any) -> web.Response:
    return web.Response(status=status, body=json.dumps(value).encode(), content_type="application/json")
