"""One member's part: it follows the ledger; with the lease, it carries orders out from the queue.

Nothing here counts on a pause being short. A worker that sleeps through the end of its lease and wakes up has a token
that the ledger refuses; whatever it then knows is read anew. A COMMIT without an answer is settled the same way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import psycopg

from workloads.engine import orders
from workloads.engine.orders import Refused
from workloads.engine.outcomes import Outcome
from workloads.engine.state import BlockResult, State
from workloads.passive import queue as queueing
from workloads.passive.lease import Held, Lease
from workloads.passive.ledger import Batch, Fenced, Ledger, Snapshot
from workloads.passive.queue import Gap, NotTaken, Queue, QueueBehind
from workloads.passive.settings import Settings

Role = Literal["starting", "follows", "works"]

FOLLOW_SECONDS = 0.1
"""How often a follower looks for new batches."""
READ_SECONDS_MAX = 0.25
"""How long a worker waits for an order before it looks at its lease again."""
RETRY_SECONDS = 0.2
FIRST_TRY_SECONDS = 4.0
"""How long after its start the preferred member has the first try to itself."""
APART_SECONDS = 5.0
FORGET_EVERY_BATCHES = 50
FORGET_SHARE = 10
"""Room is made in the queue at the latest when this part of it is orders that were carried out."""

log = logging.getLogger("workloads.passive")


class Diverged(Exception):  # noqa: N818  it is a fault that no retry mends
    """The books after a batch are not those that its author had: this member may not go on."""


@dataclass(slots=True)
class Standing:
    """Where a member is: what the ledger has, never what is still under way to it."""

    role: Role = "starting"
    sequence: int = 0
    height: int = 0
    state_hash: str = ""
    taken_over: int = 0
    fenced: int = 0
    obstacle: str = "it has not reached the ledger yet"
    """Why it cannot take orders; empty while it can."""


class Reading(NamedTuple):
    """Orders from the queue, to be carried out together."""

    sequence: int
    """Of the last one."""
    time_ns: int
    """When the queue took the first one."""
    orders: list[bytes]


class Worker:
    """Keeps one state in step with the ledger, and carries orders out while it holds the lease."""

    def __init__(self, settings: Settings, lease: Lease, on_outcome: Callable[[str, Outcome], None]) -> None:
        self.standing = Standing()
        self.state = State(settings.rules, settings.engine, {})
        self._settings = settings
        self._lease = lease
        self._on_outcome = on_outcome
        self._queue: Queue | None = None
        self._ledger: Ledger | None = None
        self._asked: set[str] = set()
        self._successor: str | None = None
        self._forgotten = 0
        self._primary, self._looked = "", 0.0
        self._failing_since: float | None = None

    async def run(self) -> None:
        """Follow and work for good; Diverged ends it, and so does a lease that is kept no more."""
        tasks = [asyncio.create_task(it) for it in (self._keep_lease(), self._work_for_good(), self._keep_apart())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(Exception):
                await self._lease.give_up()
            await self._disconnect()

    async def publish(self, identity: str, order: bytes) -> None:
        """Hand an order to the queue; what `Queue.publish` raises."""
        if self._queue is None:
            raise NotTaken("the queue was not reached yet")
        await self._queue.publish(identity, order)

    async def waiting(self) -> int | None:
        """How many orders the queue holds; None where it does not answer."""
        if self._queue is None:
            return None
        with contextlib.suppress(*queueing.Unreachable):
            return await self._queue.waiting()
        return None

    @property
    def obstacle(self) -> str:
        """Why no order could be taken here; empty while one could. A lost ledger is none: orders wait in the queue."""
        if self._queue is None:
            return "the queue was not reached yet"
        return "" if self._queue.is_connected else "the queue does not answer"

    def decided(self, identity: str) -> Outcome | None:
        """The outcome of an order key that this member knows of and the ledger has; `ask` is for older ones."""
        found = self.state.outcomes.find(identity)
        return found if found and found.height <= self.standing.height else None

    def ask(self, identity: str) -> None:
        """Have a key looked for in the ledger: its outcome may be older than this member's own memory."""
        self._asked.add(identity)

    def give_over(self, to: str) -> None:
        """Finish the batch at hand, and let that member work."""
        self._successor = to

    async def _work_for_good(self) -> None:
        while True:
            await self._safely(self._turn)

    async def _turn(self) -> None:
        ledger, queue = await self._connected()
        await self._follow(ledger)
        await self._look_up(ledger)
        self.standing.obstacle, self._failing_since = "", None
        if held := self._lease.held:
            await self._work(ledger, queue, held)
        else:
            self.standing.role = "follows"
            await asyncio.sleep(FOLLOW_SECONDS)

    async def _connected(self) -> tuple[Ledger, Queue]:
        if self._queue is None:
            self._queue = await Queue.connect(
                self._settings.queue,
                self._settings.stream,
                self._settings.engine,
                self._settings.member,
                self._settings.tls,
            )
        if self._ledger is None:
            ledger = await Ledger.connect(self._settings.store, self._settings.engine)
            applied = await ledger.applied()
            await self._queue.prepare(self._settings.replicas, self._settings.messages_max, applied)
            self._ledger = ledger
            self._primary = await ledger.primary()
        return self._ledger, self._queue

    async def _restore(self, ledger: Ledger) -> None:
        if kept := await ledger.snapshot():
            self.state, self.standing.sequence = State.restored(kept.parts), kept.sequence
            self.standing.height, self.standing.state_hash = self.state.height, self.state.app_hash.hex()

    async def _look_up(self, ledger: Ledger) -> None:
        asked, self._asked = self._asked, set()
        for identity, outcome in (await ledger.decided(list(asked)) if asked else {}).items():
            self._on_outcome(identity, outcome)

    async def _follow(self, ledger: Ledger) -> None:
        """Carry out what the ledger has and this member has not."""
        if not self.state.height:
            await self._restore(ledger)
        while batches := await ledger.journal(self.state.height):
            for batch in batches:
                result = self.state.execute(batch.height, batch.time_ns, list(batch.orders))
                if result.app_hash != batch.state_hash:
                    raise Diverged(f"batch {batch.height}: {result.app_hash.hex()} and not {batch.state_hash.hex()}")
                self._advance(batch.sequence, result)

    async def _work(self, ledger: Ledger, queue: Queue, held: Held) -> None:
        """Fence everyone before, read what they still committed, and go on from there."""
        await ledger.take(held.token)
        await self._follow(ledger)
        self.standing.role = "works"
        self.standing.taken_over += 1
        log.info("%s works from sequence %d with token %d", self._settings.member, self.standing.sequence, held.token)
        await queue.rewind()
        await self._make_room(queue)
        self._successor = None
        while self._lease.held == held and self._successor is None:
            await self._look_up(ledger)
            await self._batch(ledger, queue, held)
        if self._successor:
            log.info("%s gives its lease over to %s", self._settings.member, self._successor)
            await self._lease.give_up(self._successor)

    async def _batch(self, ledger: Ledger, queue: Queue, held: Held) -> None:
        read = await queue.read(self.standing.sequence, self._settings.batch_max, READ_SECONDS_MAX)
        if not read:
            await self._look_at_primary(ledger)
            return
        new = await self._new(ledger, [data for _, _, data in read])
        await self._commit(ledger, held, Reading(read[-1][0], read[0][1], new))
        await self._housekeeping(ledger, queue)

    async def _look_at_primary(self, ledger: Ledger) -> None:
        """Without orders nothing else would notice that the ledger's primary is another one."""
        if time.monotonic() - self._looked > APART_SECONDS:
            self._looked, self._primary = time.monotonic(), await ledger.primary()

    async def _new(self, ledger: Ledger, found: list[bytes]) -> list[bytes]:
        """The orders without an outcome: the queue's own memory of what it had is two minutes long."""
        by_identity: dict[str, bytes] = {}
        for order in found:
            if identity := _identity(order, self._settings):
                by_identity.setdefault(identity, order)  # the first with a key is the one that counts
        known = await ledger.decided(list(by_identity))
        for identity, outcome in known.items():
            self._on_outcome(identity, outcome)
        return [order for identity, order in by_identity.items() if identity not in known]

    async def _commit(self, ledger: Ledger, held: Held, read: Reading) -> None:
        height, before = self.state.height + 1, self.standing.sequence
        result = self.state.execute(height, read.time_ns, read.orders)
        batch = Batch(
            height=height,
            sequence=read.sequence,
            time_ns=read.time_ns,
            orders=tuple(read.orders),
            state_hash=result.app_hash,
        )
        outcomes = [(it.identity, it.outcome) for it in result.results if it.outcome]
        try:
            await ledger.commit(held.token, before, batch, outcomes)
        except BaseException:
            self._forget_state()  # it is ahead of the ledger, or nobody knows
            raise
        self._advance(read.sequence, result)

    async def _housekeeping(self, ledger: Ledger, queue: Queue) -> None:
        height = self.state.height
        if height % self._settings.snapshot_every_batches == 0:
            await ledger.keep(height, Snapshot(sequence=self.standing.sequence, parts=self.state.parts()))
        carried_out = self.standing.sequence - self._forgotten
        if height % FORGET_EVERY_BATCHES == 0 or carried_out * FORGET_SHARE >= self._settings.messages_max:
            await self._make_room(queue)

    async def _make_room(self, queue: Queue) -> None:
        if self.standing.sequence > self._forgotten:
            await queue.forget(self.standing.sequence)
            self._forgotten = self.standing.sequence

    def _forget_state(self) -> None:
        self.state = State(self._settings.rules, self._settings.engine, {})
        self.standing.sequence = self.standing.height = 0

    def _advance(self, sequence: int, result: BlockResult) -> None:
        """The ledger has it: now it may be told."""
        self.standing.sequence, self.standing.height = sequence, self.state.height
        self.standing.state_hash = result.app_hash.hex()
        for item in result.results:
            if item.outcome:
                self._on_outcome(item.identity, item.outcome)

    async def _keep_lease(self) -> None:
        """Renew the lease while it is held, and take it when nobody holds it and this member could work."""
        if not self._settings.preferred:
            await asyncio.sleep(FIRST_TRY_SECONDS)
        while True:
            await asyncio.sleep(self._settings.renew_ms / 1000)
            with contextlib.suppress(ConnectionError):
                if self._lease.held and self._is_useless:
                    log.warning("%s gives its lease up: %s", self._settings.member, self.standing.obstacle)
                    await self._lease.give_up()
                elif self._lease.held:
                    await self._lease.renew()
                elif self.standing.role == "follows" and not self.standing.obstacle:
                    await self._lease.take()

    async def _keep_apart(self) -> None:
        """While this member works, have the stream led from another site than the ledger's primary: one site's loss
        then takes one of them.
        """
        while sites := self._settings.sites:
            await asyncio.sleep(APART_SECONDS)
            queue, away = self._queue, sites.store.get(self._primary, "")
            if self.standing.role == "works" and queue and away:
                with contextlib.suppress(*queueing.Unreachable):
                    if moved := await queue.lead_elsewhere(sites.queue, away):
                        log.info("%s shall lead the stream: the primary is at %s", moved, away)
        await asyncio.Event().wait()

    @property
    def _is_useless(self) -> bool:
        """Whether it has failed for as long as its lease would need to expire: another may reach what it does not."""
        since = self._failing_since
        return since is not None and time.monotonic() - since > self._settings.lease_seconds

    async def _safely(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except Fenced:
            self.standing.fenced += 1
            self._step_down("another member has the lease")
            await self._lease.give_up()
        except Gap as gap:
            log.warning("%s", gap)
        except QueueBehind as behind:
            self._step_down(str(behind))
            await asyncio.sleep(RETRY_SECONDS)
        except (psycopg.Error, ConnectionError, *queueing.Unreachable) as error:
            self._step_down(f"{type(error).__name__}: {error}"[:200])
            await self._disconnect_ledger()
            await asyncio.sleep(RETRY_SECONDS)

    def _step_down(self, obstacle: str) -> None:
        if self.standing.role == "works":
            log.warning("%s works no more: %s", self._settings.member, obstacle)
        if self._failing_since is None:
            self._failing_since = time.monotonic()
        self.standing.role, self.standing.obstacle = "follows", obstacle

    async def _disconnect_ledger(self) -> None:
        ledger, self._ledger = self._ledger, None
        if ledger:
            with contextlib.suppress(Exception):
                await ledger.close()

    async def _disconnect(self) -> None:
        await self._disconnect_ledger()
        if self._queue:
            await self._queue.close()


def _identity(order: bytes, settings: Settings) -> str:
    """The key of an order; empty for what is none, which is passed over."""
    try:
        return orders.identity(orders.decode(order, settings.order_bytes_max))
    except Refused:
        return ""


__all__ = ["Diverged", "Standing", "Worker"]
