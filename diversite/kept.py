"""What a loss leaves of the state beside consensus: who is primary, whether writes are confirmed, what may be gone.

    stores     etcd decides by majority of its members who is primary; writes wait while no standby confirms them; a
               standby is promoted only when enough others are there to prove that it has every confirmed write
    queues     a message is taken by the majority of its replicas
    engines    one member works, as long as its store and its queue do and it reaches both

Where which member is primary or holds a replica is not known, the worst is assumed. Intervals come from the plan's own
timers; every other figure names its source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from diversite.keeping import Keepings, PassivePlan, QueuePlan, StorePlan

Class = Literal["continues", "halts_safely", "could_lose_data"]
Islands = Sequence[frozenset[str]]

PROMOTION_SECONDS = (0.5, 4.0)
"""From a free leader's key to confirmed writes: candidates ask each other, one replays what it received and opens.
A margin over Patroni's loop of a second."""
QUEUE_ELECTION_SECONDS = (3.0, 11.0)
"""NATS elects a stream's leader after 4 to 9 s of silence (its fixed Raft time-outs); heartbeats come each second."""
REROUTE_SECONDS = (0.0, 2.5)
"""Until routes avoid what was cut: BFD's 0.9 s and BIRD's 1.5 s (`recovery.CONVERGENCE_MS`); a one-way cut took 2.4 s
(docs/state.md). Members, clients and etcd speak over the same routes."""
TAKE_OVER_SECONDS = (0.1, 1.5)
"""A member that has the lease reads the last applied order from the store and goes on from there."""


class Seconds(NamedTuple):
    """From low to high."""

    low: float
    high: float

    def plus(self, other: Seconds) -> Seconds:
        """One after the other."""
        return Seconds(self.low + other.low, self.high + other.high)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What becomes of one store, queue or active-passive engine."""

    name: str
    """`store ledger`, `queue orders`, `engine perp`."""
    outcome: Class
    reason: str
    recovery: Seconds | None
    """Until writes, messages or orders are taken again; None where that takes a repair. Zero where nothing stops."""
    moves: bool = False
    """Whether another member takes over."""


@dataclass(frozen=True, kw_only=True)
class Missing:
    """What a loss takes away."""

    stopped: frozenset[str]
    destroyed: frozenset[str]
    islands: Islands
    """Sites that reach each other."""
    rerouted: bool = False
    """Whether a link or a router is among the lost, so that traffic must find another way first."""


NOTHING_STOPS = Seconds(0.0, 0.0)


def kept(keepings: Keepings, missing: Missing) -> tuple[Kept, ...]:
    """What becomes of each store, queue and engine; empty for a venue without any."""
    stores = {name: _store(store, missing) for name, store in keepings.stores.items()}
    queues = {name: _queue(queue, missing) for name, queue in keepings.queues.items()}
    engines = [
        _engine(engine, stores[engine.store], queues[engine.queue], _common(keepings, engine, missing))
        for engine in keepings.engines.values()
    ]
    return tuple(_rerouted(item, missing) for item in (*stores.values(), *queues.values(), *engines))


def _rerouted(item: Kept, missing: Missing) -> Kept:
    if item.recovery is None or not missing.rerouted:
        return item
    return replace(item, recovery=item.recovery.plus(Seconds(*REROUTE_SECONDS)))


def _store(store: StorePlan, missing: Missing) -> Kept:
    name, here = f"store {store.name}", _majority(store.members, missing)
    gone = missing.destroyed & store.members.keys()
    if len(gone) > store.synchronous:
        reason = f"{len(gone)} members are destroyed, and a confirmed write is on {store.synchronous + 1}"
        return Kept(name=name, outcome="could_lose_data", reason=reason, recovery=None)
    if not here:
        reason = f"no {len(store.members) // 2 + 1} of {len(store.members)} etcd members reach each other"
        return Kept(name=name, outcome="halts_safely", reason=f"{reason}, so no member may be primary", recovery=None)
    if store.primary in here:
        return _with_primary(name, store, here)
    return _promoted(name, store, here)


def _with_primary(name: str, store: StorePlan, here: frozenset[str]) -> Kept:
    standbys = len(here) - 1
    if not standbys:  # cannot be with three members and a majority of etcd; can with other votes
        return Kept(name=name, outcome="halts_safely", reason="no standby confirms a write", recovery=None)
    lost = len(store.members) - len(here)
    election = Seconds(0.0, 2 * store.timing.etcd_election_ms / 1000 + store.timing.connection_timeout_ms / 1000)
    return Kept(
        name=name,
        outcome="continues",
        reason=f"its primary and {standbys} of {len(store.members) - 1} standbys are there",
        recovery=election if lost else NOTHING_STOPS,
    )


def _promoted(name: str, store: StorePlan, here: frozenset[str]) -> Kept:
    needed = len(store.members) - store.synchronous
    if len(here) < needed:
        reason = (
            f"its primary is lost and {len(here)} standbys are left, and only {needed} together can prove that one of "
            "them has every confirmed write"
        )
        return Kept(name=name, outcome="halts_safely", reason=reason, recovery=None)
    timing = store.timing
    expiry = Seconds(
        timing.patroni_ttl_seconds - 2 * timing.patroni_loop_wait_seconds,
        timing.patroni_ttl_seconds + timing.patroni_loop_wait_seconds,
    )
    return Kept(
        name=name,
        outcome="continues",
        reason="its primary is lost; a standby that has every confirmed write is promoted",
        recovery=expiry.plus(Seconds(*PROMOTION_SECONDS)),
        moves=True,
    )


def _queue(queue: QueuePlan, missing: Missing) -> Kept:
    name, here = f"queue {queue.name}", _majority(queue.members, missing)
    lost = len(queue.members) - len(here)
    gone = missing.destroyed & queue.members.keys()
    majority = queue.replicas // 2 + 1
    if not queue.sync_always and missing.stopped & queue.members.keys():
        reason = "it does not sync before it acknowledges: a power cut loses what it acknowledged within two minutes"
        return Kept(name=name, outcome="could_lose_data", reason=reason, recovery=None)
    if len(gone) >= majority:
        reason = f"{len(gone)} members are destroyed, and a message may be on {majority} of {queue.replicas} only"
        return Kept(name=name, outcome="could_lose_data", reason=reason, recovery=None)
    if not here or lost >= majority:
        reason = f"{lost} of {len(queue.members)} members are out of reach, and {majority} replicas must take a message"
        return Kept(name=name, outcome="halts_safely", reason=reason, recovery=None)
    return Kept(
        name=name,
        outcome="continues",
        reason=f"{len(here)} of {len(queue.members)} members are there",
        recovery=Seconds(0.0, QUEUE_ELECTION_SECONDS[1]) if lost else NOTHING_STOPS,
        moves=bool(lost),
    )


def _engine(engine: PassivePlan, store: Kept, queue: Kept, able: list[str]) -> Kept:
    name = f"engine {engine.name}"
    for needed in (store, queue):
        if needed.outcome != "continues":
            reason = f"it needs {needed.name}: {needed.reason}"
            return Kept(name=name, outcome=needed.outcome, reason=reason, recovery=None)
    if not able:
        return Kept(name=name, outcome="halts_safely", reason="no member reaches its store and queue", recovery=None)
    preferred = next(iter(engine.members))
    moves = preferred not in able
    own = _take_over(engine)
    # While etcd elects the lease cannot be renewed: it may be lost and taken anew once the store is there again.
    stored = store.recovery and store.recovery.plus(Seconds(0.0, own.high if store.recovery.high else 0.0))
    waits = [item for item in (own if moves else NOTHING_STOPS, stored, queue.recovery) if item]
    recovery = Seconds(max(item.low for item in waits), max(item.high for item in waits))
    who = f"{able[0]} takes over" if moves else "its working member is there"
    return Kept(name=name, outcome="continues", reason=who, recovery=recovery, moves=moves)


def _take_over(engine: PassivePlan) -> Seconds:
    lease = Seconds(engine.timing.lease_seconds - 2 * engine.timing.renew_ms / 1000, float(engine.timing.lease_seconds))
    return lease.plus(Seconds(*TAKE_OVER_SECONDS))


def _common(keepings: Keepings, engine: PassivePlan, missing: Missing) -> list[str]:
    """The members that run where the majorities of both the store and the queue are."""
    groups = (keepings.stores[engine.store].members, keepings.queues[engine.queue].members)
    there = [
        island
        for island in missing.islands
        if all(_within(group, island, missing) * 2 > len(group) for group in groups)
    ]
    return [
        host
        for host, site in engine.members.items()
        if host not in missing.stopped and any(site in island for island in there)
    ]


def _majority(members: Mapping[str, str], missing: Missing) -> frozenset[str]:
    """The running members in the one island that holds most of all; empty where none does."""
    for island in missing.islands:
        here = frozenset(_standing(members, island, missing))
        if 2 * len(here) > len(members):
            return here
    return frozenset()


def _standing(members: Mapping[str, str], island: frozenset[str], missing: Missing) -> Iterator[str]:
    return (host for host, site in members.items() if site in island and host not in missing.stopped)


def _within(members: Mapping[str, str], island: frozenset[str], missing: Missing) -> int:
    return sum(1 for _ in _standing(members, island, missing))
