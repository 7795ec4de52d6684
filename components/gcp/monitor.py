"""Google's own eyes: machines that are gone, tunnels and routing sessions that are down, entrances that do not answer.

The venue's monitors see more, and sooner; these alarms are for the hour in which the monitors are among what failed.
Whom they tell is in the stack setting `diversite:contacts`, a list of e-mail addresses; without it an alarm is seen in
Google's console only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import pulumi
import pulumi_gcp as gcp

from components.component import Component
from components.contacts import contacts
from components.contract import AlarmsArgs, Entrance
from components.gcp import names
from components.gcp.foundation import Foundation, Project
from components.gcp.provider import by
from components.gcp.watches import PROVIDER, Watch, unreached, watches
from diversite import ports
from diversite.catalog import catalog
from diversite.plan import Plan

ALIGNMENT = "60s"
"""Google's metrics come once a minute."""
SILENCE = "180s"
TIMEOUT = "10s"
NOTIFIED_EVERY = "300s"
"""An alarm on a log needs a limit of its own."""


class Alarms(Component):
    """The alarms of every project."""

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        foundation, told = cast(Foundation, args.foundation), contacts()
        for account, project in foundation.projects.items():
            entrances = {host: way for host, way in args.entrances.items() if _account(args.plan, host) == account}
            given = ProjectAlarmsArgs(
                plan=args.plan, account=account, project=project, contacts=told, entrances=entrances
            )
            ProjectAlarms(f"{name}-{account}", given, by(project.provider, self.child()))
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True)
class ProjectAlarmsArgs:
    """The alarms of one project."""

    plan: Plan
    """The venue, decided."""
    account: str
    """The account of the topology whose project it is."""
    project: Project
    """What there is in it."""
    contacts: Sequence[str]
    """E-mail addresses."""
    entrances: Mapping[str, Entrance]
    """The entrances that stand in it, by the host's name."""


class ProjectAlarms(Component):
    """What one project's alarms look at, and whom they tell."""

    def __init__(self, name: str, args: ProjectAlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args, self._name = args, name
        self._channels = {address: self._channel(address) for address in args.contacts}
        for watch in watches(args.plan, args.account):
            self._alert(watch, watch.filter)
        for host, way in args.entrances.items():
            watch, check = unreached(host), self._check(host, way)
            self._alert(watch, pulumi.Output.format('{0} AND metric.labels.check_id = "{1}"', watch.filter, check))
        self.register_outputs({})

    def _channel(self, address: str) -> gcp.monitoring.NotificationChannel:
        return gcp.monitoring.NotificationChannel(
            f"{self._name}-{address}",
            display_name=f"{self._args.plan.venue}: {address}",
            type="email",
            labels={"email_address": address},
            user_labels=names.labels(self._args.plan),
            opts=self.child(),
        )

    def _check(self, host: str, way: Entrance) -> pulumi.Output[str]:
        """Ask an entrance from the world whether it is ready; the id of the check."""
        seconds = catalog().limits(PROVIDER).health_check_interval_seconds_min["uptime"]
        made = gcp.monitoring.UptimeCheckConfig(
            f"{self._name}-{host}",
            display_name=names.named(self._args.plan, host),
            period=f"{seconds}s",
            timeout=TIMEOUT,
            http_check={"path": self._args.plan.health_check.path, "port": ports.ORDERS, "request_method": "GET"},
            monitored_resource={
                "type": "uptime_url",
                "labels": {"host": way.address, "project_id": self._args.project.id},
            },
            user_labels=names.labels(self._args.plan),
            opts=self.child(),
        )
        return made.uptime_check_id

    def _alert(self, watch: Watch, filter_: pulumi.Input[str]) -> None:
        gcp.monitoring.AlertPolicy(
            f"{self._name}-{watch.name}",
            display_name=names.named(self._args.plan, watch.name),
            combiner="OR",
            severity="CRITICAL",
            conditions=[_condition(watch, filter_)],
            alert_strategy={"notification_rate_limit": {"period": NOTIFIED_EVERY}} if watch.when == "logged" else None,
            documentation={"content": watch.says, "mime_type": "text/markdown"},
            notification_channels=[channel.name for channel in self._channels.values()],
            user_labels=names.labels(self._args.plan),
            opts=self.child(),
        )


def _condition(watch: Watch, filter_: pulumi.Input[str]) -> gcp.monitoring.AlertPolicyConditionArgsDict:
    if watch.when == "logged":
        return {"display_name": watch.name, "condition_matched_log": {"filter": filter_}}
    if watch.when == "silent":
        return {
            "display_name": watch.name,
            "condition_absent": {
                "filter": filter_,
                "duration": SILENCE,
                "aggregations": [{"alignment_period": ALIGNMENT, "per_series_aligner": watch.aligner}],
                "trigger": {"count": 1},
            },
        }
    return {
        "display_name": watch.name,
        "condition_threshold": {
            "filter": filter_,
            "comparison": "COMPARISON_LT",
            "threshold_value": watch.least,
            "duration": ALIGNMENT,
            "aggregations": [_aggregation(watch)],
            "trigger": {"count": 1},
        },
    }


def _aggregation(watch: Watch) -> gcp.monitoring.AlertPolicyConditionConditionThresholdAggregationArgsDict:
    """Google asks an entrance from many places: what counts is the share of them that reached it."""
    if watch.least == 1:
        return {"alignment_period": ALIGNMENT, "per_series_aligner": watch.aligner}
    return {
        "alignment_period": ALIGNMENT,
        "per_series_aligner": watch.aligner,
        "cross_series_reducer": "REDUCE_MEAN",
        "group_by_fields": ["resource.label.host"],
    }


def _account(plan: Plan, host: str) -> str:
    return plan.sites[plan.hosts[host].site].account
