"""The open-loop load: honest latencies, one execution an order, figures that follow from the lines."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from drills.load import (
    Line,
    Load,
    between,
    from_json,
    generate,
    longest_gap_seconds,
    orders_of,
    percentile,
    read,
    recovery_seconds,
    summary,
    to_json,
)
from tests.workloads.engine.strategies import fresh_state
from workloads.engine.orders import encode, from_fields

ACKNOWLEDGED = {"status": "acknowledged", "height": 3, "index": 0, "filled": 2}


def line(number: int, intended: float, settled: float, **change: Any) -> Line:
    """An acknowledged order."""
    good = Line(
        number=number,
        key=f"k{number}",
        client="ann",
        fate="acknowledged",
        entrance="http://a",
        attempts=1,
        intended_seconds=intended,
        settled_seconds=settled,
        filled=0,
    )
    return replace(good, **change)


class Entrance:
    """A fake gateway: it answers as the test says and remembers what it was asked."""

    def __init__(self, answer: Callable[[dict[str, Any]], Awaitable[web.Response]]) -> None:
        self.orders: list[dict[str, Any]] = []
        self._answer = answer
        application = web.Application()
        application.add_routes([web.post("/orders", self._handle)])
        self.server = TestServer(application)

    async def _handle(self, request: web.Request) -> web.Response:
        order = await request.json()
        self.orders.append(order)
        return await self._answer(order)

    @property
    def url(self) -> str:
        """Where it listens."""
        return str(self.server.make_url("")).rstrip("/")


async def good(_: dict[str, Any]) -> web.Response:
    """Acknowledge."""
    return web.json_response(ACKNOWLEDGED)


async def unavailable(_: dict[str, Any]) -> web.Response:
    """Certainly not submitted."""
    return web.json_response({"status": "unavailable"}, status=503)


async def no_server(_: dict[str, Any]) -> web.Response:
    """What a proxy without a backend says: a page."""
    return web.Response(text="<html><body><h1>503 Service Unavailable</h1></body></html>", status=503)


async def silent(_: dict[str, Any]) -> web.Response:
    """Say nothing for longer than anyone waits."""
    await asyncio.sleep(5)
    return web.json_response({}, status=504)


async def halted(_: dict[str, Any]) -> web.Response:
    """Refuse, before any block."""
    return web.json_response({"status": "refused", "code": "halted"}, status=423)


@pytest.fixture
async def entrances() -> AsyncIterator[Callable[..., Awaitable[list[Entrance]]]]:
    """Starts entrances with these answers."""
    started: list[Entrance] = []

    async def start(*answers: Callable[[dict[str, Any]], Awaitable[web.Response]]) -> list[Entrance]:
        for answer in answers:
            entrance = Entrance(answer)
            await entrance.server.start_server()
            started.append(entrance)
        return started

    yield start
    for entrance in started:
        await entrance.server.close()


HASTE = {"attempt_seconds_max": 0.1, "order_seconds_max": 0.5}
"""For entrances that never answer; others have the patience of a busy machine."""


def load_on(entrances: list[Entrance], **change: Any) -> Load:
    """A short load."""
    urls = tuple(entrance.url for entrance in entrances)
    short = Load(entrances=urls, rate=100, seconds=0.1, run="r", attempt_seconds_max=5, order_seconds_max=10)
    return replace(short, **change)


async def test_entrances_take_turns(entrances: Any) -> None:
    """Order i goes to entrance i modulo their number, and every key is another."""
    started = await entrances(good, good)
    lines = await generate(load_on(started))
    assert [len(entrance.orders) for entrance in started] == [5, 5]
    assert len({order["key"] for entrance in started for order in entrance.orders}) == 10
    assert {line.fate for line in lines} == {"acknowledged"}
    assert [line.number for line in lines] == list(range(10))


@pytest.mark.parametrize("bad", [unavailable, no_server, silent])
async def test_a_failing_entrance_is_passed_over_with_the_same_key(entrances: Any, bad: Any) -> None:
    """What one entrance does not answer the next one does, and it is the same order."""
    failing, working = await entrances(bad, good)
    lines = await generate(load_on([failing, working]))
    assert {line.fate for line in lines} == {"acknowledged"}
    assert [line.attempts for line in lines] == [2, 1] * 5
    first = {order["key"]: order for order in failing.orders}
    assert all(first.get(order["key"], order) == order for order in working.orders)


async def test_a_dead_entrance_is_passed_over(entrances: Any) -> None:
    """Nobody listening is a failure like any other."""
    [working] = await entrances(good)
    load = replace(load_on([working]), entrances=("http://127.0.0.1:9", working.url))
    assert {line.fate for line in await generate(load)} == {"acknowledged"}


async def test_a_silent_venue_leaves_orders_indeterminate(entrances: Any) -> None:
    """Without an answer in time, nobody knows; the load ends all the same."""
    lines = await generate(load_on(await entrances(silent), **HASTE))
    assert {line.fate for line in lines} == {"indeterminate"}
    assert all(line.attempts > 1 for line in lines)


async def test_a_refusal_is_final_only_if_nothing_is_under_way(entrances: Any) -> None:
    """After a silent attempt, a refusal without a block says nothing about the first attempt."""
    silent_one, refusing = await entrances(silent, halted)
    lines = await generate(load_on([silent_one, refusing], **HASTE))
    assert [line.fate for line in lines] == ["indeterminate", "refused"] * 5


async def test_a_proxy_without_a_backend_has_submitted_nothing(entrances: Any) -> None:
    """A refusal after its page is final: no engine had the order before."""
    proxy, refusing = await entrances(no_server, halted)
    lines = await generate(load_on([proxy, refusing]))
    assert [(line.fate, line.code) for line in lines] == [("refused", "halted")] * 10


async def test_latency_counts_from_the_intended_time(entrances: Any) -> None:
    """While the venue holds its answers back, orders are sent on time, and none looks faster than it was."""
    gate = asyncio.Event()

    async def held(_: dict[str, Any]) -> web.Response:
        await gate.wait()
        return web.json_response(ACKNOWLEDGED)

    [entrance] = await entrances(held)
    running = asyncio.create_task(generate(load_on([entrance])))
    while len(entrance.orders) < 10:
        await asyncio.sleep(0.005)
    opened = time.monotonic()
    gate.set()
    lines = await running
    steps = [after.intended_seconds - before.intended_seconds for before, after in itertools.pairwise(lines)]
    assert steps == pytest.approx([0.01] * 9)
    assert all(line.latency_ms >= (opened - line.intended_seconds) * 1000 for line in lines)


def test_a_seed_decides_the_orders() -> None:
    """The same seed gives the same orders, whatever the run; another seed gives others."""
    load = Load(entrances=("a",), rate=20, seconds=10, seed=7, run="one")
    without_keys = [{**order, "key": ""} for order in orders_of(load)]
    assert without_keys == [{**order, "key": ""} for order in orders_of(replace(load, run="two"))]
    assert without_keys != [{**order, "key": ""} for order in orders_of(replace(load, seed=8))]
    assert len({order["key"] for order in orders_of(load)}) == 200


def test_the_mix_trades() -> None:
    """At least a third of the orders meet another, and few are left standing."""
    state = fresh_state()
    orders = orders_of(Load(entrances=("a",), rate=20, seconds=50, run="r"))
    blocks = [encode(from_fields({"kind": "new", **order})) for order in orders]
    results = state.execute(1, 1, blocks).results
    filled = sum(bool(result.outcome and result.outcome.filled) for result in results)
    assert filled > len(orders) / 3
    assert len(state.books["BTC-PERP"]) < len(orders) / 3


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_a_percentile_is_one_of_the_values(values: list[float]) -> None:
    """Nearest rank: p100 is the largest, p50 has half of the values at or below it."""
    ascending = sorted(values)
    assert percentile(ascending, 100) == round(ascending[-1], 3)
    middle = ascending[(len(ascending) + 1) // 2 - 1]
    assert percentile(ascending, 50) == round(middle, 3)


def test_nothing_has_no_figures() -> None:
    """Without acknowledgements there are no percentiles, no gap and no recovery."""
    lines = [line(0, 0, 1, fate="indeterminate")]
    assert percentile([], 50) is None
    assert longest_gap_seconds(lines) is None
    assert recovery_seconds(lines, 0) is None
    assert summary(lines)["p50_ms"] is None


def test_the_longest_gap_begins_with_the_load() -> None:
    """Waiting for the first acknowledgement counts; a refusal ends no gap."""
    assert longest_gap_seconds([line(0, 10, 13), line(1, 11, 13.5)]) == 3
    assert longest_gap_seconds([line(0, 10, 10.1), line(1, 11, 11, fate="refused"), line(2, 12, 14.1)]) == 4


def test_recovery_is_of_an_order_sent_after_the_fault() -> None:
    """An acknowledgement that was on its way when the fault came is no recovery."""
    lines = [line(0, 9.9, 10.05), line(1, 10.0, 12.5), line(2, 10.1, 12.4)]
    assert recovery_seconds(lines, 10.0) == 2.4


def test_a_window_is_by_intended_time() -> None:
    """The orders of a phase are those meant for it."""
    lines = [line(number, number, number + 5) for number in range(5)]
    assert [kept.number for kept in between(lines, 1, 3)] == [1, 2]


def test_the_summary_counts_every_fate() -> None:
    """Each order is in one of the three."""
    lines = [line(0, 0, 0.05, filled=3), line(1, 0, 1, fate="refused"), line(2, 0, 1, fate="indeterminate", attempts=3)]
    result = summary(lines)
    assert [result[key] for key in ("orders", "acknowledged", "refused", "indeterminate", "retried")] == [3, 1, 1, 1, 1]
    assert (result["p50_ms"], result["traded_share"]) == (50.0, 1.0)


def test_a_log_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Lines settle in any order; they are read by number, and the latency is there for people."""
    lines = [line(1, 1, 2), line(0, 0, 1.5)]
    path = tmp_path / "load.jsonl"
    path.write_text("".join(to_json(written) + "\n" for written in lines))
    assert read(path) == [lines[1], lines[0]]
    assert json.loads(to_json(lines[0]))["latency_ms"] == 1000
    assert from_json(to_json(lines[0])) == lines[0]
