"""The replicated state: what every engine computes alike from the same blocks, and its application hash.

`State.execute` carries out one block; `State.check` says whether a transaction would be refused now. There is no I/O,
no clock (only block times), no float and nothing random. Everything that decides what happens next is in the
application hash, except the height, which the chain itself vouches for: the hash of an empty block must stay the same,
or CometBFT would make one proof block after the other.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from workloads.engine import orders
from workloads.engine.book import Book, Fill
from workloads.engine.orders import Cancel, Code, New, Operator, Refused, Transaction
from workloads.engine.outcomes import Outcome, Outcomes, Segment, body_digest
from workloads.engine.settings import MarketRules, Rules, SettingsError, parse_app_state, rules_bytes

VERSION = 1
"""Of the state's meaning and of its document; CometBFT compares it as the application's version."""

POWER_TOTAL_MAX = 2**59
"""Half of CometBFT's own bound, so that no instruction can make it panic."""

TIME_MARKS_PER_GAP = 8
"""The time mark lags by at most this fraction of the gap, so an empty block seldom changes the hash."""

UNRECORDED = frozenset(
    {
        Code.MALFORMED,
        Code.OVERSIZED,
        Code.DUPLICATE,
        Code.KEY_REUSED,
        Code.NOT_ADMITTED,
        Code.NOT_AUTHORISED,
        Code.STALE_NONCE,
        Code.WRONG_CHAIN,
    }
)
"""Refusals that leave no outcome behind: nobody has shown to own the key, or it has its outcome already."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a block did with one transaction. `outcome` is None when none was recorded."""

    code: Code
    reason: str
    identity: str
    outcome: Outcome | None
    trades: int


@dataclass(slots=True)
class BlockResult:
    """What a block did: a result per transaction, validators whose power changed (base64 key → power), the hash."""

    height: int
    results: list[Result] = field(default_factory=list)
    validators: dict[str, int] = field(default_factory=dict)
    app_hash: bytes = b""
    books_hash: bytes = b""
    expired: int = 0


class State:
    """Markets, books, outcomes, halts, operators and voting powers after `height` blocks."""

    def __init__(self, rules: Rules, chain: str, validators: dict[str, int], initial_height: int = 1) -> None:
        self.rules = rules
        self.chain = chain
        self.initial_height = initial_height
        self.height = initial_height - 1
        self.validators = dict(validators)
        self.books = {market: Book() for market in sorted(rules.markets)}
        self.outcomes = Outcomes(rules.idempotency_heights)
        self.halted: set[str] = set()
        self.nonces: dict[str, int] = {}
        self.cancel_only_until = 0
        self.time_mark_ns = 0
        self._clients = frozenset(rules.clients)
        self._rules_digest = hashlib.sha256(rules_bytes(rules)).hexdigest()
        self.app_hash = self._hash()

    def books_hash(self) -> bytes:
        """SHA-256 over the books alone: equal on two engines at the same height, or one of them is wrong."""
        parts = [market.encode() + b"\n" + book.digest() for market, book in self.books.items()]
        return hashlib.sha256(b"".join(parts)).digest()

    def check(self, transaction: bytes) -> Transaction:
        """The transaction, if the next block would accept it as things stand; raises Refused."""
        return self._admit(self._read(transaction), transaction, self.height + 1)

    def execute(self, height: int, time_ns: int, transactions: list[bytes]) -> BlockResult:
        """Carry out the block of `height`, which must follow the last one; `time_ns` is its own time since 1970."""
        if height != self.height + 1:
            raise ValueError(f"block {height} does not follow height {self.height}")
        powers = dict(self.validators)
        block = BlockResult(height)
        self._keep_time(height, time_ns)
        block.expired = sum(len(book.expire(height)) for book in self.books.values())
        self.outcomes.forget(height)
        block.results = [self._carry_out(height, index, tx) for index, tx in enumerate(transactions)]
        self.height = height
        block.validators = _changed(powers, self.validators)
        block.books_hash = self.books_hash()
        block.app_hash = self.app_hash = self._hash()
        return block

    def is_cancel_only(self, height: int) -> bool:
        """Whether markets take only cancellations at `height`, because a gap came before it."""
        return height <= self.cancel_only_until

    def parts(self) -> list[bytes]:
        """The state as bytes: a head in JSON, then the outcome segments it names. `restored` is the inverse.

        The same on every engine at the same height, so engines can serve each other's snapshots.
        """
        segments = list(self.outcomes.segments())
        head = self._head() | {
            "height": self.height,
            "rules": json.loads(rules_bytes(self.rules)),
            "books": {market: book.document() for market, book in self.books.items()},
            "segments": [segment.digest.hex() for segment in segments],
        }
        return [_json(head), *(segment.encoded() for segment in segments)]

    @classmethod
    def restored(cls, parts: list[bytes]) -> State:
        """The state in `parts`; raises ValueError when they do not add up. Compare `app_hash` with a trusted one."""
        try:
            state = cls._restored(json.loads(parts[0]), parts[1:])
            if type(state.height) is not int or state.parts() != parts:
                raise ValueError("not in the one spelling that this engine writes")
            return state
        except (KeyError, IndexError, TypeError, AttributeError, RecursionError, OverflowError, SettingsError) as error:
            raise ValueError(f"not a state of this engine: {error!r}") from None

    @classmethod
    def _restored(cls, head: dict[str, Any], segments: list[bytes]) -> State:
        if head["version"] != VERSION:
            raise ValueError(f"state version {head['version']!r:.20}; this engine reads {VERSION}")
        rules = parse_app_state(_json(head["rules"]))
        state = cls(rules, head["chain"], head["validators"], head["initial_height"])
        state.height = head["height"]
        state.books = {market: Book.restored(head["books"][market]) for market in sorted(rules.markets)}
        state.halted = set(head["halted"])
        state.nonces = dict(head["nonces"])
        state.cancel_only_until = head["cancel_only_until"]
        state.time_mark_ns = head["time_mark_ns"]
        for digest, encoded in zip(head["segments"], segments, strict=True):
            segment = Segment.decoded(encoded)
            if segment.digest.hex() != digest:
                raise ValueError(f"outcome segment {segment.number} is not the one that the head names")
            state.outcomes.restore(segment)
        state.app_hash = state._hash()
        return state

    def _head(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "chain": self.chain,
            "initial_height": self.initial_height,
            "halted": sorted(self.halted),
            "nonces": self.nonces,
            "validators": self.validators,
            "cancel_only_until": self.cancel_only_until,
            "time_mark_ns": self.time_mark_ns,
        }

    def _hash(self) -> bytes:
        control = _json(self._head() | {"rules": self._rules_digest})
        return hashlib.sha256(self.books_hash() + self.outcomes.digest() + control).digest()

    def _keep_time(self, height: int, time_ns: int) -> None:
        if height == self.initial_height:
            return  # genesis is written long before the venue starts; that is no gap
        gap_ns = self.rules.gap_seconds_max * 1_000_000_000
        if self.time_mark_ns and time_ns - self.time_mark_ns > gap_ns:
            self.cancel_only_until = height + self.rules.cancel_only_heights - 1
        if time_ns - self.time_mark_ns >= gap_ns // TIME_MARKS_PER_GAP:
            self.time_mark_ns = time_ns

    def _carry_out(self, height: int, index: int, transaction: bytes) -> Result:
        try:
            read = self._read(transaction)
        except Refused as refused:
            return Result(refused.code, refused.reason, "", None, 0)
        code, reason, done = self._attempt(read, transaction, height)
        identity = orders.identity(read)
        if code in UNRECORDED:
            return Result(code, reason, identity, None, 0)
        outcome = Outcome(height, index, code, done.filled, done.notional, done.remaining, body_digest(transaction))
        self.outcomes.add(identity, outcome)
        return Result(code, reason, identity, outcome, done.trades)

    def _attempt(self, read: Transaction, transaction: bytes, height: int) -> tuple[Code, str, _Done]:
        try:
            self._admit(read, transaction, height)
            return Code.ACCEPTED, "", self._do(read)
        except Refused as refused:
            return refused.code, refused.reason, _Done()

    def _do(self, transaction: Transaction) -> _Done:
        if isinstance(transaction, New):
            return self._trade(transaction)
        if isinstance(transaction, Cancel):
            gone = self.books[transaction.market].cancel(transaction.client, transaction.order)
            return _Done(remaining=gone.remaining if gone else 0)
        self._instruct(transaction)
        return _Done()

    def _trade(self, order: New) -> _Done:
        book = self.books[order.market]
        fills = book.match(order.side, order.price, order.quantity)
        filled = sum(fill.quantity for fill in fills)
        remaining = order.quantity - filled if order.lifetime == "gtc" else 0
        if remaining:
            book.stand(order, remaining)
        return _Done(filled, _notional(fills), remaining, len(fills))

    def _instruct(self, instruction: Operator) -> None:
        self.nonces[instruction.operator] = instruction.nonce
        if instruction.action == "power":
            self._set_power(instruction)
            return
        markets = list(self.books) if instruction.market == orders.ALL_MARKETS else [instruction.market]
        change = self.halted.update if instruction.action == "halt" else self.halted.difference_update
        change(markets)

    def _set_power(self, instruction: Operator) -> None:
        if instruction.power:
            self.validators[instruction.validator] = instruction.power
        else:
            del self.validators[instruction.validator]

    def _read(self, transaction: bytes) -> Transaction:
        return orders.decode(transaction, self.rules.order_bytes_max)

    def _admit(self, read: Transaction, transaction: bytes, height: int) -> Transaction:
        self._refuse_repeated(read, transaction)
        if isinstance(read, Operator):
            self._admit_instruction(read)
        else:
            self._admit_client(read)
            self._admit_new(read, height) if isinstance(read, New) else self._admit_cancel(read)
        return read

    def _refuse_repeated(self, read: Transaction, transaction: bytes) -> None:
        identity = orders.identity(read)
        first = self.outcomes.find(identity)
        if first is None:
            return
        if first.body == body_digest(transaction):
            raise Refused(Code.DUPLICATE, f"{identity} was decided at height {first.height}")
        raise Refused(Code.KEY_REUSED, f"{identity} names another transaction, decided at height {first.height}")

    def _admit_client(self, read: New | Cancel) -> None:
        if self._clients and read.client not in self._clients:
            raise Refused(Code.NOT_ADMITTED, f"client {read.client} is not among the venue's clients")
        if read.market not in self.books:
            raise Refused(Code.UNKNOWN_MARKET, f"no market {read.market}; there are {', '.join(self.books)}"[:200])

    def _admit_new(self, order: New, height: int) -> None:
        if order.market in self.halted:
            raise Refused(Code.HALTED, f"{order.market} is halted; cancellations are taken")
        if self.is_cancel_only(height):
            raise Refused(Code.CANCEL_ONLY, f"after a gap, only cancellations until height {self.cancel_only_until}")
        if order.expiry and order.expiry < height:
            raise Refused(Code.EXPIRED, f"open until height {order.expiry}, and this is {height}")
        _admit_amounts(order, self.rules.markets[order.market])
        self._admit_standing(order)

    def _admit_standing(self, order: New) -> None:
        book = self.books[order.market]
        orders_open_max = self.rules.markets[order.market].orders_open_max
        if book.stands(order.client, order.key):
            raise Refused(Code.KEY_REUSED, f"{orders.identity(order)} names an order that still stands")
        if order.lifetime == "gtc" and len(book) >= orders_open_max:
            raise Refused(Code.BOOK_FULL, f"{order.market} holds its {orders_open_max} open orders")

    def _admit_cancel(self, cancel: Cancel) -> None:
        if not self.books[cancel.market].stands(cancel.client, cancel.order):
            raise Refused(Code.UNKNOWN_ORDER, f"{cancel.client} has no open order {cancel.order} in {cancel.market}")

    def _admit_instruction(self, instruction: Operator) -> None:
        if instruction.chain != self.chain:
            raise Refused(Code.WRONG_CHAIN, f"signed for {instruction.chain!r}, and this is {self.chain!r}")
        if instruction.operator not in self.rules.operators or not orders.signature_holds(instruction):
            raise Refused(Code.NOT_AUTHORISED, "not signed by one of the venue's operators")
        last = self.nonces.get(instruction.operator, 0)
        if instruction.nonce <= last:
            raise Refused(Code.STALE_NONCE, f"nonce {instruction.nonce}; the last was {last}")
        if instruction.action == "power":
            self._admit_power(instruction)
        elif instruction.market != orders.ALL_MARKETS and instruction.market not in self.books:
            raise Refused(Code.UNKNOWN_MARKET, f"no market {instruction.market}")

    def _admit_power(self, instruction: Operator) -> None:
        powers = self.validators | {instruction.validator: instruction.power}
        if instruction.power == 0 and instruction.validator not in self.validators:
            raise Refused(Code.WRONG_POWER, f"{instruction.validator} is not a validator, so it cannot be taken out")
        if not 0 < sum(powers.values()) <= POWER_TOTAL_MAX:
            raise Refused(Code.WRONG_POWER, f"voting powers would sum to {sum(powers.values())}")


@dataclass(frozen=True, slots=True)
class _Done:
    """What a transaction did, in the terms of `Outcome`."""

    filled: int = 0
    notional: int = 0
    remaining: int = 0
    trades: int = 0


def public_key_text(key: bytes) -> str:
    """How the state names a validator: the base64 of its ed25519 public key."""
    return base64.b64encode(key).decode()


def _admit_amounts(order: New, market: MarketRules) -> None:
    if order.price % market.tick:
        raise Refused(Code.OFF_TICK, f"price {order.price} is not a multiple of the tick, {market.tick}")
    if order.quantity % market.lot:
        raise Refused(Code.OFF_LOT, f"quantity {order.quantity} is not a multiple of the lot, {market.lot}")
    if order.price > market.price_max or order.quantity > market.quantity_max:
        raise Refused(
            Code.OVER_LIMIT,
            f"at most {market.quantity_max} at {market.price_max}, not {order.quantity} at {order.price}",
        )


def _notional(fills: list[Fill]) -> int:
    return sum(fill.price * fill.quantity for fill in fills)


def _changed(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    keys = sorted(before.keys() | after.keys())
    return {key: after.get(key, 0) for key in keys if before.get(key) != after.get(key)}


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
