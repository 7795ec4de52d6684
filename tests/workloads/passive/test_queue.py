"""The queue keeps orders in one sequence, refuses when it is full, and is not mistaken for another."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast

import pytest
from nats.aio.client import Client
from nats.errors import TimeoutError as NatsTimeout
from nats.js.api import ClusterInfo, ConsumerConfig, PeerInfo
from nats.js.errors import APIError

from tests.workloads.passive.conftest import Member
from workloads.passive.queue import Gap, NotTaken, Queue, QueueBehind, QueueFull
from workloads.passive.settings import Settings


@pytest.fixture
async def queue(member: Member) -> AsyncIterator[Queue]:
    """A queue of at most three orders."""
    made = await connect(member())
    await made.prepare(1, 3, 0)
    yield made
    await made.close()


async def connect(settings: Settings) -> Queue:
    """A connection to that engine's queue."""
    return await Queue.connect(settings.queue, settings.stream, settings.engine, settings.member)


async def test_orders_come_in_their_sequence(queue: Queue) -> None:
    """What is read after a sequence is what follows it, whoever read before."""
    for name in ("a", "b", "c"):
        await queue.publish(name, name.encode())
    first = await queue.read(0, 2, 1)
    assert [(sequence, data) for sequence, _, data in first] == [(1, b"a"), (2, b"b")]
    assert [data for _, _, data in await queue.read(1, 10, 1)] == [b"b", b"c"]
    assert await queue.read(3, 10, 0.1) == []


async def test_a_full_queue_refuses(queue: Queue) -> None:
    """Nothing that waits is forgotten for what comes; there is room again once orders were carried out."""
    for name in ("a", "b", "c"):
        await queue.publish(name, b"-")
    with pytest.raises(QueueFull):
        await queue.publish("d", b"-")
    await queue.forget(2)
    assert await queue.publish("d", b"-") == 4
    assert await queue.waiting() == 2


async def test_a_missing_sequence_is_noticed(queue: Queue) -> None:
    """A worker never passes over a hole by itself."""
    for name in ("a", "b"):
        await queue.publish(name, b"-")
    await queue.forget(1)
    with pytest.raises(Gap):
        await queue.read(0, 10, 1)


class Cluster:
    """A stream's information, and the requests that are made of it."""

    def __init__(self, leader: str, *replicas: str) -> None:
        self.asked: list[tuple[str, bytes]] = []
        peers = [PeerInfo(name=name.strip("-"), current="-" not in name) for name in replicas]
        self._info = SimpleNamespace(cluster=ClusterInfo(leader=leader, replicas=peers))

    def jetstream(self, **_: object) -> Cluster:
        """Itself."""
        return self

    async def stream_info(self, _: str) -> SimpleNamespace:
        """What was told above."""
        return self._info

    async def request(self, subject: str, body: bytes, timeout: float) -> None:
        """Remembered."""
        self.asked.append((subject, body))


@pytest.mark.parametrize(
    ("cluster", "moved"),
    [
        (Cluster("a", "b", "c"), "b"),
        (Cluster("a", "-b", "c"), "c"),
        (Cluster("a", "-b", "-c"), None),
        (Cluster("b", "a", "c"), None),
        (Cluster("", "a", "b"), None),
    ],
)
async def test_a_stream_is_led_from_another_site(cluster: Cluster, moved: str | None) -> None:
    """If its leader is where the primary is, the first that has everything shall lead; who lags is not asked."""
    sites = {"a": "fra", "b": "lon", "c": "hel"}
    assert await Queue(cast(Client, cluster), "orders-perp", "perp").lead_elsewhere(sites, "fra") == moved
    subject, wanted = "$JS.API.STREAM.LEADER.STEPDOWN.orders-perp", {"placement": {"preferred": moved}}
    assert cluster.asked == ([(subject, json.dumps(wanted).encode())] if moved else [])


class Placing:
    """A client whose first consumers are placed on a member that never answers, and whose publishing is refused."""

    def __init__(self, silent: int = 0, code: int = 0) -> None:
        self.silent, self.code = silent, code
        self.is_connected = True
        self.configs: list[ConsumerConfig] = []

    def jetstream(self, **_: object) -> Placing:
        """Itself."""
        return self

    async def subscribe(self, _: str, *, stream: str, config: ConsumerConfig) -> str:
        """Where the consumer is, once it is somewhere."""
        self.configs.append(config)
        if len(self.configs) <= self.silent:
            raise NatsTimeout
        return stream

    async def publish(self, *_: object, **__: object) -> None:
        """Refused."""
        raise APIError(code=503, err_code=self.code)


async def test_a_consumer_that_nobody_makes_is_asked_for_anew() -> None:
    """If the server places it on a lost member, another try may find one that answers; at last it is told."""
    found = Placing(silent=2)
    await Queue(cast(Client, found), "orders-perp", "perp")._subscribed(0)
    assert len({id(config) for config in found.configs}) == 3
    with pytest.raises(NatsTimeout):
        await Queue(cast(Client, Placing(silent=99)), "orders-perp", "perp")._subscribed(0)


async def test_a_first_try_that_is_under_way_is_not_denied() -> None:
    """If the queue has the key in process, nobody may say that the order is not taken."""
    with pytest.raises(NotTaken):
        await Queue(cast(Client, Placing(code=10008)), "orders-perp", "perp").publish("a", b"-")
    with pytest.raises(APIError):
        await Queue(cast(Client, Placing(code=10158)), "orders-perp", "perp").publish("a", b"-")


async def test_a_stream_that_lost_orders_is_refused(queue: Queue) -> None:
    """A stream that ends before what the ledger carried out is no longer the ledger's."""
    await queue.publish("a", b"-")
    with pytest.raises(QueueBehind, match="ends at 1 and the ledger is at 5"):
        await queue.prepare(1, 3, 5)


async def test_a_new_stream_goes_on_after_the_ledger(member: Member) -> None:
    """No sequence is used twice, though the stream before is gone."""
    made = await connect(member())
    await made.prepare(1, 3, 41)
    assert await made.publish("a", b"-") == 42
    await made.close()


async def test_an_order_for_a_missing_stream_is_not_taken(member: Member) -> None:
    """The client learns that it surely is not in the queue, and may go elsewhere."""
    made = await connect(member())
    with pytest.raises(NotTaken):
        await made.publish("a", b"-")
    await made.close()
