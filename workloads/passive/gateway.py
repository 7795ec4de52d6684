"""HTTP on every member, working or not.

    POST /orders     a transaction's fields as JSON, as the replicated engines take them
    POST /cancels    the same with kind "cancel"
    GET  /book?market=M     best levels of a market
    GET  /status     role, sequence, height, hash
    GET  /ready      200 while an order could be taken: the queue answers; 503 with the reason else
    GET  /working    200 on the member that has the lease
    GET  /metrics    for Prometheus
    POST /give-over  {"to": member}: finish the batch at hand and let that member work; only from this host itself

An order is in the queue, on disk at a majority, before anything else happens to it. It is answered when the ledger has
its outcome, from whichever member asks; until then it waits, through any change of who works.

    200 {"status": "acknowledged", "client", "key", "height", "index", "filled", "notional", "remaining"}
    4xx {"status": "refused", "code", "reason"}
    503 {"status": "unavailable", "reason"}: not taken (the queue is full or does not answer)
    504 {"status": "indeterminate", "reason"}: it waits in the queue; ask again with the same key
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from workloads.engine import orders
from workloads.engine.orders import Code, Refused
from workloads.engine.outcomes import Outcome, body_digest
from workloads.passive.queue import NotTaken, QueueFull, Unreachable
from workloads.passive.settings import Settings
from workloads.passive.worker import Worker

OLD_AFTER_SECONDS = 1.0
"""An order without an outcome for so long may be an old one under its old key."""
STATUS = {Code.MALFORMED: 400, Code.OVERSIZED: 413, Code.KEY_REUSED: 409, Code.UNKNOWN_MARKET: 404}


class Gateway:
    """The way in, in front of one worker; `settled` is to be called with every outcome."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: dict[str, asyncio.Future[Outcome]] = {}
        self._worker: Worker | None = None

    def serve(self, worker: Worker) -> web.Application:
        """The routes, for a runner or a test client."""
        self._worker = worker
        application = web.Application(client_max_size=self._settings.order_bytes_max)
        application.add_routes(
            [
                web.post("/orders", self._new),
                web.post("/cancels", self._cancel),
                web.get("/book", self._book),
                web.get("/status", self._status),
                web.get("/ready", self._ready),
                web.get("/working", self._working),
                web.get("/metrics", self._metrics),
                web.post("/give-over", self._give_over),
            ]
        )
        return application

    def settled(self, identity: str, outcome: Outcome) -> None:
        """Answer whoever waits for an order."""
        future = self._waiting.get(identity)
        if future and not future.done():
            future.set_result(outcome)

    async def _new(self, request: web.Request) -> web.Response:
        return await self._answer(request, {"kind": "new", "lifetime": "gtc"})

    async def _cancel(self, request: web.Request) -> web.Response:
        return await self._answer(request, {"kind": "cancel"})

    async def _answer(self, request: web.Request, defaults: dict[str, str]) -> web.Response:
        try:
            transaction = orders.from_fields(defaults | await _fields(request))
            identity, encoded = orders.identity(transaction), orders.encode(transaction)
            outcome = await self._outcome(identity, encoded)
        except Refused as refused:
            return _refused(refused.code, refused.reason)
        except QueueFull:
            return _json(503, {"status": "unavailable", "reason": "the queue is full: nobody carries orders out"})
        except NotTaken as error:
            return _json(503, {"status": "unavailable", "reason": f"not taken: {error}"})
        except Unreachable as error:
            reason = f"the queue did not say whether it took it ({error!r:.100}); ask again with the same key"
            return _json(504, {"status": "indeterminate", "reason": reason})
        return _told(identity, encoded, outcome)

    async def _outcome(self, identity: str, encoded: bytes) -> Outcome | None:
        if first := self._the_worker.decided(identity):
            return first
        future = self._waiting.get(identity)
        if future is None:
            future = self._waiting[identity] = asyncio.get_running_loop().create_future()
            future.add_done_callback(lambda _: self._waiting.pop(identity, None))
            try:
                await self._the_worker.publish(identity, encoded)
            except BaseException:
                future.cancel()
                raise
        await self._wait(identity, future)
        if not future.done():
            future.cancel()
        return None if future.cancelled() else future.result()

    async def _wait(self, identity: str, future: asyncio.Future[Outcome]) -> None:
        """An order that was decided before this member's memory begins is in no new batch: only the ledger knows."""
        left = self._settings.acknowledge_seconds_max
        done, _ = await asyncio.wait([future], timeout=min(left, OLD_AFTER_SECONDS))
        if not done:
            self._the_worker.ask(identity)
            await asyncio.wait([future], timeout=max(0, left - OLD_AFTER_SECONDS))

    async def _book(self, request: web.Request) -> web.Response:
        market, state = request.query.get("market", ""), self._the_worker.state
        if market not in state.books:
            return _refused(Code.UNKNOWN_MARKET, f"no market {market!r:.80}; there are {', '.join(state.books)}")
        book = state.books[market]
        depth = {"bids": book.depth("buy", 20), "asks": book.depth("sell", 20), "open_orders": len(book)}
        return _json(200, {"market": market, "height": state.height, **depth})

    async def _status(self, _: web.Request) -> web.Response:
        standing = self._the_worker.standing
        told = {"engine": self._settings.engine, "member": self._settings.member, "site": self._settings.site}
        told |= {"role": standing.role, "obstacle": standing.obstacle, "state_hash": standing.state_hash}
        numbers = {"sequence": standing.sequence, "height": standing.height, "waiting": len(self._waiting)}
        return _json(200, told | numbers | {"taken_over": standing.taken_over, "fenced": standing.fenced})

    async def _ready(self, _: web.Request) -> web.Response:
        obstacle = self._the_worker.obstacle
        return _json(503 if obstacle else 200, {"ready": not obstacle, "obstacles": [obstacle] if obstacle else []})

    async def _working(self, _: web.Request) -> web.Response:
        role = self._the_worker.standing.role
        return _json(200 if role == "works" else 503, {"role": role})

    async def _give_over(self, request: web.Request) -> web.Response:
        if request.remote != self._settings.http.rpartition(":")[0]:
            return _json(403, {"reason": "only from this host itself"})
        fields = await _fields(request)
        if self._the_worker.standing.role != "works":
            return _json(409, {"reason": "this member does not work"})
        self._the_worker.give_over(str(fields.get("to", "")))
        return _json(202, {"to": fields.get("to")})

    async def _metrics(self, _: web.Request) -> web.Response:
        standing, registry = self._the_worker.standing, CollectorRegistry()
        waiting = await self._the_worker.waiting()
        figures: dict[str, tuple[str, float]] = {
            "passive_working": ("1 while this member has the lease", standing.role == "works"),
            "passive_ready": ("1 while an order could be taken", not self._the_worker.obstacle),
            "passive_sequence": ("Last applied sequence of the queue", standing.sequence),
            "passive_height": ("Last batch carried out", standing.height),
            "passive_taken_over": ("How often this member took over", standing.taken_over),
            "passive_fenced": ("How often the ledger refused this member's token", standing.fenced),
            "passive_queue_answers": ("1 while the stream has a leader that answers", waiting is not None),
            "passive_queue_messages": ("Orders that the stream holds", waiting or 0),
            "passive_queue_messages_max": ("How many it may hold", self._settings.messages_max),
        }
        if self._settings.tls:
            says = "When this member's certificate ends, seconds since 1970"
            figures["passive_certificate_ends_seconds"] = (says, self._settings.tls.ends_seconds)
        for name, (says, value) in figures.items():
            Gauge(name, says, ("engine",), registry=registry).labels(self._settings.engine).set(value)
        return web.Response(body=generate_latest(registry), content_type="text/plain")

    @property
    def _the_worker(self) -> Worker:
        if self._worker is None:
            raise web.HTTPServiceUnavailable
        return self._worker


async def _fields(request: web.Request) -> dict[str, Any]:
    try:
        fields = json.loads(await request.read())
    except web.HTTPRequestEntityTooLarge:
        raise Refused(Code.OVERSIZED, "the body is too large") from None
    except (ValueError, RecursionError):
        raise Refused(Code.MALFORMED, "the body is not JSON") from None
    if not isinstance(fields, dict):
        raise Refused(Code.MALFORMED, "the body is not a JSON object")
    return fields


def _told(identity: str, encoded: bytes, outcome: Outcome | None) -> web.Response:
    if outcome is None:
        reason = "it waits in the queue; ask again with the same key, here or at another member"
        return _json(504, {"status": "indeterminate", "reason": reason})
    if outcome.body != body_digest(encoded):
        return _refused(Code.KEY_REUSED, f"{identity} names another order")
    if outcome.code is not Code.ACCEPTED:
        return _refused(outcome.code, "the books refused it")
    return _json(200, _acknowledged(identity, outcome))


def _acknowledged(identity: str, outcome: Outcome) -> dict[str, Any]:
    client, _, key = identity.rpartition("/")
    where = {"height": outcome.height, "index": outcome.index, "filled": outcome.filled}
    return {
        "status": "acknowledged",
        "client": client,
        "key": key,
        **where,
        "notional": outcome.notional,
        "remaining": outcome.remaining,
    }


def _refused(code: Code, reason: str) -> web.Response:
    return _json(STATUS.get(code, 422), {"status": "refused", "code": code.name.lower(), "reason": reason})


def _json(status: int, value: Any) -> web.Response:
    return web.Response(status=status, body=json.dumps(value).encode(), content_type="application/json")
