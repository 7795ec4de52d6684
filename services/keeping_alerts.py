"""The alerts of state beside consensus: a store, queue or engine that works no more, and what comes before that."""

from __future__ import annotations

from diversite.keeping import PassivePlan, StorePlan
from diversite.plan import Plan
from services import backup_alerts
from services.alert import Alert

QUEUE_SHARE_MAX = 0.2
"""Of a queue's bound: orders wait for a worker, and there is time to see why before they are refused."""
LAG_BATCHES_MAX = 100
CERTIFICATE_DAYS_LEFT_MIN = 90
"""All of a venue's are made on one day and end on one day, and with them all that they keep apart."""
CERTIFICATE_DAYS_LEFT_OLD = 3650 - 400
"""A key that is older than 400 days is due for another; a certificate is made for 3650."""


def alerts(plan: Plan) -> tuple[Alert, ...]:
    """What a monitor evaluates for each store and each engine; nothing for a venue without any."""
    keepings = plan.keepings
    stores = [alert for it in keepings.stores.values() for alert in (*_store(it), *backup_alerts.alerts(it))]
    engines = [alert for engine in keepings.engines.values() for alert in _engine(engine)]
    return (*stores, *engines, *(_certificates() if stores or engines else ()))


def _certificates() -> tuple[Alert, ...]:
    """Of members of stores and queues as they show it, of an engine's members as they tell it."""
    ends = 'probe_ssl_earliest_cert_expiry{job=~"probe-(queue|store)"} or passive_certificate_ends_seconds'
    left = f"(({ends}) - time()) / 86400"
    return (
        Alert(
            name="CertificateEnds",
            expression=f"{left} < {CERTIFICATE_DAYS_LEFT_MIN}",
            hold_seconds=60,
            severity="critical",
            summary="The certificate of {{ $labels.node }} ends in {{ $value | humanize }} days, and its trust too.",
            action="Give each member a new key, one after the other (docs/runbooks/certificates.md).",
        ),
        Alert(
            name="CertificateOld",
            expression=f"{left} < {CERTIFICATE_DAYS_LEFT_OLD}",
            hold_seconds=60,
            severity="warning",
            summary="The key of {{ $labels.node }} is older than 400 days.",
            action="Give it a new key when it suits you (docs/runbooks/certificates.md).",
        ),
    )


def _store(store: StorePlan) -> tuple[Alert, ...]:
    members = "|".join(store.members)
    return (
        Alert(
            name=f"StoreWithoutPrimary-{store.name}",
            expression=f'(max(patroni_primary{{scope="{store.name}"}}) or vector(0)) == 0',
            hold_seconds=10,
            severity="critical",
            summary=f"Store {store.name} has no primary: nothing is confirmed.",
            action="Count the members of etcd that reach each other, then read Patroni's log on each member.",
        ),
        Alert(
            name=f"StoreWithoutStandby-{store.name}",
            expression=(
                f'(sum(patroni_postgres_streaming{{scope="{store.name}"}} * on (node) '
                f'(1 - patroni_primary{{scope="{store.name}"}})) or vector(0)) < {store.synchronous}'
            ),
            hold_seconds=10,
            severity="critical",
            summary=f"Store {store.name} has {{{{ $value }}}} standbys that replicate; a write waits for "
            f"{store.synchronous}.",
            action="Bring a standby back: until then no write is confirmed.",
        ),
        Alert(
            name=f"StoreMemberMissing-{store.name}",
            expression=f'up{{job="patroni", node=~"{members}"}} == 0',
            hold_seconds=30,
            severity="warning",
            summary="{{ $labels.node }} is missing: the next loss may stop the store.",
            action="Bring it back before anything is changed.",
        ),
        Alert(
            name=f"EtcdWithoutLeader-{store.name}",
            expression=f'etcd_server_has_leader{{node=~"{members}"}} == 0',
            hold_seconds=5,
            severity="critical",
            summary="etcd on {{ $labels.node }} reaches no majority.",
            action="Look at the ways between the store's sites: without a majority nobody may be primary, nobody work.",
        ),
    )


def _engine(engine: PassivePlan) -> tuple[Alert, ...]:
    of_engine = f'engine="{engine.name}"'
    return (
        Alert(
            name=f"EngineWithoutWorker-{engine.name}",
            expression=f"(sum(passive_working{{{of_engine}}}) or vector(0)) == 0",
            hold_seconds=10,
            severity="critical",
            summary=f"Nobody works for {engine.name}: orders wait in queue {engine.queue}.",
            action="Look at its store first: an engine without one waits for it.",
        ),
        Alert(
            name=f"EngineAlone-{engine.name}",
            expression=f'count(up{{job="passive", node=~"{"|".join(engine.members)}"}} == 1) == 1',
            hold_seconds=30,
            severity="warning",
            summary=f"One member of {engine.name} is left: nobody could take over.",
            action="Bring another member back.",
        ),
        Alert(
            name=f"EngineFollowsSlowly-{engine.name}",
            expression=f"max(passive_height{{{of_engine}}}) - min(passive_height{{{of_engine}}}) > {LAG_BATCHES_MAX}",
            hold_seconds=30,
            severity="warning",
            summary=f"A member of {engine.name} is {{{{ $value }}}} batches behind: it would take over late.",
            action="Look at its way to the store and at its load.",
        ),
        Alert(
            name=f"QueueWithoutQuorum-{engine.queue}-{engine.name}",
            expression=f"(max(passive_queue_answers{{{of_engine}}}) or vector(0)) == 0",
            hold_seconds=15,
            severity="critical",
            summary=f"Queue {engine.queue} answers no member of {engine.name}: no order is taken.",
            action="Count the queue's members that reach each other: a majority must.",
        ),
        Alert(
            name=f"QueueFills-{engine.queue}-{engine.name}",
            expression=(
                f"max(passive_queue_messages{{{of_engine}}} / passive_queue_messages_max{{{of_engine}}}) "
                f"> {QUEUE_SHARE_MAX}"
            ),
            hold_seconds=5,
            severity="warning",
            summary=f"{{{{ $value | humanizePercentage }}}} of what queue {engine.queue} holds is taken.",
            action=f"See why nobody carries the orders of {engine.name} out; a full queue refuses.",
        ),
    )
