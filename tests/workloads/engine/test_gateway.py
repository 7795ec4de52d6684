"""The gateway: an order is answered when its block is committed, once, wherever it is asked again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiohttp.test_utils import TestClient, TestServer

from tests.workloads.engine.conftest import Driver, open_application
from tests.workloads.engine.test_state import instruct, order
from workloads.engine.abci import messages
from workloads.engine.app import Application
from workloads.engine.gateway import Gateway
from workloads.engine.mending import Standstill
from workloads.engine.orders import decode
from workloads.engine.settings import Settings
from workloads.engine.validator import Unreachable, ValidatorRpc

ORDER = {"client": "ann", "key": "k1", "market": "BTC-PERP", "side": "buy", "price": 100, "quantity": 4}


class FakeValidator:
    """A mempool that asks the application as CometBFT does, and lets the test decide when a block comes."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.mempool: list[bytes] = []
        self.fails: Unreachable | None = None
        self.catching_up = False

    async def submit(self, transaction: bytes) -> tuple[int, str]:
        """Check and keep, or fail as the test says."""
        if self.fails is not None:
            raise self.fails
        answer = await self.application.check_tx(messages.CheckCall(tx=transaction))
        if answer.code == 0 and transaction not in self.mempool:
            self.mempool.append(transaction)
        return answer.code, answer.log

    async def is_catching_up(self) -> bool:
        """What the test says."""
        return self.catching_up

    async def poke(self, transaction: bytes) -> None:
        """Nobody is stale here."""


class Site:
    """One engine with its gateway, a fake validator and a client, and the clock near the blocks' time."""

    def __init__(self, settings: Settings) -> None:
        self.application = open_application(settings)
        self.driver = Driver(self.application)
        self.validator = FakeValidator(self.application)
        self.gateway = Gateway(settings, self.application, cast(ValidatorRpc, self.validator))
        self.application.on_commit = self.gateway.committed
        self.client: TestClient[Any, Any] = TestClient(TestServer(self.gateway.web_application()))

    async def commit(self, *transactions: bytes) -> None:
        """Commit a block of these and of what is in the mempool."""
        mempool, self.validator.mempool = self.validator.mempool, []
        await self.driver.commit(*transactions, *mempool)

    async def post(self, path: str = "/orders", body: Any = None, **change: Any) -> tuple[int, dict[str, Any]]:
        """Status and answer of a POST."""
        data = json.dumps(ORDER | change) if body is None else body
        async with self.client.post(path, data=data) as response:
            return response.status, await response.json()

    async def get(self, path: str) -> tuple[int, Any]:
        """Status and answer of a GET."""
        async with self.client.get(path) as response:
            return response.status, await response.json()

    async def posted(self, **change: Any) -> asyncio.Task[tuple[int, dict[str, Any]]]:
        """A POST that has reached the mempool."""
        task = asyncio.create_task(self.post(**change))
        before = len(self.validator.mempool)
        while len(self.validator.mempool) == before:
            await asyncio.sleep(0)
        return task


@pytest.fixture
async def site(engine_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A site two blocks after genesis, ready."""
    site = Site(engine_settings)
    await site.client.start_server()
    await site.driver.begin()
    monkeypatch.setattr("workloads.engine.gateway.time.time", lambda: site.application.last.time_ns / 1e9 + 0.5)
    site.gateway._is_catching_up = False
    await site.commit()
    await site.commit()
    yield site
    await site.client.close()
    site.application.close()


async def test_an_order_is_acknowledged_with_its_block(site: Site) -> None:
    """Until the block is committed there is no answer; then it tells what the order did."""
    answer = await site.posted()
    await asyncio.sleep(0.01)
    assert not answer.done()
    await site.commit()
    assert await answer == (
        200,
        {
            "status": "acknowledged",
            "client": "ann",
            "key": "k1",
            "height": 3,
            "index": 0,
            "filled": 0,
            "notional": 0,
            "remaining": 4,
        },
    )


async def test_a_repeated_order_joins_the_one_under_way(site: Site) -> None:
    """Two requests with one key are one order, and both are answered."""
    first = await site.posted()
    second = asyncio.create_task(site.post())
    await asyncio.sleep(0.01)
    assert len(site.validator.mempool) == 1
    await site.commit()
    assert await first == await second


async def test_a_repeated_order_gets_its_first_outcome(site: Site) -> None:
    """Asked again later, the answer is the same, and nothing trades a second time."""
    first = await site.posted()
    await site.commit()
    assert await site.post() == await first
    assert site.validator.mempool == []


async def test_another_gateway_gives_the_first_outcome(site: Site, engine_settings: Settings) -> None:
    """The outcome is replicated: an order that was committed through one site is answered at another."""
    other = Site(engine_settings.model_copy(update={"data": engine_settings.data + "-other"}))
    await other.client.start_server()
    await other.driver.begin()
    for transactions in ([], [], [order("k1")]):
        await other.commit(*transactions)
    await site.commit(order("k1"))
    assert (await site.post())[1] == (await other.post())[1]
    await other.client.close()
    other.application.close()


async def test_an_order_that_another_gateway_had_committed_is_answered(site: Site) -> None:
    """The block may carry the other gateway's copy of the order; the key is what counts."""
    answer = await site.posted()
    site.validator.mempool.clear()
    await site.commit(order("k1"))
    assert (await answer)[0] == 200


async def test_a_key_names_one_order(site: Site) -> None:
    """The same key with another price is refused, under way and afterwards."""
    first = await site.posted()
    assert (await site.post(price=105))[0] == 409
    await site.commit()
    await first
    status, answer = await site.post(price=105)
    assert (status, answer["code"]) == (409, "key_reused")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"market": "NO-SUCH"}, 404, "unknown_market"),
        ({"client": "eve"}, 403, "not_admitted"),
        ({"price": 1.5}, 400, "malformed"),
        ({"price": 101}, 422, "off_tick"),
        ({"quantity": 3}, 422, "off_lot"),
        ({"quantity": 102}, 422, "over_limit"),
        ({"expiry": 2}, 422, "expired"),
        ({"kind": "cancel", "order": "none"}, 400, "malformed"),
        ({"note": "x" * 2000}, 413, "oversized"),
    ],
)
async def test_a_refused_order_is_not_submitted(site: Site, change: dict[str, Any], status: int, code: str) -> None:
    """What the next block would refuse is refused at once, with the reason."""
    answered, answer = await site.post(**change)
    assert (answered, answer["status"], answer["code"]) == (status, "refused", code)
    assert answer["reason"]
    assert site.validator.mempool == []


@pytest.mark.parametrize("body", ["", "[]", "{", "null", "[" * 900, '"x"'])
async def test_a_body_that_is_no_order_is_malformed(site: Site, body: str) -> None:
    """Any body is answered."""
    status, answer = await site.post(body=body.encode())
    assert (status, answer["code"]) == (400, "malformed")


async def test_an_order_that_the_block_refuses_says_where(site: Site) -> None:
    """A refusal by a block is final and carries its height; asked again, it is the same refusal."""
    answer = await site.posted()
    await site.commit(instruct(action="halt"))
    status, body = await answer
    assert (status, body["code"], body["height"], body["index"]) == (423, "halted", 3, 1)
    again, repeated = await site.post()
    assert (again, repeated["code"], repeated["height"]) == (423, "halted", 3)


async def test_a_cancellation_takes_the_order_back(site: Site) -> None:
    """POST /cancels names the client's order by its key."""
    answer = await site.posted()
    await site.commit()
    await answer
    body = json.dumps({"client": "ann", "key": "k2", "market": "BTC-PERP", "order": "k1"})
    task = asyncio.create_task(site.post("/cancels", body=body))
    while not site.validator.mempool:
        await asyncio.sleep(0)
    await site.commit()
    status, cancelled = await task
    assert (status, cancelled["remaining"]) == (200, 4)
    assert (await site.get("/book?market=BTC-PERP"))[1]["bids"] == []


async def test_an_order_without_a_block_is_indeterminate(site: Site) -> None:
    """When time runs out nobody knows, and the answer says so; a later block still decides for those who ask again."""
    answer = await site.posted()
    status, body = await answer
    assert (status, body["status"]) == (504, "indeterminate")
    await site.commit()
    assert (await site.post())[0] == 200


async def test_an_order_that_did_not_reach_the_validator_is_unavailable(site: Site) -> None:
    """Certainly not submitted is said as such, and the key is free again."""
    site.validator.fails = Unreachable("connection refused", is_certain=True)
    status, body = await site.post()
    assert (status, body) == (503, {"status": "unavailable", "reason": "connection refused"})
    site.validator.fails = None
    answer = await site.posted()
    await site.commit()
    assert (await answer)[0] == 200


async def test_an_order_that_may_have_reached_the_validator_is_waited_for(site: Site) -> None:
    """When the validator's answer is lost, the block still tells."""
    site.validator.fails = Unreachable("timed out", is_certain=False)
    task = asyncio.create_task(site.post())
    await asyncio.sleep(0.05)
    await site.commit(order("k1"))
    assert (await task)[0] == 200


@pytest.mark.parametrize("obstacle", ["greeted", "stalled", "catching up", "behind"])
async def test_ready_is_true_only_if_an_order_could_be_acknowledged(
    site: Site, obstacle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each single obstacle makes the gateway not ready, says so, and keeps orders out."""
    assert await site.get("/ready") == (200, {"ready": True, "obstacles": []})
    if obstacle == "greeted":
        site.application.greeted = False
    elif obstacle == "stalled":
        site.gateway._committed_at -= 3.1
    elif obstacle == "catching up":
        site.gateway._is_catching_up = True
    else:
        monkeypatch.setattr("workloads.engine.gateway.time.time", lambda: site.application.last.time_ns / 1e9 + 11)
    status, body = await site.get("/ready")
    assert (status, len(body["obstacles"])) == (503, 1)
    assert (await site.post())[0] == 503
    assert site.validator.mempool == []


async def test_the_watch_sees_a_validator_that_catches_up(site: Site) -> None:
    """Readiness follows what the validator's RPC says."""
    site.validator.catching_up = True
    watch = asyncio.create_task(site.gateway.watch_validator(0.001))
    while (await site.get("/ready"))[0] == 200:
        await asyncio.sleep(0)
    site.validator.catching_up = False
    while (await site.get("/ready"))[0] == 503:
        await asyncio.sleep(0)
    watch.cancel()


async def test_the_watch_ends_a_validator_that_stands_still(site: Site) -> None:
    """Without a block for long, the engine refuses its validator until that has started anew."""
    site.gateway._standstill = Standstill("par", 0.001, 60.0, now=0.0)
    watch = asyncio.create_task(site.gateway.watch_validator(0.001))
    while site.application.greeted:
        await asyncio.sleep(0)
    await site.application.echo(messages.EchoCall(message="hello"))
    for _ in range(50):
        await asyncio.sleep(0.001)
        assert site.application.greeted
    watch.cancel()


async def test_hashes_at_a_height_are_comparable(site: Site) -> None:
    """Two engines are compared by what they say of one height."""
    await site.commit(order("a"))
    _, hashes = await site.get("/hashes?from=2&to=9")
    assert [block["height"] for block in hashes["hashes"]] == [2, 3]
    assert (await site.get("/status?height=3"))[1] == hashes["hashes"][1]
    assert hashes["hashes"][0]["books_hash"] != hashes["hashes"][1]["books_hash"]
    assert (await site.get("/status?height=4"))[0] == 404
    whole = (await site.get("/status"))[1]
    assert (whole["height"], whole["app_hash"], whole["site"], whole["ready"]) == (
        3,
        hashes["hashes"][1]["app_hash"],
        "par",
        True,
    )
    assert whole["rpc"] == "http://127.0.0.1:3", "whose engine it is"


async def test_the_book_shows_its_best_levels(site: Site) -> None:
    """Bids from the highest, asks from the lowest, each with its open quantity."""
    await site.commit(order("a"), order("b", price=105), order("c", price=110, side="sell"))
    _, book = await site.get("/book?market=BTC-PERP")
    assert (book["bids"], book["asks"]) == ([[105, 4], [100, 4]], [])
    assert (await site.get("/book?market=BTC-PERP&levels=1"))[1]["bids"] == [[105, 4]]
    assert (await site.get("/book?market=NO-SUCH"))[0] == 404


async def test_metrics_tell_the_height_and_the_hash(site: Site) -> None:
    """Prometheus finds the height, and a number that is equal at all engines."""
    while site.application.last.height < 10:
        await site.commit()
    async with site.client.get("/metrics") as response:
        text = await response.text()
    assert "engine_height 10.0" in text
    number = int.from_bytes(site.application.last.books_hash[:6])
    line = next(line for line in text.splitlines() if line.startswith("engine_books_hash "))
    assert float(line.split()[1]) == float(number)


async def test_what_the_gateway_submits_is_canonical(site: Site) -> None:
    """A body in any spelling becomes the one spelling of its transaction."""
    task = await site.posted(lifetime="gtc")
    assert decode(site.validator.mempool[0], 1024)
    assert site.validator.mempool == [order("k1")]
    await site.commit()
    assert (await task)[0] == 200
