"""Transactions: one spelling each, and a reason for every refusal."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tests.workloads.engine.strategies import cancels, new_orders
from workloads.engine.orders import Cancel, Code, New, Operator, Refused, decode, encode, sign, signature_holds

ORDER: dict[str, Any] = {
    "client": "ann",
    "key": "k1",
    "kind": "new",
    "lifetime": "gtc",
    "market": "BTC-PERP",
    "price": 100,
    "quantity": 5,
    "side": "buy",
}


@given(new_orders | cancels)
def test_what_is_encoded_decodes_to_the_same(transaction: New | Cancel) -> None:
    """Encoding loses nothing."""
    assert decode(encode(transaction), 1024) == transaction


@given(st.binary(max_size=200))
def test_any_bytes_are_a_transaction_or_refused(data: bytes) -> None:
    """No bytes raise anything but a refusal, and what is accepted is its own one spelling."""
    with contextlib.suppress(Refused):
        assert encode(decode(data, 1024)) == data


@given(
    st.dictionaries(
        st.sampled_from([*ORDER, "order", "nonce", "x"]), st.integers() | st.text() | st.floats() | st.none()
    )
)
def test_any_object_is_a_transaction_or_refused(fields: dict[str, Any]) -> None:
    """No JSON object raises anything but a refusal."""
    data = json.dumps(ORDER | fields, sort_keys=True, separators=(",", ":")).encode()
    with contextlib.suppress(Refused):
        assert encode(decode(data, 1024)) == data


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "swap"}, "kind must be one of"),
        ({"kind": None}, "flat JSON object"),
        ({"side": "long"}, "side must be buy or sell"),
        ({"price": 0}, "price must be a whole number from 1"),
        ({"price": True}, "price must be a whole number"),
        ({"price": 1.5}, "flat JSON object"),
        ({"quantity": -3}, "quantity must be a whole number"),
        ({"quantity": 10**13}, "quantity must be a whole number"),
        ({"client": "Ann Smith"}, "client must be 1 to 64 letters"),
        ({"key": "k" * 65}, "key must be 1 to 64 letters"),
        ({"key": "k\n"}, "key must be 1 to 64 letters"),
        ({"market": "Ü"}, "market must be"),
        ({"lifetime": "ioc", "expiry": 9}, "has no expiry"),
        ({"note": "x"}, "unknown field 'note'"),
    ],
)
def test_a_malformed_field_is_named(change: dict[str, Any], reason: str) -> None:
    """A malformed order is refused with the field that is wrong."""
    data = json.dumps(ORDER | change, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(Refused, match=reason) as refused:
        decode(data, 1024)
    assert refused.value.code is Code.MALFORMED


def test_a_missing_field_is_named() -> None:
    """An order without a price is refused for its price."""
    fields = {name: value for name, value in ORDER.items() if name != "price"}
    with pytest.raises(Refused, match="price is missing"):
        decode(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode(), 1024)


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(ORDER).encode(),
        json.dumps(ORDER, sort_keys=True, separators=(",", ":")).replace("100", "1e2").encode(),
        json.dumps(ORDER, sort_keys=True, separators=(",", ":")).replace('"ann"', '"\\u0061nn"').encode(),
        b'{"client":"ann",' + json.dumps(ORDER, sort_keys=True, separators=(",", ":")).encode()[1:],
        b"[" * 1000,
        b"\xff",
        b"",
        b"NaN",
    ],
    ids=["spaces", "exponent", "escape", "repeated key", "deep", "not text", "empty", "not a number"],
)
def test_a_second_spelling_is_malformed(data: bytes) -> None:
    """Nobody can write one order in two ways."""
    with pytest.raises(Refused) as refused:
        decode(data, 1024)
    assert refused.value.code is Code.MALFORMED


def test_an_oversized_transaction_is_refused_unread() -> None:
    """A transaction beyond the limit is refused for its size."""
    with pytest.raises(Refused, match="1025 bytes; at most 1024") as refused:
        decode(b"x" * 1025, 1024)
    assert refused.value.code is Code.OVERSIZED


def test_only_the_operator_s_own_signature_holds() -> None:
    """A changed instruction is no longer signed."""
    instruction = Operator(action="halt", chain="venue", nonce=1, operator="", signature="")
    signed = sign(instruction, Ed25519PrivateKey.generate())
    assert decode(encode(signed), 1024) == signed
    assert signature_holds(signed)
    assert not signature_holds(decode(encode(signed).replace(b'"nonce":1', b'"nonce":2'), 1024))  # type: ignore[arg-type]
