"""Who is primary, who works and who leads at this moment, by what the members of a lab say of themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from diversite import ports
from diversite.errors import LabError
from diversite.keeping import Keepings, PassivePlan, QueuePlan, StorePlan
from diversite.plan import Plan
from drills.observer import Observer
from drills.state.history import Taken, Told, Written
from lab import control
from services.patroni import BINARIES, DATABASE, USER
from workloads.engine import orders
from workloads.engine.orders import Refused

JOURNAL = (
    "SELECT height, epoch, sequence, encode(state_hash, 'hex'), "
    "(SELECT coalesce(json_agg(convert_from(o, 'UTF8') ORDER BY n), '[]') "
    "FROM unnest(orders) WITH ORDINALITY AS t(o, n)) "
    "FROM journal WHERE engine = '{engine}' ORDER BY height"
)
TAKINGS = "SELECT epoch, height FROM takings WHERE engine = '{engine}' ORDER BY epoch"
ORDER_BYTES_MAX = 65_536


class Keepers:
    """The store, the queue and the members of one active-passive engine in a running lab."""

    def __init__(self, lab: str, plan: Plan, observer: Observer, engine: str | None = None) -> None:
        engines = plan.keepings.engines
        if not engines or (engine is not None and engine not in engines):
            raise LabError(f"{plan.venue} has no active-passive engine {engine or ''}: it has {', '.join(engines)}")
        self.lab, self.plan = lab, plan
        self.engine: PassivePlan = engines[engine or next(iter(engines))]
        self.store: StorePlan = plan.keepings.stores[self.engine.store]
        self.queue: QueuePlan = plan.keepings.queues[self.engine.queue]
        self._observer = observer

    def primary(self) -> str | None:
        """The store's member that says that it is primary; None where none does."""
        told = self._statuses(self.store.members, ports.PATRONI, "/primary")
        return next(iter(told), None)

    def standbys(self) -> tuple[str, ...]:
        """The members that replicate now, by what the primary says."""
        primary = self.primary()
        answers = self._statuses([primary], ports.PATRONI, "/cluster") if primary else {}
        members = [member for answer in answers.values() for member in answer["members"]]
        return tuple(it["name"] for it in members if it["role"] != "leader" and it["state"] == "streaming")

    def worker(self) -> str | None:
        """The engine's member that works; None where none says so."""
        told = self._statuses(self.engine.members, ports.ENGINE_HTTP, "/working")
        return next(iter(told), None)

    def members(self) -> Mapping[str, Told]:
        """What each member of the engine that answers says of its books."""
        told = self._statuses(self.engine.members, ports.ENGINE_HTTP, "/status")
        return {name: Told(height=it["height"], state_hash=it["state_hash"]) for name, it in told.items()}

    def fenced(self) -> Mapping[str, int]:
        """How often the ledger refused each member."""
        told = self._statuses(self.engine.members, ports.ENGINE_HTTP, "/status")
        return {name: it["fenced"] for name, it in told.items()}

    def queue_leader(self) -> str | None:
        """The queue's member that leads the engine's stream."""
        told = self._statuses(self.queue.members, ports.NATS_MONITOR, "/jsz?accounts=true&streams=true")
        for answer in told.values():
            for account in answer.get("account_details", ()):
                for stream in account.get("stream_detail", ()):
                    if leader := stream.get("cluster", {}).get("leader"):
                        return str(leader)
        return None

    def journal(self, host: str) -> tuple[Written, ...]:
        """What a member of the store has of the engine's journal, read on that host."""
        return tuple(map(_written, self._rows(host, JOURNAL)))

    def takings(self, host: str) -> tuple[Taken, ...]:
        """When members took over, as a member of the store has it."""
        rows = (line.split("|") for line in self._rows(host, TAKINGS))
        return tuple(Taken(epoch=int(epoch), height=int(height)) for epoch, height in rows)

    def _rows(self, host: str, query: str) -> list[str]:
        socket = f"/run/lab/hosts/{host}/data/patroni"
        command = [f"{BINARIES}/psql", "-X", "-A", "-t", "-F", "|", "-h", socket, "-U", USER, "-d", DATABASE]
        told = control.run(self.lab, host, [*command, "-c", query.format(engine=self.engine.name)])
        if told.returncode:
            raise LabError(f"host {host}: its journal cannot be read: {told.stderr.strip()[-300:]}")
        return [line for line in told.stdout.splitlines() if line]

    def is_whole(self) -> bool:
        """Whether all members of all three are there."""
        return (
            len(self.standbys()) == len(self.store.members) - 1
            and self.worker() is not None
            and set(self.members()) == set(self.engine.members)
            and len(self._statuses(self.queue.members, ports.NATS_MONITOR, "/healthz")) == len(self.queue.members)
        )

    def is_settled(self) -> bool:
        """Whether all members of the engine have the same books; not while orders come."""
        return self.is_whole() and len(set(self.members().values())) == 1

    def as_now(self) -> Plan:
        """The plan with today's primary and worker in the places of those that it prefers."""
        keepings, primary, worker = self.plan.keepings, self.primary(), self.worker()
        store = replace(self.store, primary=primary or self.store.primary)
        names = sorted(self.engine.members, key=lambda name: name != worker)
        engine = replace(self.engine, members={name: self.engine.members[name] for name in names})
        changed = Keepings(
            stores={**keepings.stores, store.name: store},
            queues=keepings.queues,
            engines={**keepings.engines, engine.name: engine},
        )
        return replace(self.plan, keepings=changed)

    def _statuses(self, names: Iterable[str], port: int, path: str) -> Mapping[str, Any]:
        asked = [self.plan.hosts[name] for name in names]
        scheme = "https" if port in (ports.PATRONI, ports.NATS_MONITOR) else "http"
        answers = self._observer.ask([(host, f"{scheme}://{host.address}:{port}{path}") for host in asked])
        return {host.name: answer.json() for host, answer in zip(asked, answers, strict=True) if answer.ok}


def _written(line: str) -> Written:
    height, epoch, sequence, state_hash, texts = line.split("|", 4)
    return Written(
        height=int(height),
        epoch=int(epoch),
        sequence=int(sequence),
        state_hash=state_hash,
        keys=tuple(_key(text) for text in json.loads(texts)),
    )


def _key(text: str) -> str:
    try:
        return orders.identity(orders.decode(text.encode(), ORDER_BYTES_MAX)).partition("/")[2]
    except Refused:
        return text
