"""What must be true of the state beside consensus: members that stand somewhere, odd in number, and who uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from diversite.stackfile.closest import listed
from diversite.stackfile.parts import NO_MAP, Finding, Parts, Steps, unknown
from diversite.topology import PassiveEngine, Queue, Store

Refusal = Callable[[str, str], str | None]
"""What the catalogue says against a provider's machine; None where it has it."""


def findings(parts: Parts, refusal: Refusal) -> Iterator[Finding]:
    """Every fault of the stores, the queues and the engines that use them."""
    for section in ("stores", "queues"):
        for name, each in getattr(parts, section).items():
            if each is not None:
                yield from _members(parts, (section, name), each, refusal)
                yield from _even((section, name), each.members)
    for name, store in parts.stores.items():
        if store is not None:
            yield from _store(parts, ("stores", name), store)
    for name, queue in parts.queues.items():
        if queue is not None and queue.replicas > len(queue.members):
            says = f"is more than its {len(queue.members)} members; write at most as many"
            yield Finding(("queues", name, "replicas"), says)
    for name, engine in parts.passive.items():
        if engine is not None:
            yield from _members(parts, ("engines", name), engine, refusal)
            yield from _used(parts, ("engines", name), engine)


def _members(parts: Parts, steps: Steps, group: Store | Queue | PassiveEngine, refusal: Refusal) -> Iterator[Finding]:
    for member, site in group.members.items():
        if site not in parts.sites:
            yield Finding((*steps, "members", member), unknown("site", site, parts.sites))
    for provider, machine in group.machine.items():
        if says := refusal(provider, machine):
            yield Finding((*steps, "machine", provider), says)


def _even(steps: Steps, members: Mapping[str, str]) -> Iterator[Finding]:
    if len(members) % 2 == 0:
        says = (
            f"has {len(members)} members, and an even number survives no more losses than one fewer; "
            "write an odd number"
        )
        yield Finding((*steps, "members"), says, of_key=True)


def _store(parts: Parts, steps: Steps, store: Store) -> Iterator[Finding]:
    if store.primary not in store.members:
        yield Finding((*steps, "primary"), f"is none of its members; they are {listed(store.members)}")
    if store.synchronous >= len(store.members):
        says = f"is not less than its {len(store.members)} members; one of them is the primary itself"
        yield Finding((*steps, "synchronous"), says)
    if store.backup is not None and store.backup not in parts.sites:
        yield Finding((*steps, "backup"), unknown("site", store.backup, parts.sites))


def _used(parts: Parts, steps: Steps, engine: PassiveEngine) -> Iterator[Finding]:
    if NO_MAP not in parts.stores and engine.store not in parts.stores:
        yield Finding((*steps, "store"), unknown("store", engine.store, parts.stores))
    if NO_MAP not in parts.queues and engine.queue not in parts.queues:
        yield Finding((*steps, "queue"), unknown("queue", engine.queue, parts.queues))
