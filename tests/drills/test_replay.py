"""The chain carried out again is the one the engines carried out, or the difference is told."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any, cast

from diversite.plan import Host, Plan
from drills.load import Line
from drills.observer import Answer, Observer
from drills.replay import Replay, nanoseconds
from workloads.engine.orders import encode, from_fields
from workloads.engine.settings import MarketRules, Rules, app_state
from workloads.engine.state import State

MARKET = "BTC-PERP"
RULES = Rules(markets={MARKET: MarketRules()})
POWERS = {"A" * 43 + "=": 10}
TIME = "2026-11-22T14:02:{:02}.000000001Z"


def new(key: str) -> bytes:
    """An order of Ann's."""
    fields = {"client": "ann", "key": key, "market": MARKET, "side": "buy", "price": 7, "quantity": 1}
    return encode(from_fields({"kind": "new", "lifetime": "gtc", **fields}))


LATE = 2
"""The height that was committed in a second round."""


class Chain:
    """An observer of a chain that the test makes; every engine serves the book of its end."""

    def __init__(self, blocks: Iterable[list[bytes]]) -> None:
        self.state = State(RULES, "venue", POWERS)
        self.blocks: list[dict[str, Any]] = []
        for number, transactions in enumerate(blocks, start=1):
            self.blocks.append(self._block(number, transactions))
            self.state.execute(number, nanoseconds(TIME.format(number)), transactions)
        self.book_hash = self.state.books[MARKET].digest().hex()

    def _block(self, height: int, transactions: list[bytes]) -> dict[str, Any]:
        header = {
            "height": str(height),
            "time": TIME.format(height),
            "app_hash": self.state.app_hash.hex().upper() if height > 1 else "",
        }
        told = {"round": 1 if height == LATE + 1 else 0}
        return {
            "header": header,
            "last_commit": told,
            "data": {"txs": [base64.b64encode(each).decode() for each in transactions]},
        }

    def ask(self, questions: Iterable[tuple[Host, str]]) -> list[Answer]:
        """As the observer does."""
        return [Answer(status=200, body=json.dumps(self._answer(url))) for _, url in questions]

    def _answer(self, url: str) -> dict[str, Any]:
        if "/book" in url:
            return {"book_hash": self.book_hash}
        if "/genesis" in url:
            validators = [{"pub_key": {"value": key}, "power": str(power)} for key, power in POWERS.items()]
            told = {"app_state": app_state(RULES), "chain_id": "venue", "initial_height": "1", "validators": validators}
            return {"result": {"genesis": told}}
        return {"result": {"block": self.blocks[int(url.rpartition("=")[2]) - 1]}}


def acknowledged(key: str) -> Line:
    """An order that its client was told is done."""
    return Line(
        number=0,
        key=key,
        client="ann",
        fate="acknowledged",
        entrance="http://a",
        attempts=1,
        intended_seconds=0.0,
        settled_seconds=1.0,
    )


def checked(chain: Chain, plan: Plan, *keys: str) -> tuple[str, ...]:
    """What the replay of a whole chain finds wrong."""
    replay = Replay(cast(Observer, chain), plan)
    found = replay.check([acknowledged(key) for key in keys], plan.of_role("validator")[0], len(chain.blocks))
    assert found.height == len(chain.blocks)
    return found.wrong


def test_a_true_chain_replays(four: Plan) -> None:
    """Hashes, acknowledged orders and served books follow from the blocks."""
    assert checked(Chain([[new("k1")], [], [new("k2")], []]), four, "k1", "k2") == ()


def test_the_rounds_of_heights_are_known(four: Plan) -> None:
    """A block tells in which round the one before it was committed; of heights that were not read nothing is told."""
    chain = Chain([[], [], [], []])
    replay = Replay(cast(Observer, chain), four)
    replay.check([], four.of_role("validator")[0], len(chain.blocks))
    assert replay.rounds(range(1, 9)) == {1: 0, LATE: 1, 3: 0}


def test_an_acknowledged_order_that_no_block_has_is_found(four: Plan) -> None:
    """What was acknowledged and does not come again is lost, whatever the engines hold in memory."""
    (wrong,) = checked(Chain([[new("k1")], []]), four, "k1", "k9")
    assert wrong.startswith("ann/k9")


def test_a_hash_that_does_not_follow_is_found(four: Plan) -> None:
    """An engine whose state is not what the blocks say is told with the height."""
    chain = Chain([[new("k1")], [], []])
    chain.blocks[2]["header"]["app_hash"] = "00" * 32
    (wrong,) = checked(chain, four)
    assert " at 2: " in wrong


def test_a_stale_book_is_found(four: Plan) -> None:
    """A book that is served and does not follow from the blocks is told for every engine that serves it."""
    chain = Chain([[new("k1")], []])
    chain.book_hash = State(RULES, "venue", POWERS).books[MARKET].digest().hex()
    wrong = checked(chain, four)
    assert [each.partition(" ")[0] for each in wrong] == [host.name for host in four.of_role("engine")]


def test_a_chain_goes_on_where_it_was_left(four: Plan) -> None:
    """Each height is carried out once, however often the chain is looked at."""
    chain = Chain([[new("k1")], [new("k2")], []])
    replay, witness = Replay(cast(Observer, chain), four), four.of_role("validator")[0]
    assert replay.check([], witness, 1).wrong != ()  # its book is not the end's
    assert replay.check([acknowledged("k1"), acknowledged("k2")], witness, 3).wrong == ()


def test_a_moment_is_read_to_the_nanosecond() -> None:
    """A block's time is exact: the state's hash depends on it."""
    assert nanoseconds("1970-01-01T00:00:02.000000003Z") == 2_000_000_003
    assert nanoseconds("1970-01-01T00:00:02Z") == 2_000_000_000
