"""State beside consensus: stores, queues and active-passive engines, as planned.

    members(topology)            the hosts that they need, by role
    keepings(topology, one_way)  what each is, who is in it, and its timers
    restored(keepings, until)    the same, with stores that begin from their backups
    write_ms(store, …)           what a confirmed write costs

A store and a queue are lost by majority, a confirmed write by the loss of everyone who had to have it. Timers come from
the latency matrix: etcd's heartbeat is no shorter than the round trip between its members, and an election takes ten.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from diversite import naming
from diversite.errors import PlanError
from diversite.ports import Role
from diversite.topology import PassiveEngine, Queue, Store, Topology

OneWay = Mapping[tuple[str, str], float]
"""One-way delays between sites in milliseconds."""

MACHINES = {"aws": "m7i.large", "gcp": "n2d-standard-2", "hetzner": "ccx13"}
"""What a store, a queue or an active-passive engine stands on where the topology names nothing: 2 vCPUs and 8 GiB."""
LATEST = "latest"
"""A restore of all that was archived."""
ETCD_HEARTBEAT_MS_MIN = 100
"""etcd's default; between sites no shorter than their round trip (etcd's tuning guide)."""
ETCD_ELECTION_HEARTBEATS = 10
"""The same guide: an election takes ten heartbeats."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A host that state beside consensus needs."""

    site: str
    machine: str
    release: str | None = None


@dataclass(frozen=True, kw_only=True)
class StoreTiming:
    """How fast a store notices and mends a loss."""

    etcd_heartbeat_ms: int
    etcd_election_ms: int
    patroni_ttl_seconds: int = 20
    """How long a primary that cannot renew stays leader; Patroni refuses less."""
    patroni_loop_wait_seconds: int = 1
    patroni_retry_timeout_seconds: int = 5
    patroni_primary_start_timeout_seconds: int = 0
    """A primary whose process died is not waited for where a synchronous standby can take over."""
    connection_timeout_ms: int = 3000
    """wal_sender, wal_receiver and tcp_user time-outs: a silent peer is given up."""


@dataclass(frozen=True, kw_only=True)
class BackupTiming:
    """How much of a store its backups may lack, and how often they are taken."""

    archive_seconds: int = 60
    """A part of the log is archived after so long, full or not: what a restore may lack."""
    incremental_seconds: int = 3600
    full_seconds: int = 86_400
    full_kept: int = 7
    """Older ones are removed, with the log that only they need."""


@dataclass(frozen=True, kw_only=True)
class EngineTiming:
    """How fast another member takes over an active-passive engine."""

    lease_seconds: int = 3
    """Of the engine's lease in etcd: without renewal for so long another may take it."""
    renew_ms: int = 500


@dataclass(frozen=True, kw_only=True)
class StorePlan:
    """A database, decided."""

    name: str
    members: Mapping[str, str]
    """Host name to site, in the topology's order."""
    synchronous: int
    """How many standbys have a write before it is confirmed."""
    primary: str
    """The host that is primary while all are well."""
    backup_site: str | None
    repository: str | None
    """The host that keeps the backups in a rehearsal, which has no object storage: the member at the backup site, or
    nearest to it."""
    timing: StoreTiming
    backup: BackupTiming = BackupTiming()
    restored: str | None = None
    """Up to where a new store is brought by its backups: `latest`, or an instant, RFC 3339. None: it begins empty."""


@dataclass(frozen=True, kw_only=True)
class QueuePlan:
    """An order queue, decided."""

    name: str
    members: Mapping[str, str]
    """Host name to site, in the topology's order."""
    replicas: int
    sync_always: bool
    messages_max: int


@dataclass(frozen=True, kw_only=True)
class PassivePlan:
    """An active-passive engine, decided."""

    name: str
    members: Mapping[str, str]
    """Host name to site, the first preferred."""
    store: str
    """Key of `Keepings.stores`."""
    queue: str
    """Key of `Keepings.queues`."""
    timing: EngineTiming


@dataclass(frozen=True, kw_only=True)
class Keepings:
    """All state beside consensus of a venue, each by its name in the topology."""

    stores: Mapping[str, StorePlan]
    queues: Mapping[str, QueuePlan]
    engines: Mapping[str, PassivePlan]


def members(topology: Topology) -> Mapping[Role, Mapping[str, Member]]:
    """The hosts that are needed, by role and by key: `<name>-<member>`."""
    return {
        "store": dict(_standing(topology, topology.stores)),
        "queue": dict(_standing(topology, topology.queues)),
        "passive": dict(_standing(topology, topology.passive_engines)),
    }


def keepings(topology: Topology, one_way: OneWay) -> Keepings:
    """Everything decided about state beside consensus."""
    return Keepings(
        stores={name: _store(name, store, one_way) for name, store in topology.stores.items()},
        queues={name: _queue(name, queue) for name, queue in topology.queues.items()},
        engines={name: _engine(name, engine) for name, engine in topology.passive_engines.items()},
    )


def restored(kept: Keepings, until: str | None) -> Keepings:
    """The same, but a store that has no data yet begins from its backups; None changes nothing.

    `until` is `LATEST` or an instant, RFC 3339 with its zone; PlanError for anything else.
    """
    if until is None:
        return kept
    if until != LATEST and not _is_instant(until):
        raise PlanError(
            f"{until!r} is no instant to restore up to; write {LATEST}, or RFC 3339 with its zone, such as "
            "2026-11-22T18:00:00Z"
        )
    return replace(kept, stores={name: replace(store, restored=until) for name, store in kept.stores.items()})


def write_ms(store: StorePlan, primary: str, one_way: OneWay, lost: frozenset[str] = frozenset()) -> float | None:
    """What the network adds to a confirmed write while the host `primary` is primary; None where too few are left.

    It is the round trip to the slowest of the nearest standbys that must have it.
    """
    here = store.members[primary]
    others = sorted(
        one_way[here, site] + one_way[site, here]
        for host, site in store.members.items()
        if host != primary and host not in lost
    )
    return others[store.synchronous - 1] if len(others) >= store.synchronous else None


def _standing(
    topology: Topology, groups: Mapping[str, Store] | Mapping[str, Queue] | Mapping[str, PassiveEngine]
) -> Iterator[tuple[str, Member]]:
    for name, group in groups.items():
        chosen = {str(provider): machine for provider, machine in group.machine.items()}
        for member, site in group.members.items():
            provider = topology.sites[site].at.split("/")[0]
            machine = chosen.get(provider, MACHINES[provider])
            yield f"{name}-{member}", Member(site=site, machine=machine, release=getattr(group, "release", None))


def _hosts(role: Role, name: str, group: Store | Queue | PassiveEngine) -> dict[str, str]:
    return {naming.host(role, f"{name}-{member}"): site for member, site in group.members.items()}


def _store(name: str, store: Store, one_way: OneWay) -> StorePlan:
    sites = list(store.members.values())
    longest_ms = max(one_way[a, b] + one_way[b, a] for a in sites for b in sites)
    heartbeat_ms = max(ETCD_HEARTBEAT_MS_MIN, math.ceil(longest_ms))
    return StorePlan(
        name=name,
        members=_hosts("store", name, store),
        synchronous=store.synchronous,
        primary=naming.host("store", f"{name}-{store.primary}"),
        backup_site=store.backup,
        repository=_repository(name, store, one_way),
        timing=StoreTiming(etcd_heartbeat_ms=heartbeat_ms, etcd_election_ms=ETCD_ELECTION_HEARTBEATS * heartbeat_ms),
    )


def _repository(name: str, store: Store, one_way: OneWay) -> str | None:
    others = [member for member in store.members if member != store.primary]
    if store.backup is None:
        return None
    site = store.backup
    nearest = min(
        others, key=lambda member: 0.0 if store.members[member] == site else one_way[store.members[member], site]
    )
    return naming.host("store", f"{name}-{nearest}")


def _is_instant(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _queue(name: str, queue: Queue) -> QueuePlan:
    return QueuePlan(
        name=name,
        members=_hosts("queue", name, queue),
        replicas=queue.replicas,
        sync_always=queue.sync == "always",
        messages_max=queue.messages_max,
    )


def _engine(name: str, engine: PassiveEngine) -> PassivePlan:
    return PassivePlan(
        name=name,
        members=_hosts("passive", name, engine),
        store=engine.store,
        queue=engine.queue,
        timing=EngineTiming(),
    )
