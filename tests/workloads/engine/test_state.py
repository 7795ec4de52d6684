"""The replicated state: the same blocks give the same hash, and each key one outcome."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tests.workloads.engine.oracle import Oracle
from tests.workloads.engine.strategies import MARKETS, RULES, SECOND_NS, blocks, fresh_state, run
from workloads.engine.orders import Cancel, Code, New, Operator, Refused, decode, encode, identity, sign
from workloads.engine.outcomes import Outcome
from workloads.engine.settings import MarketRules, Rules
from workloads.engine.state import POWER_TOTAL_MAX, BlockResult, State, public_key_text

OPERATOR = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
OPERATOR_KEY = public_key_text(OPERATOR.public_key().public_bytes_raw())
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
VALIDATORS = [base64.b64encode(bytes([number]) * 32).decode() for number in range(4)]

STRICT = Rules(
    markets={"BTC-PERP": MarketRules(tick=5, lot=2, price_max=1000, quantity_max=100, orders_open_max=2)},
    operators=(OPERATOR_KEY,),
    clients=("ann", "bob"),
    gap_seconds_max=80,
    cancel_only_heights=3,
    idempotency_heights=64,
)


def order(key: str = "k1", **change: Any) -> bytes:
    """A good order under STRICT, with one thing changed."""
    fields: dict[str, Any] = {"client": "ann", "market": "BTC-PERP", "side": "buy", "price": 100, "quantity": 4}
    return encode(New(key=key, **(fields | change)))


def instruct(key: Ed25519PrivateKey = OPERATOR, **fields: Any) -> bytes:
    """A signed instruction."""
    every: dict[str, Any] = {"chain": "venue", "nonce": 1, "operator": "", "signature": ""}
    return encode(sign(Operator(**(every | fields)), key))


def strict_state() -> State:
    """STRICT at genesis, with four validators of power 10."""
    return State(STRICT, "venue", dict.fromkeys(VALIDATORS, 10))


def commit(state: State, *transactions: bytes, seconds: int | None = None) -> BlockResult:
    """The next block with these transactions, `seconds` since 1970 or one per height."""
    height = state.height + 1
    return state.execute(height, (height if seconds is None else seconds) * SECOND_NS, list(transactions))


@given(blocks)
def test_the_same_blocks_give_the_same_hashes(chain: list[list[bytes]]) -> None:
    """Two engines that execute the same blocks agree at every height."""
    assert run(fresh_state(), chain) == run(fresh_state(), chain)


@given(blocks, st.integers(0, 12))
def test_a_restored_state_goes_on_alike(chain: list[list[bytes]], cut: int) -> None:
    """Wherever the state was kept, a replay from there gives the same hashes and the same bytes."""
    whole, first = fresh_state(), fresh_state()
    hashes = run(whole, chain)
    run(first, chain[:cut])
    second = State.restored(first.parts())
    assert second.app_hash == first.app_hash
    assert run(second, chain[cut:]) == hashes[cut:]
    assert second.parts() == whole.parts()


@given(blocks)
def test_the_state_trades_as_the_oracle_does(chain: list[list[bytes]]) -> None:
    """Every accepted order fills as in the plain matcher; nothing else changes a book; no book is crossed."""
    state, oracles = fresh_state(), {market: Oracle() for market in MARKETS}
    for block in chain:
        for oracle in oracles.values():
            oracle.expire(state.height + 1)
        for transaction, result in zip(block, commit(state, *block).results, strict=True):
            if result.code is Code.ACCEPTED:
                _follow(oracles, transaction, result.outcome)
    for market, oracle in oracles.items():
        book = state.books[market]
        assert [(o.client, o.key, o.side, o.price, o.remaining, o.expiry) for o in book] == oracle.rows()
        bids, asks = book.depth("buy", 1), book.depth("sell", 1)
        assert not bids or not asks or bids[0][0] < asks[0][0]


@given(blocks)
def test_a_key_is_executed_at_most_once(chain: list[list[bytes]]) -> None:
    """Of all transactions under one key, one has an outcome, and it is the one that is found later."""
    state = fresh_state()
    outcomes: dict[str, Outcome] = {}
    for block in chain:
        for result in commit(state, *block).results:
            if result.outcome is not None:
                assert outcomes.setdefault(result.identity, result.outcome) is result.outcome
    for key, outcome in outcomes.items():
        assert state.outcomes.find(key) == outcome


@given(blocks)
def test_what_check_refuses_the_next_block_refuses_alike(chain: list[list[bytes]]) -> None:
    """The mempool's check and the block agree on the first transaction of a block."""
    state = fresh_state()
    for block in chain:
        expected = _checked(state, block[0]) if block else None
        results = commit(state, *block).results
        if results:
            assert results[0].code is expected


@given(st.lists(st.integers(1, 3), min_size=1, max_size=30))
def test_an_empty_block_keeps_the_hash(seconds: list[int]) -> None:
    """Quiet seconds change the hash only when the time mark moves, or CometBFT would never rest."""
    state = strict_state()
    time, changes = 1_000_000, 0
    commit(state, seconds=time)
    commit(state, seconds=time)
    for pause in seconds:
        time, before = time + pause, state.app_hash
        changes += commit(state, seconds=time).app_hash != before
    assert changes <= sum(seconds) // (STRICT.gap_seconds_max // 8)


@pytest.mark.parametrize(
    ("transaction", "code"),
    [
        (b"{}", Code.MALFORMED),
        (b" " * 1025, Code.OVERSIZED),
        (order(market="NO-SUCH"), Code.UNKNOWN_MARKET),
        (order(client="eve"), Code.NOT_ADMITTED),
        (order(price=101), Code.OFF_TICK),
        (order(quantity=3), Code.OFF_LOT),
        (order(price=1005), Code.OVER_LIMIT),
        (order(quantity=102), Code.OVER_LIMIT),
        (order("old"), Code.DUPLICATE),
        (order("old", quantity=8), Code.KEY_REUSED),
        (order(expiry=1), Code.EXPIRED),
        (encode(Cancel(client="ann", key="c", market="BTC-PERP", order="none")), Code.UNKNOWN_ORDER),
        (encode(Cancel(client="bob", key="c", market="BTC-PERP", order="old")), Code.UNKNOWN_ORDER),
        (instruct(STRANGER, action="halt"), Code.NOT_AUTHORISED),
        (instruct(action="halt").replace(b'"nonce":1', b'"nonce":2'), Code.NOT_AUTHORISED),
        (instruct(action="halt", chain="other"), Code.WRONG_CHAIN),
        (instruct(action="halt", market="NO-SUCH"), Code.UNKNOWN_MARKET),
        (instruct(STRANGER, action="power", validator=OPERATOR_KEY, power=1), Code.NOT_AUTHORISED),
        (instruct(action="power", chain="other", validator=OPERATOR_KEY, power=1), Code.WRONG_CHAIN),
        (instruct(action="power", validator=OPERATOR_KEY, power=0), Code.WRONG_POWER),
        (instruct(action="power", validator=OPERATOR_KEY, power=2**50), Code.ACCEPTED),
        (instruct(action="halt"), Code.ACCEPTED),
        (order(), Code.ACCEPTED),
    ],
    ids=lambda value: value.name.lower() if isinstance(value, Code) else "",
)
def test_each_refusal_has_its_reason(transaction: bytes, code: Code) -> None:
    """What is not allowed is refused by the mempool and in a block, with the same code and a reason."""
    state = strict_state()
    commit(state, order("old"))
    assert _checked(state, transaction) is code
    result = commit(state, transaction).results[0]
    assert result.code is code
    assert bool(result.reason) == (code is not Code.ACCEPTED)


def test_a_full_book_takes_no_further_order() -> None:
    """A market's open orders are bounded; what trades at once is still taken."""
    state = strict_state()
    commit(state, order("a"), order("b"))
    results = commit(state, order("c"), order("d", lifetime="ioc", side="sell")).results
    assert [result.code for result in results] == [Code.BOOK_FULL, Code.ACCEPTED]


def test_a_refused_order_stays_refused_under_its_key() -> None:
    """A refusal in a block is an outcome: the same order is not executed later under its key."""
    state = strict_state()
    commit(state, order("a"), order("b"), order("c"))
    commit(state, encode(Cancel(client="ann", key="x", market="BTC-PERP", order="a")))
    assert commit(state, order("c")).results[0].code is Code.DUPLICATE


def test_an_outcome_is_forgotten_after_its_window() -> None:
    """A key is remembered for the window's heights; afterwards it may be used again, unless its order still stands."""
    state = strict_state()
    commit(state, order("stands"), order("gone", lifetime="ioc"))
    while state.height < 64:
        commit(state)
        assert state.outcomes.find("ann/gone") is not None
    while state.outcomes.find("ann/gone"):
        commit(state)
    assert state.height <= 64 + 2
    results = commit(state, order("stands"), order("gone", lifetime="ioc")).results
    assert [result.code for result in results] == [Code.KEY_REUSED, Code.ACCEPTED]


def test_after_a_gap_markets_open_cancel_only() -> None:
    """A gap beyond the bound lets only cancellations through for the set number of blocks."""
    state = strict_state()
    commit(state, seconds=1000)
    commit(state, order("old"), seconds=1001)
    cancel = encode(Cancel(client="ann", key="x", market="BTC-PERP", order="old"))
    results = commit(state, order("a"), cancel, seconds=1001 + 81).results
    assert [result.code for result in results] == [Code.CANCEL_ONLY, Code.ACCEPTED]
    commit(state, seconds=1083)
    assert commit(state, order("b"), seconds=1084).results[0].code is Code.CANCEL_ONLY
    assert commit(state, order("c"), seconds=1085).results[0].code is Code.ACCEPTED


def test_a_short_gap_changes_nothing() -> None:
    """A pause of less than 7/8 of the bound is none."""
    state = strict_state()
    commit(state, seconds=1000)
    for second in range(1001, 1012):
        commit(state, seconds=second)
    assert commit(state, order(), seconds=1011 + 69).results[0].code is Code.ACCEPTED


def test_genesis_written_long_ago_is_no_gap() -> None:
    """The first block carries genesis' time; the time until the venue started does not count."""
    state = strict_state()
    commit(state, seconds=1000)
    assert commit(state, order(), seconds=90_000).results[0].code is Code.ACCEPTED


def test_the_halt_switch_stops_new_orders_until_resumed() -> None:
    """While halted, a market takes cancellations and no order; the operator's next nonce resumes it."""
    state = strict_state()
    commit(state, order("old"), instruct(action="halt", market="BTC-PERP"))
    cancel = encode(Cancel(client="ann", key="x", market="BTC-PERP", order="old"))
    assert [r.code for r in commit(state, order("a"), cancel).results] == [Code.HALTED, Code.ACCEPTED]
    commit(state, instruct(action="resume", nonce=2))
    assert commit(state, order("b")).results[0].code is Code.ACCEPTED


def test_an_instruction_cannot_be_played_back() -> None:
    """An old nonce is refused, even when its outcome is long forgotten."""
    state = strict_state()
    commit(state, instruct(action="halt", nonce=7))
    commit(state, instruct(action="resume", nonce=8))
    while state.outcomes.find(f"{OPERATOR_KEY}/7"):
        commit(state)
    assert commit(state, instruct(action="halt", nonce=7)).results[0].code is Code.STALE_NONCE
    assert state.halted == set()


def test_a_forged_instruction_does_not_use_up_its_nonce() -> None:
    """A wrong signature leaves nothing behind, so the operator's own instruction of that nonce still counts."""
    state = strict_state()
    forged = instruct(action="halt").replace(b'"action":"halt"', b'"action":"resume"')
    assert [r.code for r in commit(state, forged, instruct(action="halt")).results] == [
        Code.NOT_AUTHORISED,
        Code.ACCEPTED,
    ]


def test_voting_powers_change_by_instruction() -> None:
    """A block reports each validator whose power is another than before it, once."""
    state = strict_state()
    block = commit(
        state,
        instruct(action="power", validator=VALIDATORS[0], power=0),
        instruct(action="power", validator=VALIDATORS[1], power=7, nonce=2),
        instruct(action="power", validator=VALIDATORS[1], power=8, nonce=3),
        instruct(action="power", validator=VALIDATORS[2], power=10, nonce=4),
        instruct(action="power", validator=OPERATOR_KEY, power=5, nonce=5),
        instruct(action="power", validator=OPERATOR_KEY, power=0, nonce=6),
    )
    assert [result.code for result in block.results] == [Code.ACCEPTED] * 6
    assert block.validators == {VALIDATORS[0]: 0, VALIDATORS[1]: 8}


def test_no_instruction_can_make_the_validator_set_impossible() -> None:
    """The last validator stays, and the sum of powers stays within what CometBFT bears."""
    state = State(STRICT, "venue", {VALIDATORS[0]: POWER_TOTAL_MAX - 1})
    results = commit(
        state,
        instruct(action="power", validator=VALIDATORS[0], power=0),
        instruct(action="power", validator=VALIDATORS[1], power=2, nonce=2),
    ).results
    assert [result.code for result in results] == [Code.WRONG_POWER, Code.WRONG_POWER]


@pytest.mark.parametrize("key", ["halted", "nonces", "validators", "cancel_only_until", "time_mark_ns", "chain"])
def test_everything_that_decides_the_future_is_in_the_hash(key: str) -> None:
    """A state that was altered in any one thing has another hash."""
    state = strict_state()
    changed: dict[str, Any] = {
        "halted": {"BTC-PERP"},
        "nonces": {OPERATOR_KEY: 3},
        "validators": {VALIDATORS[0]: 1},
        "cancel_only_until": 9,
        "time_mark_ns": 9,
        "chain": "other",
    }
    setattr(state, key, changed[key])
    assert State.restored(state.parts()).app_hash != strict_state().app_hash


def test_a_block_out_of_order_is_not_executed() -> None:
    """Only the height after the last one is executed."""
    with pytest.raises(ValueError, match="block 5 does not follow height 0"):
        fresh_state(RULES).execute(5, 0, [])


@given(st.lists(st.binary(max_size=60), max_size=3))
def test_bytes_from_a_peer_are_a_state_or_refused(parts: list[bytes]) -> None:
    """Whatever a peer sends, restoring raises ValueError and nothing else."""
    with pytest.raises(ValueError, match=r"not a state|state version|Expecting|codec|Extra data|Invalid"):
        State.restored(parts)


@given(
    st.sampled_from(["rules", "books", "validators", "segments", "halted", "height"]),
    st.none() | st.integers() | st.text(),
)
def test_an_altered_head_is_refused_or_another_state(key: str, value: Any) -> None:
    """A head with a wrong value in it is no state, or one with another hash or height."""
    state = strict_state()
    commit(state, order())
    head = json.loads(state.parts()[0])
    head[key] = value
    with contextlib.suppress(ValueError):
        restored = State.restored([json.dumps(head).encode(), *state.parts()[1:]])
        assert restored.parts() == state.parts() or restored.app_hash != state.app_hash or key == "height"


@pytest.mark.parametrize("place", range(7))
def test_a_number_written_as_text_is_no_state(place: int) -> None:
    """A peer cannot pass off a state that only looks the same when hashed."""
    state = strict_state()
    commit(state, order())
    head = json.loads(state.parts()[0])
    standing = head["books"]["BTC-PERP"]["orders"][0]
    standing[place] = str(standing[place]) if isinstance(standing[place], int) else 5
    altered = json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(ValueError, match="is not of kind"):
        State.restored([altered, *state.parts()[1:]])


def _checked(state: State, transaction: bytes) -> Code:
    try:
        state.check(transaction)
    except Refused as refused:
        return refused.code
    return Code.ACCEPTED


def _follow(oracles: dict[str, Oracle], transaction: bytes, outcome: Any) -> None:
    read = decode(transaction, 1024)
    assert identity(read)
    if isinstance(read, New):
        assert oracles[read.market].new(read) == (outcome.filled, outcome.notional)
    elif isinstance(read, Cancel):
        oracles[read.market].cancel(read)
