"""The ledger takes writes of the newest lease-holder alone, and none that no standby would have."""

from __future__ import annotations

from dataclasses import replace

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
