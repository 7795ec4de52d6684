"""An order is carried out once, by one holder of the lease, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import nats
import psycopg
import pytest

from tests.workloads.passive.conftest import Member
from tests.workloads.passive.members import Running, encoded, identity, running, until
from tests.workloads.passive.servers import Servers
from workloads.passive.ledger import Ledger
from workloads.passive.settings import Settings


def carried_out(store: Servers, settings: Settings) -> list[int]:
    """The numbers of the orders in the journal, in its order."""
    rows = store_rows(store, settings, "SELECT orders FROM journal WHERE engine = %s ORDER BY height")
    by_order = {encoded(number): number for number in range(100)}
    return [by_order[bytes(order)] for (orders,) in rows for order in orders]


def store_rows(store: Servers, settings: Settings, query: Any) -> Sequence[Any]:
    """What the ledger says of an engine."""
    with psycopg.connect(store.store) as connection:
        return connection.execute(query, (settings.engine,)).fetchall()


async def works(member: Running) -> None:
    """Wait until it works."""
    await until(lambda: member.worker.standing.role == "works", "the member works")


async def test_followers_have_the_same_books(member: Member) -> None:
    """Every member that follows the ledger comes to the same hash, one that comes late by a snapshot too."""
    async with running(member("fra", snapshot_every_batches=2, batch_max=2)) as first, running(member("lon")) as second:
        await works(first)
        await first.send(*range(9))
        await until(lambda: len(first.told) == 9, "all are carried out")
        async with running(member("hel", preferred=False)) as late:
            height = first.worker.standing.height
            await until(lambda: {it.worker.standing.height for it in (second, late)} == {height}, "both are there")
            hashes = {it.worker.state.app_hash for it in (first, second, late)}
    assert len(hashes) == 1


async def test_orders_wait_for_a_worker(store: Servers, member: Member) -> None:
    """Orders that came while nobody worked are carried out once, in their order, by who takes over."""
    settings = member("fra", lease_seconds=1)
    async with running(settings) as first:
        await works(first)
        await first.send(0, 1)
        await until(lambda: len(first.told) == 2, "the first two are carried out")
    async with running(member("lon")) as second:
        await until(lambda: second.worker.obstacle == "", "the queue takes orders")
        await second.send(2, 3, 4)
        await works(second)
        await until(lambda: identity(4) in second.told, "the last is carried out")
    assert carried_out(store, settings) == [0, 1, 2, 3, 4]


async def test_an_order_that_comes_twice_is_carried_out_once(store: Servers, member: Member) -> None:
    """The ledger knows a key for good, where the queue knows it for two minutes; the first outcome is told again."""
    settings = member()
    async with running(settings) as worker:
        await works(worker)
        await worker.send(0)
        await until(lambda: identity(0) in worker.told, "it is carried out")
        first = worker.told.pop(identity(0))
        client = await nats.connect(settings.queue[0])
        for _ in range(2):  # as after the queue's window: without its own key for it
            await client.jetstream().publish(f"orders.{settings.engine}", encoded(0))
        await client.close()
        await until(lambda: identity(0) in worker.told, "its outcome is told again")
        assert worker.told[identity(0)] == first
        await until(lambda: worker.worker.standing.sequence == 3, "all of the queue is carried out")
    assert carried_out(store, settings) == [0]


async def test_a_follower_finds_an_old_outcome(member: Member) -> None:
    """A key that a member's own memory does not have any more is found in the ledger, by followers too."""
    async with running(member("fra")) as first, running(member("lon")) as second:
        await works(first)
        await first.send(0)
        await until(lambda: identity(0) in second.told, "the follower knows it")
        wanted = second.told.pop(identity(0))
        second.worker.ask(identity(0))
        await until(lambda: second.told.get(identity(0)) == wanted, "it is told again")


async def test_who_was_fenced_writes_nothing(store: Servers, member: Member) -> None:
    """A worker that still believes in its lease writes nothing after another took over, and reads anew."""
    settings = member("fra", lease_seconds=30)
    async with running(settings) as first:
        await works(first)
        await first.send(0)
        await until(lambda: identity(0) in first.told, "the first order is carried out")
        other = await Ledger.connect(store.store, settings.engine)
        (token,) = store_rows(store, settings, "SELECT epoch FROM engine WHERE name = %s")[0]
        await other.take(token + 1)
        await first.send(1)
        await until(lambda: first.worker.standing.fenced == 1, "it was refused")
        assert identity(1) not in first.told
        assert carried_out(store, settings) == [0]
        await works(first)  # with a newer token of its own
        await until(lambda: identity(1) in first.told, "the second order is carried out")
        await other.close()
    assert carried_out(store, settings) == [0, 1]


async def test_a_commit_in_doubt_is_settled_by_the_ledger(
    store: Servers, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch whose COMMIT got no answer though it is there is not written again, and its orders are told once."""
    real = Ledger.commit
    doubts: list[object] = []

    async def without_answer(ledger: Ledger, *given: Any) -> None:
        await real(ledger, *given)
        if not doubts:
            doubts.append(given)
            raise psycopg.OperationalError("the connection broke in COMMIT")

    monkeypatch.setattr(Ledger, "commit", without_answer)
    settings = member()
    async with running(settings) as worker:
        await works(worker)
        await worker.send(0)
        await until(lambda: identity(0) in worker.told, "its outcome is read from the ledger")
        await works(worker)
        await worker.send(1)
        await until(lambda: identity(1) in worker.told, "the next is carried out")
    assert len(doubts) == 1
    assert carried_out(store, settings) == [0, 1]


async def test_a_crash_before_the_commit_loses_nothing(
    store: Servers, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order that was published and not applied when the worker died is applied by the next, once."""
    reached = asyncio.Event()

    async def never(*given: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    settings = member("fra")
    async with running(settings) as first:
        await works(first)
        monkeypatch.setattr(Ledger, "commit", never)
        await first.send(0)
        await reached.wait()
        assert first.worker.decided(identity(0)) is None, "what no ledger has is not told"
    monkeypatch.undo()
    async with running(member("lon")) as second:
        await until(lambda: identity(0) in second.told, "the next carries it out")
    assert carried_out(store, settings) == [0]


async def test_nothing_is_confirmed_that_no_standby_has(store: Servers, member: Member) -> None:
    """While the synchronous standby is away, no order has an outcome; if the wait ends, the ledger decides."""
    settings = member()
    async with running(settings) as worker:
        await works(worker)
        store.confirm_alone(False)
        try:
            await worker.send(0)
            waits = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = %s"
            await until(lambda: bool(store.administer(waits, settings.engine)), "its COMMIT waits")
            assert worker.worker.decided(identity(0)) is None
            assert identity(0) not in worker.told
            ((pid,),) = store.administer(waits, settings.engine)
        finally:
            store.confirm_alone(True)
        store.administer("SELECT pg_terminate_backend(%s)", pid)
        await until(lambda: identity(0) in worker.told, "it is settled")
    assert carried_out(store, settings) == [0]


async def test_a_small_queue_is_made_room_in(member: Member) -> None:
    """Orders that were carried out do not fill the queue: more than it holds can pass through."""
    async with running(member("fra", messages_max=5)) as worker:
        await works(worker)
        for number in range(20):
            await worker.send(number)
            await until(lambda number=number: identity(number) in worker.told, f"{number} is carried out")  # type: ignore[misc]


async def test_who_cannot_work_gives_the_lease_up(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """A holder that reaches etcd and not the store lets another have the lease."""
    async with running(member("fra", lease_seconds=1)) as first:
        await works(first)
        real = Ledger.commit

        async def cut_off(ledger: Ledger, *given: Any) -> None:
            raise psycopg.OperationalError("no route to the store")

        monkeypatch.setattr(Ledger, "commit", cut_off)
        monkeypatch.setattr(Ledger, "connect", cut_off)
        await first.send(0)
        await until(lambda: first.lease.held is None, "it has given the lease up")
        monkeypatch.setattr(Ledger, "commit", real)


async def test_work_is_given_over(store: Servers, member: Member) -> None:
    """Asked to, a worker finishes its batch and the named member goes on, though another asks as often."""
    settings = member("fra")
    async with running(settings) as first, running(member("lon")) as second, running(member("hel")) as third:
        await works(first)
        await first.send(0, 1)
        await until(lambda: third.worker.standing.role == "follows", "the third follows")
        first.worker.give_over("hel")
        await third.send(2)
        await works(third)
        await until(lambda: identity(2) in third.told, "the order is carried out")
        assert second.worker.standing.taken_over == 0
    assert carried_out(store, settings) == [0, 1, 2]
