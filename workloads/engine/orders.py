"""Transactions: what a client or an operator may ask for, in exactly one spelling each.

A transaction is canonical JSON: one flat object of ASCII text, keys sorted, no spaces, integers only. Whatever does
not come out the same when encoded again is malformed, so nobody can write one order in two ways.

    {"client":"c1","key":"k1","kind":"new","lifetime":"gtc","market":"BTC-PERP","price":100,"quantity":5,"side":"buy"}
    {"client":"c1","key":"k2","kind":"new","expiry":900,"lifetime":"gtc",...}        open until height 900, inclusive
    {"client":"c1","key":"k3","kind":"cancel","market":"BTC-PERP","order":"k1"}      the client's own order, by its key
    {"action":"halt","chain":"venue","kind":"operator","market":"*","nonce":1,"operator":"…","signature":"…"}
    {"action":"resume",...}    {"action":"power","power":0,"validator":"<base64 ed25519>",...}

The pair (client, key) is an order's identity: it executes at most once, on whichever gateway it arrives.
"""

from __future__ import annotations

import base64
import binascii
import enum
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from workloads.engine.settings import AMOUNT_MAX, NAME_PATTERN

ALL_MARKETS = "*"
POWER_MAX = 2**50
"""Far below CometBFT's bound on the total (2**60), whatever number of validators."""


class Code(enum.IntEnum):
    """Why a transaction was refused; 0 is accepted. Part of the block's results, so a number never changes meaning."""

    ACCEPTED = 0
    MALFORMED = 1
    OVERSIZED = 2
    DUPLICATE = 3
    KEY_REUSED = 4
    UNKNOWN_MARKET = 5
    NOT_ADMITTED = 6
    HALTED = 7
    CANCEL_ONLY = 8
    UNKNOWN_ORDER = 9
    OFF_TICK = 10
    OFF_LOT = 11
    OVER_LIMIT = 12
    EXPIRED = 13
    BOOK_FULL = 14
    NOT_AUTHORISED = 15
    STALE_NONCE = 16
    WRONG_CHAIN = 17
    WRONG_POWER = 18


class Refused(Exception):  # noqa: N818  it is an answer, not a fault
    """A transaction that is not carried out; `code` is the same on every engine, `reason` is for people."""

    def __init__(self, code: Code, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code.name.lower()}: {reason}")


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """A limit order. `expiry` is the last height at which it is open; 0 is until cancelled."""

    client: str
    key: str
    market: str
    side: Literal["buy", "sell"]
    price: int
    quantity: int
    lifetime: Literal["gtc", "ioc"] = "gtc"
    expiry: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Takes back the rest of the same client's order whose key is `order`."""

    client: str
    key: str
    market: str
    order: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """An instruction of the venue's operator, signed; `nonce` is one more than the same operator's last."""

    action: Literal["halt", "resume", "power"]
    chain: str
    nonce: int
    operator: str
    signature: str
    market: str = ALL_MARKETS
    validator: str = ""
    power: int = 0


Transaction: TypeAlias = New | Cancel | Operator


def decode(transaction: bytes, bytes_max: int) -> Transaction:
    """The transaction in these bytes; raises Refused (malformed, oversized) and nothing else, whatever the bytes."""
    if len(transaction) > bytes_max:
        raise Refused(Code.OVERSIZED, f"{len(transaction)} bytes; at most {bytes_max}")
    fields = _parse(transaction)
    if _canonical(fields) != transaction:
        raise Refused(Code.MALFORMED, "not canonical: one flat JSON object, keys sorted, no spaces, no floats")
    return from_fields(fields)


def from_fields(fields: dict[str, Any]) -> Transaction:
    """The transaction with these JSON fields; raises Refused (malformed) naming the field that is wrong."""
    kind = fields.get("kind")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise Refused(Code.MALFORMED, f"kind must be one of {', '.join(sorted(_READERS))}, not {kind!r:.40}")
    remaining = dict(fields)
    del remaining["kind"]
    transaction = reader(remaining)
    if remaining:
        raise Refused(Code.MALFORMED, f"unknown field {min(remaining)!r:.40} in a transaction of kind {kind}")
    return transaction


def encode(transaction: Transaction) -> bytes:
    """The one spelling of `transaction`; what it leaves at its default is left out where that is allowed."""
    return _canonical(_fields(transaction))


def sign(instruction: Operator, private_key: Ed25519PrivateKey) -> Operator:
    """`instruction` with the operator's key and signature filled in from `private_key`."""
    operator = base64.b64encode(private_key.public_key().public_bytes_raw()).decode()
    unsigned = _fields(instruction) | {"operator": operator}
    signature = base64.b64encode(private_key.sign(_signed_bytes(unsigned))).decode()
    return _read_operator({**unsigned, "signature": signature}, check_kind=True)


def signature_holds(instruction: Operator) -> bool:
    """Whether the operator named in `instruction` signed it."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(instruction.operator))
        key.verify(base64.b64decode(instruction.signature), _signed_bytes(_fields(instruction)))
    except (InvalidSignature, ValueError):
        return False
    return True


def identity(transaction: Transaction) -> str:
    """Under what its outcome is remembered: `client/key`, for an instruction `operator/nonce` (never the same text)."""
    if isinstance(transaction, Operator):
        return f"{transaction.operator}/{transaction.nonce}"
    return f"{transaction.client}/{transaction.key}"


_NAME = re.compile(NAME_PATTERN.removesuffix("$") + r"\Z")


def _parse(transaction: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(transaction.decode("ascii"))
    except (ValueError, RecursionError):
        raise Refused(Code.MALFORMED, "not JSON of ASCII text") from None
    if not isinstance(fields, dict) or any(not isinstance(value, str | int) for value in fields.values()):
        raise Refused(Code.MALFORMED, "not one flat JSON object of texts and integers")
    return fields


def _canonical(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def _fields(transaction: Transaction) -> dict[str, Any]:
    fields = {name: getattr(transaction, name) for name in transaction.__slots__}
    if isinstance(transaction, New):
        return _without(fields, "expiry", 0) | {"kind": "new"}
    if isinstance(transaction, Cancel):
        return fields | {"kind": "cancel"}
    unused = ("validator", "power") if transaction.action != "power" else ("market",)
    return {name: value for name, value in fields.items() if name not in unused} | {"kind": "operator"}


def _without(fields: dict[str, Any], name: str, value: object) -> dict[str, Any]:
    return {key: held for key, held in fields.items() if key != name or held != value}


def _signed_bytes(fields: dict[str, Any]) -> bytes:
    return b"diversite operator\n" + _canonical({key: fields[key] for key in fields if key != "signature"})


def _read_new(fields: dict[str, Any]) -> New:
    if fields.get("lifetime") == "ioc" and "expiry" in fields:
        raise Refused(Code.MALFORMED, "an order of lifetime ioc never stands in the book, so it has no expiry")
    return New(
        client=_name(fields, "client"),
        key=_name(fields, "key"),
        market=_name(fields, "market"),
        side=_choice(fields, "side", ("buy", "sell")),
        price=_integer(fields, "price", 1, AMOUNT_MAX),
        quantity=_integer(fields, "quantity", 1, AMOUNT_MAX),
        lifetime=_choice(fields, "lifetime", ("gtc", "ioc")),
        expiry=_integer(fields, "expiry", 1, 2**53) if "expiry" in fields else 0,
    )


def _read_cancel(fields: dict[str, Any]) -> Cancel:
    return Cancel(
        client=_name(fields, "client"),
        key=_name(fields, "key"),
        market=_name(fields, "market"),
        order=_name(fields, "order"),
    )


def _read_operator(fields: dict[str, Any], check_kind: bool = False) -> Operator:
    if check_kind:
        fields.pop("kind")
    action = _choice(fields, "action", ("halt", "resume", "power"))
    changes_power = action == "power"
    return Operator(
        action=action,
        chain=_text(fields, "chain", 50),
        nonce=_integer(fields, "nonce", 1, 2**53),
        operator=_base64(fields, "operator", 32),
        signature=_base64(fields, "signature", 64),
        market=ALL_MARKETS if changes_power else _market_or_all(fields),
        validator=_base64(fields, "validator", 32) if changes_power else "",
        power=_integer(fields, "power", 0, POWER_MAX) if changes_power else 0,
    )


_READERS: dict[str, Callable[[dict[str, Any]], Transaction]] = {
    "new": _read_new,
    "cancel": _read_cancel,
    "operator": _read_operator,
}


def _take(fields: dict[str, Any], field: str) -> Any:
    if field not in fields:
        raise Refused(Code.MALFORMED, f"{field} is missing")
    return fields.pop(field)


def _name(fields: dict[str, Any], field: str) -> str:
    value = _take(fields, field)
    if not isinstance(value, str) or not _NAME.match(value):
        raise Refused(Code.MALFORMED, f"{field} must be 1 to 64 letters, digits and . _ : -, not {value!r:.80}")
    return value


def _text(fields: dict[str, Any], field: str, length_max: int) -> str:
    value = _take(fields, field)
    if not isinstance(value, str) or len(value) > length_max:
        raise Refused(Code.MALFORMED, f"{field} must be a text of at most {length_max} characters")
    return value


def _market_or_all(fields: dict[str, Any]) -> str:
    return fields.pop("market") if fields.get("market") == ALL_MARKETS else _name(fields, "market")


def _choice(fields: dict[str, Any], field: str, choices: tuple[str, ...]) -> Any:
    value = _take(fields, field)
    if value not in choices:
        raise Refused(Code.MALFORMED, f"{field} must be {' or '.join(choices)}, not {value!r:.40}")
    return value


def _integer(fields: dict[str, Any], field: str, least: int, most: int) -> int:
    value = _take(fields, field)
    if type(value) is not int or not least <= value <= most:
        raise Refused(Code.MALFORMED, f"{field} must be a whole number from {least} to {most}, not {value!r:.40}")
    return value


def _base64(fields: dict[str, Any], field: str, length_bytes: int) -> str:
    value = _take(fields, field)
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise Refused(Code.MALFORMED, f"{field} must be base64") from None
    if len(decoded) != length_bytes or base64.b64encode(decoded).decode() != value:
        raise Refused(Code.MALFORMED, f"{field} must be the canonical base64 of {length_bytes} bytes")
    return str(value)
