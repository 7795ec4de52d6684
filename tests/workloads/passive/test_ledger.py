"""The ledger takes writes of the newest lease-holder alone, and none that no standby would have."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import psycopg
import pytest

from tests.workloads.passive.conftest import Member
from tests.workloads.passive.servers import Servers
from workloads.passive.ledger import Batch, Fenced, Ledger, UnreplicatedError

BATCH = Batch(height=1, sequence=3, time_ns=1, orders=(b"one",), state_hash=b"hash")


async def test_a_newer_token_fences_every_older_one(store: Servers, member: Member) -> None:
    """After another took over, the one before can neither write nor take over again."""
    settings = member()
    old, new = [await Ledger.connect(store.store, settings.engine) for _ in range(2)]
    await old.take(7)
    await new.take(8)
    with pytest.raises(Fenced):
        await old.commit(7, 0, BATCH, [])
    with pytest.raises(Fenced):
        await old.take(7)
    assert await new.journal(0) == []
    await new.commit(8, 0, BATCH, [])
    assert await old.journal(0) == [BATCH]
    for ledger in (old, new):
        await ledger.close()


async def test_a_batch_is_written_once(store: Servers, member: Member) -> None:
    """A batch that goes on from another sequence than the ledger's is refused whole, under a valid token too."""
    ledger = await Ledger.connect(store.store, member().engine)
    await ledger.take(1)
    await ledger.commit(1, 0, BATCH, [])
    with pytest.raises(Fenced):
        await ledger.commit(1, 0, replace(BATCH, height=2), [])
    assert [batch.height for batch in await ledger.journal(0)] == [1]
    assert await ledger.applied() == BATCH.sequence
    await ledger.close()


async def test_a_taking_is_noted_with_where_it_began(store: Servers, member: Member) -> None:
    """Whoever checks a history later can tell a batch that an older token wrote after it."""
    settings = member()
    ledger = await Ledger.connect(store.store, settings.engine)
    await ledger.take(3)
    await ledger.commit(3, 0, BATCH, [])
    await ledger.take(3)
    await ledger.take(5)
    await ledger.close()
    with psycopg.connect(store.store) as reading:
        noted = reading.execute("SELECT epoch, height FROM takings WHERE engine = %s", (settings.engine,)).fetchall()
    assert sorted(noted) == [(3, 0), (5, 1)]


async def test_what_waits_for_its_standby_is_not_shown_by_who_stops_waiting(store: Servers, member: Member) -> None:
    """If a worker ends while its COMMIT waits, nobody sees the batch before a standby has it."""
    settings = member()
    writer, follower = [await Ledger.connect(store.store, settings.engine) for _ in range(2)]
    await writer.take(1)
    store.confirm_alone(alone=False)
    try:
        writing = asyncio.create_task(writer.commit(1, 0, BATCH, []))
        async with asyncio.timeout(10):
            while not store.administer("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"):
                await asyncio.sleep(0.02)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await writer.close()
        assert await follower.journal(0) == []
    finally:
        store.administer("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        store.confirm_alone(alone=True)
    await follower.close()


async def test_a_primary_without_standbys_is_not_written_to(store: Servers, member: Member) -> None:
    """Where the primary would confirm alone, nothing is written, and nobody begins to read."""
    ledger = await Ledger.connect(store.store, member().engine)
    await ledger.take(1)
    store.set("synchronous_standby_names", "")
    try:
        with pytest.raises(UnreplicatedError):
            await ledger.commit(1, 0, BATCH, [])
        with pytest.raises(UnreplicatedError):
            await Ledger.connect(store.store, member().engine)
    finally:
        store.set("synchronous_standby_names", "elsewhere")
    assert await ledger.journal(0) == []
    await ledger.close()
