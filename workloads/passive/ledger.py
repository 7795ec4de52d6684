"""The ledger: what was applied, and what it did, in one transaction that only the newest lease-holder can commit.

    engine      one row an engine: the fencing token (epoch), the last applied sequence of the queue, the last height
    journal     every batch as it was carried out: whoever follows it has the same books
    takings     at which height each token took over
    outcomes    the first outcome of every order key, for good
    snapshots   the newest whole states, so that a follower need not read the journal from its beginning

The store makes the tables (`services/templates/ledger.sql.j2`) and owns them. What is in the journal, the takings
and the outcomes can be neither changed nor removed here.

A primary of the store confirms only what a standby has too. A connection that breaks in COMMIT leaves it open whether
the batch is there: whoever goes on reads the ledger first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from workloads.engine.orders import Code
from workloads.engine.outcomes import Outcome

SNAPSHOTS_KEPT = 2
TAKE: LiteralString = (
    "WITH taken AS (UPDATE engine SET epoch = %s WHERE name = %s AND epoch <= %s "
    "RETURNING name, epoch, sequence, height), "
    "noted AS (INSERT INTO takings SELECT name, epoch, height FROM taken ON CONFLICT DO NOTHING) "
    "SELECT sequence FROM taken"
)


class Fenced(Exception):  # noqa: N818  it is an answer, not a fault
    """Another member has a newer lease: nothing was written."""


class UnreplicatedError(ConnectionError):
    """The store would confirm what no standby has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Orders that are carried out together."""

    height: int
    sequence: int
    """Of its last order in the queue."""
    time_ns: int
    orders: tuple[bytes, ...]
    state_hash: bytes
    """Of the state after it: a follower that comes to another one stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A whole state, and how far in the queue it is."""

    sequence: int
    parts: list[bytes]


class Ledger:
    """One connection to the ledger's primary, for one engine."""

    def __init__(self, connection: psycopg.AsyncConnection, engine: str) -> None:
        self._connection = connection
        self._engine = engine

    @classmethod
    async def connect(cls, address: str, engine: str, seconds_max: int = 3) -> Ledger:
        """A connection, with the engine's row there; psycopg.OperationalError where there is no primary."""
        options = f"connect_timeout={seconds_max} tcp_user_timeout={seconds_max * 1000} application_name={engine}"
        connection = await psycopg.AsyncConnection.connect(f"{address} {options}", autocommit=True)
        ledger = cls(connection, engine)
        try:
            await ledger._prepare()
            await ledger._await_standbys()
        except BaseException:
            await connection.close()
            raise
        return ledger

    async def close(self) -> None:
        """Give the connection up."""
        await self._connection.close()

    async def primary(self) -> str:
        """The address of the primary that it is connected to."""
        row = await self._one("SELECT coalesce(host(inet_server_addr()), '')")
        return str(row[0]) if row else ""

    async def applied(self) -> int:
        """The sequence of the queue up to which orders were carried out."""
        row = await self._one("SELECT sequence FROM engine WHERE name = %s", self._engine)
        return int(row[0]) if row else 0

    async def take(self, token: int) -> int:
        """Fence everyone with an older token; the applied sequence. Fenced where a newer one was there."""
        await self._require_standbys()
        row = await self._one(TAKE, token, self._engine, token)
        if row is None:
            raise Fenced
        return int(row[0])

    async def commit(self, token: int, before: int, batch: Batch, outcomes: Sequence[tuple[str, Outcome]]) -> None:
        """Write a batch and all that it did, if the token is the newest and nothing was applied since `before`.

        It is never cancelled: a COMMIT that is told to stop waiting for its standby shows what no standby has. Who ends
        meanwhile closes the connection, and the database goes on waiting.
        """
        writing = asyncio.ensure_future(self._commit(token, before, batch, outcomes))
        writing.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may outlive who waits for it
        await asyncio.shield(writing)

    async def _commit(self, token: int, before: int, batch: Batch, outcomes: Sequence[tuple[str, Outcome]]) -> None:
        await self._require_standbys()
        row = (self._engine, batch.height, token, batch.sequence, batch.time_ns, list(batch.orders), batch.state_hash)
        async with self._connection.transaction(), self._connection.cursor() as cursor:
            await cursor.execute(
                "UPDATE engine SET sequence = %s, height = %s WHERE name = %s AND epoch = %s AND sequence = %s",
                (batch.sequence, batch.height, self._engine, token, before),
            )
            if cursor.rowcount != 1:
                raise Fenced
            await cursor.execute("INSERT INTO journal VALUES (%s, %s, %s, %s, %s, %s, %s)", row)
            rows = [(self._engine, identity, *_columns(outcome)) for identity, outcome in outcomes]
            await cursor.executemany("INSERT INTO outcomes VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)", rows)

    async def journal(self, after: int, most: int = 500) -> list[Batch]:
        """The batches that follow a height, in order."""
        async with self._connection.cursor() as cursor:
            await cursor.execute(
                "SELECT height, sequence, time_ns, orders, state_hash FROM journal "
                "WHERE engine = %s AND height > %s ORDER BY height LIMIT %s",
                (self._engine, after, most),
            )
            return [
                Batch(height=row[0], sequence=row[1], time_ns=row[2], orders=tuple(row[3]), state_hash=row[4])
                for row in await cursor.fetchall()
            ]

    async def decided(self, identities: Sequence[str]) -> dict[str, Outcome]:
        """The outcomes that some order keys have already."""
        async with self._connection.cursor() as cursor:
            await cursor.execute(
                "SELECT identity, height, index, code, filled, notional, remaining, body FROM outcomes "
                "WHERE engine = %s AND identity = ANY(%s)",
                (self._engine, list(identities)),
            )
            return {row[0]: _outcome(row[1:]) for row in await cursor.fetchall()}

    async def keep(self, height: int, snapshot: Snapshot) -> None:
        """Keep a whole state, and forget older ones."""
        async with self._connection.transaction(), self._connection.cursor() as cursor:
            await cursor.execute(
                "INSERT INTO snapshots VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (self._engine, height, snapshot.sequence, snapshot.parts),
            )
            await cursor.execute(
                "DELETE FROM snapshots WHERE engine = %s AND height NOT IN "
                "(SELECT height FROM snapshots WHERE engine = %s ORDER BY height DESC LIMIT %s)",
                (self._engine, self._engine, SNAPSHOTS_KEPT),
            )

    async def snapshot(self) -> Snapshot | None:
        """The newest whole state; None before the first."""
        row = await self._one(
            "SELECT sequence, parts FROM snapshots WHERE engine = %s ORDER BY height DESC LIMIT 1", self._engine
        )
        return Snapshot(sequence=row[0], parts=list(row[1])) if row else None

    async def _require_standbys(self) -> None:
        """Patroni's strict mode holds only once a standby was there: a newborn primary confirms alone."""
        row = await self._one("SELECT current_setting('synchronous_standby_names')")
        if not (row and row[0]):
            raise UnreplicatedError("the store's primary waits for no standby: nothing is written before one is there")

    async def _await_standbys(self) -> None:
        """A primary that was started again shows what it wrote and no standby has: wait until one has all of it."""
        await self._require_standbys()
        await self._one("SELECT pg_logical_emit_message(true, 'diversite', '')")

    async def _prepare(self) -> None:
        async with self._connection.cursor() as cursor:
            await cursor.execute("INSERT INTO engine VALUES (%s, 0, 0, 0) ON CONFLICT DO NOTHING", (self._engine,))

    async def _one(self, query: LiteralString, *values: object) -> tuple[Any, ...] | None:
        async with self._connection.cursor() as cursor:
            await cursor.execute(query, values)
            return await cursor.fetchone()


def _columns(outcome: Outcome) -> tuple[object, ...]:
    return (
        outcome.height,
        outcome.index,
        int(outcome.code),
        outcome.filled,
        outcome.notional,
        outcome.remaining,
        outcome.body,
    )


def _outcome(row: Sequence[Any]) -> Outcome:
    height, index, code, filled, notional, remaining, body = row
    return Outcome(height, index, Code(code), filled, int(notional), remaining, bytes(body))
