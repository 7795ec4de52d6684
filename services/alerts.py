"""The alerts of a venue, as data: what each sees, how long it waits, and what a person does then.

Most fire before a failure: a disk that fills, a clock that drifts, a link that grows longer, rounds that repeat.
Missed blocks alone tell nothing: with `timeout_commit` 0 a block's last commit holds hardly more than a quorum, so a
far validator is missing from most blocks and healthy. It is in every commit that it proposes itself, and that counts.

Metrics whose names begin with `node_` come from the node exporter, which machines in a cloud run and lab hosts do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diversite.network import Route
from diversite.plan import Host, Plan
from services import keeping_alerts
from services.alert import Alert

RULES_INTERVAL_SECONDS = 5
STALL_WINDOW_SECONDS = 20
"""Long enough for four scrapes and for the stall of several dead proposers in a row."""
TURNS_UNSIGNED_MAX = 10
"""A validator that misses that many of its own turns to propose does not sign."""
BLOCKS_BEHIND_MAX = 200
EXTRA_ROUNDS_PER_MINUTE_MAX = 5
CLOCK_SECONDS_MAX = 0.5
CERTIFICATE_DAYS_MIN = 14
DISK_HOURS_MIN = 24
DISK_MINUTES_MIN = 30
"""For what fills a disk faster than anybody reads warnings: a log in a loop, a core dump after the other."""


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """A figure of the plan that an alert compares with, recorded as a series."""

    record: str
    value: float
    labels: dict[str, str]


def rules(plan: Plan, host: Host) -> dict[str, Any]:
    """Prometheus' rule file of one monitor."""
    groups = {
        "expectations": [_expectation(item) for item in expectations(plan, host)],
        "alerts": [_rule(alert) for alert in alerts(plan, host)],
    }
    return {
        "groups": [
            {"name": name, "interval": f"{RULES_INTERVAL_SECONDS}s", "rules": found} for name, found in groups.items()
        ]
    }


def alerts(plan: Plan, host: Host) -> tuple[Alert, ...]:
    """Every alert that a monitor evaluates."""
    venue = (*_consensus(plan), *_engines(plan), *keeping_alerts.alerts(plan), *_entrances(), *_sites())
    return (*venue, *_monitors(plan, host), *_machines())


def expectations(plan: Plan, host: Host) -> tuple[Expectation, ...]:
    """The longest round trip to expect from a monitor's site to each other over the planned way."""
    return tuple(
        Expectation(record="diversite:rtt_high_seconds", value=_rtt_high_ms(plan, route) / 1000, labels={"site": site})
        for (here, site), route in plan.routes.items()
        if here == host.site and site != here
    )


def _rtt_high_ms(plan: Plan, route: Route) -> float:
    return sum(plan.links[link].rtt.high_ms for link in route.links)


def _consensus(plan: Plan) -> tuple[Alert, ...]:
    validators = len(plan.of_role("validator"))
    return (
        Alert(
            name="ConsensusHalted",
            expression=f"max(delta(cometbft_consensus_latest_block_height[{STALL_WINDOW_SECONDS}s])) == 0",
            hold_seconds=0,
            severity="critical",
            summary=f"No validator has committed a block for {STALL_WINDOW_SECONDS} s.",
            action="Count the validators that run and reach each other: more than two thirds of the power must.",
        ),
        Alert(
            name="ValidatorStalled",
            expression=(
                f"delta(cometbft_consensus_latest_block_height[{STALL_WINDOW_SECONDS}s]) == 0 "
                f"and on() max(delta(cometbft_consensus_latest_block_height[{STALL_WINDOW_SECONDS}s])) > 0"
            ),
            hold_seconds=0,
            severity="critical",
            summary="{{ $labels.node }} stands still while others commit.",
            action="Read its log: a different application hash stops a validator by itself.",
        ),
        Alert(
            name="ValidatorBehind",
            expression=(
                "scalar(max(cometbft_consensus_latest_block_height)) - cometbft_consensus_latest_block_height "
                f"> {BLOCKS_BEHIND_MAX}"
            ),
            hold_seconds=30,
            severity="warning",
            summary="{{ $labels.node }} is {{ $value }} blocks behind.",
            action="It is catching up or cut off; look at its peers.",
        ),
        Alert(
            name="ValidatorNotSigning",
            expression=(
                "cometbft_consensus_latest_block_height - on (node, site, provider) "
                f"cometbft_consensus_validator_last_signed_height > {TURNS_UNSIGNED_MAX * validators}"
            ),
            hold_seconds=10,
            severity="critical",
            summary="{{ $labels.node }} follows and does not sign: its last signature is {{ $value }} blocks old.",
            action="Check that its key is in the validator set and that no other process holds its sign state.",
        ),
        Alert(
            name="ProposersFail",
            expression=(
                "max(increase(cometbft_consensus_round_duration_seconds_count[1m]) - on (node) "
                f"delta(cometbft_consensus_height[1m])) > {EXTRA_ROUNDS_PER_MINUTE_MAX}"
            ),
            hold_seconds=15,
            severity="warning",
            summary="{{ $value }} rounds above zero in a minute: proposers are dead or slower than their time-out.",
            action="If every validator runs, compare the round trips with those that the time-outs were planned for.",
        ),
        Alert(
            name="PeersLost",
            expression=f"cometbft_p2p_peers < {validators - 1}",
            hold_seconds=30,
            severity="warning",
            summary="{{ $labels.node }} is connected to only {{ $value }} of the other validators.",
            action="Look for validators that are down, then for links; each pair connects directly.",
        ),
    )


def _engines(plan: Plan) -> tuple[Alert, ...]:
    slow_ms = plan.order_limit_ms + plan.timing.propose_ms + plan.timing.precommit_ms
    return (
        Alert(
            name="BooksDiverge",
            expression=f"max({NEWEST_BOOKS}) != min({NEWEST_BOOKS})",
            hold_seconds=0,
            severity="critical",
            summary="Two engines have different books at the same height.",
            action="Halt the markets; compare the engines' releases and states from their last common snapshot.",
        ),
        Alert(
            name="EngineNotReady",
            expression='probe_success{job="probe-engine"} == 0',
            hold_seconds=10,
            severity="warning",
            summary="{{ $labels.node }} could not acknowledge an order.",
            action="Look at its validator first: an engine without new blocks is not ready.",
        ),
        Alert(
            name="AcknowledgementSlow",
            expression=(
                "histogram_quantile(0.99, sum by (le, node, site) (rate(engine_acknowledge_seconds_bucket[1m]))) "
                f"> {slow_ms / 1000:g}"
            ),
            hold_seconds=60,
            severity="warning",
            summary="The slowest hundredth of the orders at {{ $labels.node }} takes {{ $value }} s.",
            action="Slower than with one dead proposer: look at rounds, peers and round trips.",
        ),
        Alert(
            name="OrdersIndeterminate",
            expression="increase(engine_indeterminate_total[5m]) > 0",
            hold_seconds=0,
            severity="warning",
            summary="{{ $labels.node }} could not tell clients what became of their orders.",
            action="Clients ask again with the same key; look for a halt in that time.",
        ),
        Alert(
            name="ClockAhead",
            expression=(
                "engine_last_commit_timestamp_seconds - timestamp(engine_last_commit_timestamp_seconds) "
                f"> {CLOCK_SECONDS_MAX}"
            ),
            hold_seconds=10,
            severity="warning",
            summary="The clock of {{ $labels.node }} is {{ $value }} s ahead of this monitor's.",
            action="Mend time synchronisation on one of the two: block times follow the validators' clocks.",
        ),
    )


NEWEST_BOOKS = "engine_books_hash and on (node) (engine_books_hash_height == scalar(max(engine_books_hash_height)))"


def _entrances() -> tuple[Alert, ...]:
    return (
        Alert(
            name="EntranceClosed",
            expression='probe_success{job="probe-entry"} == 0',
            hold_seconds=5,
            severity="critical",
            summary="{{ $labels.node }} takes no orders.",
            action="If other entrances are open clients use them; look at the balancer, then at the engines behind it.",
        ),
        Alert(
            name="EntranceOnBackup",
            expression='haproxy_backend_active_servers{proxy="engines"} == 0',
            hold_seconds=10,
            severity="warning",
            summary="No engine at the site of {{ $labels.node }} is ready; orders go to another site.",
            action="Look at the engines and validators of the site.",
        ),
        Alert(
            name="CertificateExpires",
            expression=f"(probe_ssl_earliest_cert_expiry - time()) / 86400 < {CERTIFICATE_DAYS_MIN}",
            hold_seconds=0,
            severity="warning",
            summary="The certificate of {{ $labels.node }} ends in {{ $value }} days.",
            action="Renew it and see why its renewal did not run.",
        ),
    )


def _sites() -> tuple[Alert, ...]:
    return (
        Alert(
            name="SiteLost",
            expression='max by (site, provider) (up{job!~"probe-.*"} or probe_success) == 0',
            hold_seconds=10,
            severity="critical",
            summary="Nothing at site {{ $labels.site }} answers.",
            action="Ask the other monitor before the provider: if it sees the site, the way from here is cut.",
        ),
        Alert(
            name="ServiceDown",
            expression='up{job!~"probe-.*"} == 0',
            hold_seconds=15,
            severity="warning",
            summary="{{ $labels.job }} at {{ $labels.node }} does not answer.",
            action="Read its log; its supervisor starts it again when it ends.",
        ),
        Alert(
            name="RoundTripDrifts",
            expression='probe_icmp_duration_seconds{phase="rtt"} > on (site) group_left () diversite:rtt_high_seconds',
            hold_seconds=60,
            severity="warning",
            summary="The round trip to {{ $labels.site }} is {{ $value }} s: longer than the plan expects.",
            action="Look whether a link is down and traffic takes another way; else ask the carrier.",
        ),
    )


def _monitors(plan: Plan, host: Host) -> tuple[Alert, ...]:
    others = [other for other in plan.of_role("monitor") if other.name != host.name]
    return (
        Alert(
            name="Watchdog",
            expression="vector(1)",
            hold_seconds=0,
            severity="none",
            summary="Always fires. Whoever stops hearing it knows that this monitor is dead or cut off.",
            action="Nothing, while it fires.",
        ),
        *(_silent(other) for other in others),
        Alert(
            name="AlertmanagersApart",
            expression=f"alertmanager_cluster_members < {len(others) + 1}",
            hold_seconds=30,
            severity="warning",
            summary="{{ $labels.node }} shares alerts with only {{ $value }} notifiers, itself included.",
            action="Look at the other monitor and the way to it; until then alerts arrive twice.",
        ),
        Alert(
            name="NotificationsFail",
            expression="sum by (node) (rate(alertmanager_notifications_failed_total[5m])) > 0",
            hold_seconds=60,
            severity="critical",
            summary="{{ $labels.node }} cannot deliver notifications.",
            action="Check the receiver's address and that the monitor may reach it.",
        ),
    )


def _silent(other: Host) -> Alert:
    return Alert(
        name=f"MonitorSilent-{other.key}",
        expression=f'absent(ALERTS{{alertname="Watchdog", alertstate="firing", monitor="{other.key}"}})',
        hold_seconds=30,
        severity="critical",
        summary=f"{other.name} does not watch: its dead man's switch is silent.",
        action="Half of the watch is left; bring the monitor back before anything is changed.",
    )


def _machines() -> tuple[Alert, ...]:
    return (
        Alert(
            name="DiskFills",
            expression=f"predict_linear(node_filesystem_avail_bytes[1h], {DISK_HOURS_MIN * 3600}) < 0",
            hold_seconds=600,
            severity="warning",
            summary=f"A disk is full within {DISK_HOURS_MIN} h: " + "{{ $labels.mountpoint }} of {{ $labels.node }}.",
            action="Enlarge the disk; a full one stops the validator.",
        ),
        Alert(
            name="DiskFillsSoon",
            expression=f"predict_linear(node_filesystem_avail_bytes[2m], {DISK_MINUTES_MIN * 60}) < 0",
            hold_seconds=15,
            severity="critical",
            summary=f"A disk is full within {DISK_MINUTES_MIN} minutes: "
            + "{{ $labels.mountpoint }} of {{ $labels.node }}.",
            action="See what writes so much, and make room at once: a full disk stops the validator.",
        ),
        Alert(
            name="ClockUnsynchronised",
            expression=f"abs(node_timex_offset_seconds) > {CLOCK_SECONDS_MAX / 10} or node_timex_sync_status == 0",
            hold_seconds=60,
            severity="warning",
            summary="The clock of {{ $labels.node }} is not synchronised.",
            action="Mend its time synchronisation.",
        ),
    )


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        **({"for": f"{alert.hold_seconds}s"} if alert.hold_seconds else {}),
        "labels": {"severity": alert.severity},
        "annotations": {"summary": alert.summary, "action": alert.action},
    }


def _expectation(item: Expectation) -> dict[str, Any]:
    return {"record": item.record, "expr": f"vector({item.value:g})", "labels": item.labels}
