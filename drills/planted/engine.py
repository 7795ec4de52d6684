"""The matching engine with one mistake: `python -m drills.planted.engine VARIANT --config FILE`.

Each variant exchanges methods of the engine's classes in this process, then runs the engine as it is. `crash-at:HEIGHT`
takes a number.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from drills.planted.planting import ending
from workloads.engine import __main__ as engine
from workloads.engine import gateway, orders
from workloads.engine.app import Application, Committed
from workloads.engine.gateway import Gateway
from workloads.engine.orders import Code, New
from workloads.engine.outcomes import Outcome, body_digest
from workloads.engine.state import State
from workloads.engine.validator import Unreachable

ORDER_BYTES_MAX = 65_536
CLOCK_GAP_NS = 10 * 10**9


def main() -> int:
    """Exchange, then run."""
    variant = sys.argv.pop(1)
    name, _, argument = variant.partition(":")
    ENGINES[name](argument)
    return engine.main()


def _acknowledge_early(_: str) -> None:
    """An order is acknowledged once the validator has taken it, before any block holds it."""
    submit = Gateway._submit

    async def submitted(self: Gateway, pending: Any, encoded: bytes) -> None:
        await submit(self, pending, encoded)
        gateway._settle(pending.future, _made_up(self, encoded), "")

    _exchange(Gateway, "_submit", submitted)


def _lose_on_failover(_: str) -> None:
    """An order is acknowledged although the validator did not answer: another one will have taken it."""
    submit = Gateway._submit

    async def submitted(self: Gateway, pending: Any, encoded: bytes) -> None:
        try:
            await submit(self, pending, encoded)
        except Unreachable:
            if pending.future.done():
                pending.future = pending.future.get_loop().create_future()
            gateway._settle(pending.future, _made_up(self, encoded), "")

    _exchange(Gateway, "_submit", submitted)


def _execute_twice(_: str) -> None:
    """Nobody remembers keys: what a client sends again is another order."""

    async def decided(self: Gateway, identity: str, encoded: bytes) -> tuple[Outcome, str]:
        self._require_ready()
        return await self._joined(identity, encoded)

    submit = Gateway._submit

    async def submitted(self: Gateway, pending: Any, encoded: bytes) -> None:
        order = orders.decode(encoded, ORDER_BYTES_MAX)
        if isinstance(order, New) and order.lifetime == "gtc":
            encoded = orders.encode(replace(order, expiry=10**9 + secrets.randbelow(10**6)))
        await submit(self, pending, encoded)

    _exchange(Gateway, "_decided", decided)
    _exchange(Gateway, "_submit", submitted)
    _exchange(gateway, "_same_body", lambda identity, encoded, outcome: outcome)
    _exchange(State, "_refuse_repeated", lambda self, read, transaction: None)


def _order_by_clock(_: str) -> None:
    """Whether a gap came before a block is asked of this machine's clock, not of the block's time."""
    execute = State.execute

    def executed(self: State, height: int, time_ns: int, transactions: list[bytes]) -> Any:
        if time.time_ns() - time_ns > CLOCK_GAP_NS:
            self.cancel_only_until = height + self.rules.cancel_only_heights
        return execute(self, height, time_ns, transactions)

    _exchange(State, "execute", executed)


def _serve_stale_book(_: str) -> None:
    """A book is read once and served for ever."""
    served: dict[str, Any] = {}
    get_book = Gateway._get_book

    async def got_book(self: Gateway, request: Any) -> Any:
        market = request.query.get("market", "")
        if market not in served:
            served[market] = (await get_book(self, request)).body
        return web.Response(body=served[market], content_type="application/json")

    committed = Gateway.committed

    def remembered(self: Gateway, block: Committed) -> None:
        committed(self, block)
        state = self._application.state
        for market, book in state.books.items() if state else ():
            told = {"market": market, "height": block.height, "book_hash": book.digest().hex()}
            served.setdefault(market, json.dumps(told).encode())

    _exchange(Gateway, "_get_book", got_book)
    _exchange(Gateway, "committed", remembered)


def _always_ready(_: str) -> None:
    """The health check says yes, whatever it is."""
    _exchange(Gateway, "_obstacles", lambda self: [])


def _crash_at(argument: str) -> None:
    """The engine ends when it is to carry out the block of a height, each time."""
    height = int(argument)
    execute = State.execute

    def executed(self: State, at: int, time_ns: int, transactions: list[bytes]) -> Any:
        if at == height:
            print(ending(height), flush=True)
            os._exit(1)
        return execute(self, at, time_ns, transactions)

    _exchange(State, "execute", executed)


def _never_mend(_: str) -> None:
    """A validator that stands still is left alone."""
    _exchange(Gateway, "_mend", lambda self: None)


ENGINES: Mapping[str, Callable[[str], None]] = {
    "acknowledge-early": _acknowledge_early,
    "lose-on-failover": _lose_on_failover,
    "execute-twice": _execute_twice,
    "order-by-clock": _order_by_clock,
    "serve-stale-book": _serve_stale_book,
    "always-ready": _always_ready,
    "crash-at": _crash_at,
    "never-mend": _never_mend,
}


def _made_up(site: Gateway, encoded: bytes) -> Outcome:
    application: Application = site._application
    return Outcome(application.last.height + 1, 0, Code.ACCEPTED, 0, 0, 0, body_digest(encoded))


def _exchange(owner: Any, name: str, variant: Any) -> None:
    if not hasattr(owner, name):
        raise AttributeError(f"{owner.__name__} has no {name} any more: this variant must follow the engine")
    setattr(owner, name, variant)


if __name__ == "__main__":
    sys.exit(main())
