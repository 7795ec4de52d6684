"""The plain matcher that the engine is held against: one list of orders, searched from end to end each time."""

from __future__ import annotations

from dataclasses import dataclass, field

from workloads.engine.orders import Cancel, New


@dataclass
class Waiting:
    """A standing order."""

    order: New
    remaining: int


@dataclass
class Oracle:
    """One market; `standing` is oldest first."""

    standing: list[Waiting] = field(default_factory=list)
    traded: int = 0

    def expire(self, height: int) -> None:
        """Drop what was open until before `height`."""
        self.standing = [w for w in self.standing if w.order.expiry == 0 or w.order.expiry >= height]

    def new(self, order: New) -> tuple[int, int]:
        """(filled, notional) of a new order, which trades with the best and oldest until nothing crosses."""
        left, notional = order.quantity, 0
        while left and (best := self._best(order)) is not None:
            traded = min(left, best.remaining)
            best.remaining -= traded
            left -= traded
            notional += traded * best.order.price
            self.traded += traded
            self.standing = [waiting for waiting in self.standing if waiting.remaining]
        if left and order.lifetime == "gtc":
            self.standing.append(Waiting(order, left))
        return order.quantity - left, notional

    def cancel(self, cancel: Cancel) -> None:
        """Drop the client's order of that key."""
        named = (cancel.client, cancel.order)
        self.standing = [w for w in self.standing if (w.order.client, w.order.key) != named]

    def rows(self) -> list[tuple[str, str, str, int, int, int]]:
        """(client, key, side, price, remaining, expiry) of every standing order, oldest first."""
        orders = ((w.order, w.remaining) for w in self.standing)
        return [(o.client, o.key, o.side, o.price, left, o.expiry) for o, left in orders]

    def _best(self, order: New) -> Waiting | None:
        sign = 1 if order.side == "buy" else -1
        crossing = [
            waiting
            for waiting in self.standing
            if waiting.order.side != order.side and sign * waiting.order.price <= sign * order.price
        ]
        return min(crossing, key=lambda waiting: sign * waiting.order.price, default=None)
