"""What the judge asks of state beside consensus, whatever fails: that a confirmed write cannot be lost at one place.

    confirmed   whichever standbys confirm a write, it is in two power domains and at two providers
    synced      the queue has a message on disk before it acknowledges
    apart       nobody decides alone: no site holds a majority of a store or a queue
    backup      at another provider than the store's primary; that it can be restored is a test's to say (docs/state.md)
    leaders     whoever is primary, etcd and the queue can be led from another site: one site's loss takes one of them
    in time     what a synchronous standby costs a write keeps `bounds.store_write_ms_max`

That members are odd in number, a stack file is refused for already. That no standby is promoted asynchronously and that
a stale primary is fenced is how they are configured: `services.patroni`, `workloads.passive.ledger`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from diversite.domains import Domain, Membership
from diversite.keeping import QueuePlan, StorePlan, write_ms
from diversite.plan import Plan
from diversite.topology import DomainKind
from diversite.verdict import Failure, Finding

SEPARATE: tuple[DomainKind, ...] = ("site", "local_grid", "control_area", "provider")
"""What may not hold a confirmed write alone."""


def findings(plan: Plan, membership: Membership) -> Iterator[Finding]:
    """One finding a store, a queue and a bound; nothing for a venue without state beside consensus."""
    for store in plan.keepings.stores.values():
        yield _confirmed(store, membership)
        yield _backup(plan, store)
        yield _leaders(plan, store)
    for queue in plan.keepings.queues.values():
        yield _queue(plan, queue)
    limit = plan.topology.bounds.store_write_ms_max
    if limit is not None and plan.keepings.stores:
        yield _in_time(plan, limit)


def _confirmed(store: StorePlan, membership: Membership) -> Finding:
    """Any member may be primary, and while others are away one standby is enough: Patroni's strict mode forbids none
    alone, however many are asked for (its quorum.py, `numsync`).
    """
    failures = []
    for kind in SEPARATE:
        for domain in membership.all(kind):
            together = sorted(membership.members(domain) & store.members.keys())
            if len(together) > 1:
                says = f"{', '.join(together)} alone can confirm a write, and all of them are in {domain}"
                failures.append(_failure((domain,), len(together) - 1, says))
        missing = [item.reason for item in membership.unknown_of(kind) if item.member in store.members]
        failures += [_failure((), 1, f"it is not known whether they are apart: {reason}") for reason in missing]
    wish = f"a confirmed write of {store.name} is in two power domains and at two providers"
    copies = f"{store.synchronous + 1} of {len(store.members)} members have every confirmed write"
    return _finding(f"stores.{store.name}", ("stores", store.name), wish, failures, copies)


def _backup(plan: Plan, store: StorePlan) -> Finding:
    at, primary = store.backup_site, plan.sites[store.members[store.primary]].place.provider
    failures = []
    if at is None:
        failures = [_failure((), 1, "no site keeps its backups; name one under `backup`")]
    elif plan.sites[at].place.provider == primary:
        says = f"its backups stand at {primary}, where its primary does: one account less, and both are gone"
        failures = [_failure((Domain("provider", primary),), 1, says)]
    wish = f"backups of {store.name} at another provider than its primary"
    margin = f"{at} keeps them" if at else ""
    return _finding(f"stores.{store.name}.backup", ("stores", store.name), wish, failures, margin)


def _leaders(plan: Plan, store: StorePlan) -> Finding:
    """What runs moves leaders away (docs/state.md); here, that there is somewhere to go, whoever is primary."""
    engines = [engine for engine in plan.keepings.engines.values() if engine.store == store.name]
    groups = {"etcd": store.members, **{f"queue {it.queue}": plan.keepings.queues[it.queue].members for it in engines}}
    failures = [
        _failure((Domain("site", plan.sites[site].place.id),), 1, f"{what} can be led from site {site} alone")
        for what, members in groups.items()
        for site in dict.fromkeys(store.members.values())
        if set(members.values()) == {site}
    ]
    wish = f"etcd and the queue are led from another site than that of the primary of {store.name}"
    return _finding(f"stores.{store.name}.leaders", ("stores", store.name), wish, failures, f"{len(groups)} can")


def _queue(plan: Plan, queue: QueuePlan) -> Finding:
    failures, majority = [], queue.replicas // 2 + 1
    if not queue.sync_always:
        says = "it acknowledges before it syncs: a power cut loses what it acknowledged within two minutes"
        failures.append(_failure((), 1, f"{says}; write sync: always"))
    for site, held in _by_site(queue.members).items():
        if 2 * held > queue.replicas:
            says = f"site {site} holds {held} of its {len(queue.members)} members, and {majority} replicas acknowledge"
            failures.append(_failure((Domain("site", plan.sites[site].place.id),), held, says))
    wish, margin = f"what queue {queue.name} acknowledges is on disk at two sites", f"{queue.replicas} replicas, synced"
    return _finding(f"queues.{queue.name}", ("queues", queue.name), wish, failures, margin)


def _in_time(plan: Plan, limit: float) -> Finding:
    """Whoever is primary, with every member up or any one of them lost."""
    costs = [cost for store in plan.keepings.stores.values() for cost in _costs(plan, store)]
    failures = [
        _failure((), cost - limit, f"{what} waits {cost:.1f} ms for its standby, {cost - limit:.1f} ms too much")
        for cost, what in sorted(costs, reverse=True)
        if cost > limit
    ]
    cost, what = max(costs)
    path, wish = ("bounds", "store_write_ms_max"), f"store_write_ms_max of {limit:g} ms"
    return _finding(".".join(path), path, wish, failures, f"at worst {cost:.1f} ms: {what}")


def _costs(plan: Plan, store: StorePlan) -> Iterator[tuple[float, str]]:
    for primary in store.members:
        for lost in ("", *(other for other in store.members if other != primary)):
            cost = write_ms(store, primary, plan.one_way_ms, frozenset({lost}))
            if cost is not None:
                yield cost, f"a write to {primary}{f' without {lost}' if lost else ''}"


def _by_site(members: Mapping[str, str]) -> dict[str, int]:
    return {site: sum(other == site for other in members.values()) for site in members.values()}


def _failure(lost: tuple[Domain, ...], excess: float, says: str) -> Failure:
    return Failure(lost=lost, cause="state", excess=float(excess), says=says)


def _finding(id_: str, path: tuple[str, ...], wish: str, failures: list[Failure], margin: str) -> Finding:
    return Finding(id=id_, path=path, wish=wish, failures=tuple(failures), failure_count=len(failures), margin=margin)
