"""One market's book: price-time priority, and a hash that costs what changed.

`Book.match` executes an order against the other side and lets the rest stand, `cancel` and `expire` take orders out.
The hash has two storeys, levels and book: a block recomputes the levels that it touched and one line over all levels.
It covers everything that decides how the book behaves next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sortedcontainers import SortedDict  # type: ignore[import-untyped]  # it ships no types

from workloads.engine.orders import New

Side = Literal["buy", "sell"]


class Fill(NamedTuple):
    """One trade; `maker` is the number of the standing order, whose price it is."""

    maker: int
    price: int
    quantity: int


@dataclass(slots=True)
class Standing:
    """An order in the book. `number` is its place in time: lower came first. `remaining` is what is still open."""

    number: int
    client: str
    key: str
    side: Side
    price: int
    remaining: int
    expiry: int

    def encoded(self) -> bytes:
        """One spelling of the order, for the hash; no field can run into the next."""
        return f"{self.number},{self.client},{self.key},{self.remaining},{self.expiry};".encode()


class Book:
    """The open orders of one market. Every method is deterministic; heights are the only time."""

    def __init__(self) -> None:
        self.number_next = 1
        """The place in time that the next standing order gets."""
        self.traded = 0
        """Quantity traded since genesis."""
        self._levels: dict[Side, SortedDict] = {"buy": SortedDict(_descending), "sell": SortedDict()}
        self._orders: dict[tuple[str, str], Standing] = {}
        self._expiries: SortedDict = SortedDict()
        self._digest: bytes | None = None

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[Standing]:
        """Standing orders from the oldest to the newest."""
        return iter(sorted(self._orders.values(), key=lambda order: order.number))

    def stands(self, client: str, key: str) -> bool:
        """Whether the client's order of that key is in the book."""
        return (client, key) in self._orders

    def match(self, side: Side, price: int, quantity: int) -> list[Fill]:
        """Trade up to `quantity` at `price` or better, best price first and oldest first; makers are reduced."""
        fills: list[Fill] = []
        opposite = self._levels[_opposite(side)]
        while quantity and opposite:
            level = opposite.peekitem(0)[1]
            if not _crosses(side, price, level.price):
                break
            quantity -= self._consume(level, quantity, fills)
        return fills

    def stand(self, order: New, remaining: int) -> Standing:
        """Let the rest of an order stand behind all others at its price; it was matched, so it crosses nothing."""
        number = self.number_next
        standing = Standing(number, order.client, order.key, order.side, order.price, remaining, order.expiry)
        self.number_next += 1
        self._place(standing)
        return standing

    def cancel(self, client: str, key: str) -> Standing | None:
        """Take the client's order out; None when it has none of that key (any more)."""
        order = self._orders.get((client, key))
        if order is not None:
            self._remove(order)
        return order

    def expire(self, height: int) -> list[Standing]:
        """Take out the orders whose last height is before `height`; oldest expiry first, then oldest order."""
        gone: list[Standing] = []
        while self._expiries and self._expiries.peekitem(0)[0] < height:
            for order in list(self._expiries.peekitem(0)[1].values()):
                self._remove(order)
                gone.append(order)
        return gone

    def depth(self, side: Side, levels_max: int) -> list[tuple[int, int]]:
        """(price, open quantity) of at most `levels_max` levels, best first."""
        levels = self._levels[side].values()
        return [(level.price, level.quantity()) for level, _ in zip(levels, range(levels_max), strict=False)]

    def digest(self) -> bytes:
        """SHA-256 over all of the book; cached until the book changes."""
        if self._digest is None:
            parts = [f"book {self.number_next} {self.traded}\n".encode()]
            for side in ("buy", "sell"):
                parts.append(f"{side} {len(self._levels[side])}\n".encode())
                parts += [level.digest() for level in self._levels[side].values()]
            self._digest = hashlib.sha256(b"".join(parts)).digest()
        return self._digest

    def document(self) -> dict[str, Any]:
        """The book as JSON values, oldest order first; `restored` is its inverse."""
        orders = [[o.number, o.client, o.key, o.side, o.price, o.remaining, o.expiry] for o in self]
        return {"number_next": self.number_next, "traded": self.traded, "orders": orders}

    @classmethod
    def restored(cls, document: dict[str, Any]) -> Book:
        """The book of a `document`; raises ValueError on values of a wrong kind, which the digest could not tell."""
        book = cls()
        book.number_next = _checked(document["number_next"], int)
        book.traded = _checked(document["traded"], int)
        for fields in document["orders"]:
            kinds = zip(fields, (int, str, str, str, int, int, int), strict=True)
            book._place(Standing(*(_checked(value, kind) for value, kind in kinds)))
        return book

    def _consume(self, level: _Level, quantity: int, fills: list[Fill]) -> int:
        maker = level.oldest()
        traded = min(quantity, maker.remaining)
        maker.remaining -= traded
        self.traded += traded
        fills.append(Fill(maker.number, maker.price, traded))
        self._touch(level)
        if maker.remaining == 0:
            self._remove(maker)
        return traded

    def _place(self, order: Standing) -> None:
        levels = self._levels[order.side]
        level = levels.get(order.price)
        if level is None:
            level = levels[order.price] = _Level(order.side, order.price)
        level.orders[order.number] = order
        self._orders[order.client, order.key] = order
        if order.expiry:
            self._expiries.setdefault(order.expiry, {})[order.number] = order
        self._touch(level)

    def _remove(self, order: Standing) -> None:
        levels = self._levels[order.side]
        level = levels[order.price]
        del level.orders[order.number]
        if not level.orders:
            del levels[order.price]
        del self._orders[order.client, order.key]
        self._forget_expiry(order)
        self._touch(level)

    def _forget_expiry(self, order: Standing) -> None:
        if order.expiry:
            expiring = self._expiries[order.expiry]
            del expiring[order.number]
            if not expiring:
                del self._expiries[order.expiry]

    def _touch(self, level: _Level) -> None:
        level.cached = None
        self._digest = None


class _Level:
    """The orders at one price of one side, oldest first: numbers only grow, so insertion order is time order."""

    __slots__ = ("cached", "orders", "price", "side")

    def __init__(self, side: Side, price: int) -> None:
        self.side = side
        self.price = price
        self.orders: dict[int, Standing] = {}
        self.cached: bytes | None = None

    def oldest(self) -> Standing:
        return next(iter(self.orders.values()))

    def quantity(self) -> int:
        return sum(order.remaining for order in self.orders.values())

    def digest(self) -> bytes:
        if self.cached is None:
            orders = b"".join(order.encoded() for order in self.orders.values())
            self.cached = hashlib.sha256(f"level {self.price}\n".encode() + orders).digest()
        return self.cached


def _checked(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ValueError(f"{value!r:.40} in a book is not of kind {kind.__name__}")
    return value


def _descending(price: int) -> int:
    return -price


def _opposite(side: Side) -> Side:
    return "sell" if side == "buy" else "buy"


def _crosses(side: Side, price: int, standing_price: int) -> bool:
    return price >= standing_price if side == "buy" else price <= standing_price
