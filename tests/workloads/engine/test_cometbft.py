"""The engine under the real CometBFT, on loopback: what no fake can show."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.engine.test_state import OPERATOR, OPERATOR_KEY
from tests.workloads.engine.venue import COMETBFT, MARKET, Venue, wait_for
from workloads.engine.orders import Operator, encode, sign
from workloads.engine.settings import MarketRules, Rules

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not COMETBFT.exists(), reason="CometBFT is not in .tools: run scripts/setup"),
]


def order(key: str, **change: Any) -> dict[str, Any]:
    """A good order."""
    return {"client": "ann", "key": key, "market": MARKET, "side": "buy", "price": 100, "quantity": 5} | change


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    """One validator with its engine, ready; an operator, and states kept every five blocks."""
    rules = Rules(markets={MARKET: MarketRules()}, operators=(OPERATOR_KEY,))
    with Venue(tmp_path, 1, rules, persist_every_blocks=5, snapshot_every_blocks=10) as venue:
        venue.wait_until_ready()
        yield venue


def test_orders_trade_and_are_asked_again(venue: Venue) -> None:
    """An order is acknowledged with its block, trades, and has one outcome; a quiet venue makes a block a second."""
    [node] = venue.nodes
    status, first = node.post("/orders", order("k1"))
    assert (status, first["remaining"]) == (200, 5)
    status, second = node.post("/orders", order("k2", side="sell", price=99, quantity=7))
    assert (status, second["filled"], second["notional"], second["remaining"]) == (200, 5, 500, 2)
    assert node.post("/orders", order("k1")) == (200, first)
    status, refused = node.post("/orders", order("k3", market="NO-SUCH"))
    assert (status, refused["code"]) == (404, "unknown_market")
    height = node.height()
    wait_for(lambda: node.height() >= height + 2, "two empty blocks")
    assert len({block["app_hash"] for block in node.get("/hashes")["hashes"][-2:]}) == 1


def test_the_operator_halts_the_venue(venue: Venue) -> None:
    """A signed instruction stops new orders at its height, a second one lets them in again."""
    [node] = venue.nodes
    for nonce, action, status in ((1, "halt", 423), (2, "resume", 200)):
        assert node.post("/orders", _instruction(action=action, nonce=nonce))[0] == 200
        assert node.post("/orders", order(f"k{nonce}"))[0] == status


def test_an_engine_killed_under_its_validator_loses_nothing(venue: Venue) -> None:
    """CometBFT ends when its engine was replaced, replays after its restart, and every outcome is there."""
    [node] = venue.nodes
    answers = [node.post("/orders", order(f"k{number}")) for number in range(8)]
    node.end("engine")
    node.start_engine()
    wait_for(lambda: node.processes["validator"].poll() is not None, "the validator to end")
    del node.processes["validator"]
    node.start_validator()
    venue.wait_until_ready()
    assert [node.post("/orders", order(f"k{number}")) for number in range(8)] == answers
    assert node.get(f"/book?market={MARKET}")["bids"] == [[100, 40]]


def test_a_validator_killed_over_its_engine_loses_nothing(venue: Venue) -> None:
    """The engine keeps its place, and CometBFT takes up where it was."""
    [node] = venue.nodes
    answer = node.post("/orders", order("k1"))
    node.end("validator")
    before = node.height()
    node.start_validator()
    wait_for(lambda: node.height() > before + 1, "blocks after the restart")
    venue.wait_until_ready()
    assert node.post("/orders", order("k1")) == answer
    assert node.post("/orders", order("k2"))[0] == 200


def test_the_engine_stops_when_told(venue: Venue) -> None:
    """SIGTERM ends the process with status 0."""
    [node] = venue.nodes
    process = node.processes["engine"]
    node.end("engine", signal.SIGTERM)
    assert process.returncode == 0


def test_a_node_that_was_away_is_restored_from_a_snapshot(tmp_path: Path) -> None:
    """State sync brings a new node to the same hashes without the blocks before the snapshot."""
    with Venue(tmp_path, 2, followers=1, persist_every_blocks=5, snapshot_every_blocks=10) as venue:
        first, second, late = venue.nodes
        venue.wait_until_ready([first, second])
        for number in range(12):
            assert first.post("/orders", order(f"k{number}"))[0] == 200
        wait_for(lambda: first.get("/status")["persisted_height"] >= 10, "a snapshot")
        venue.start_from_snapshot(late)
        venue.wait_until_ready([late])
        assert late.post("/orders", order("k3"))[0] == 200
        assert late.get("/hashes?from=1&to=5")["hashes"] == []
        height = late.height()
        wait_for(lambda: first.height() >= height, "the others to come as far")
        assert late.get(f"/status?height={height}") == first.get(f"/status?height={height}")


def test_four_engines_agree_and_one_that_is_taken_out_is_not_missed(tmp_path: Path) -> None:
    """Books are equal at equal heights; a validator whose power becomes 0 leaves the set."""
    rules = Rules(markets={MARKET: MarketRules()}, operators=(OPERATOR_KEY,))
    with Venue(tmp_path, 4, rules) as venue:
        venue.wait_until_ready()
        for number in range(12):
            side = "buy" if number % 2 else "sell"
            assert venue.nodes[number % 4].post("/orders", order(f"k{number}", side=side))[0] == 200
        key = sorted(venue.nodes[0].get("/status")["validators"])[0]
        answer = venue.nodes[0].post("/orders", _instruction(action="power", validator=key, power=0))
        assert answer[0] == 200
        height = answer[1]["height"] + 2
        wait_for(lambda: all(node.height() >= height for node in venue.nodes), f"height {height} everywhere")
        hashes = [node.get(f"/status?height={height}") for node in venue.nodes]
        assert hashes == [hashes[0]] * 4
        assert key not in venue.nodes[1].get("/status")["validators"]


def _instruction(**fields: Any) -> dict[str, Any]:
    every: dict[str, Any] = {"chain": "venue", "nonce": 1, "operator": "", "signature": ""}
    instruction: dict[str, Any] = json.loads(encode(sign(Operator(**(every | fields)), OPERATOR)))
    return instruction
