"""AWS's own eyes: instances that fail their checks, entrances with nobody behind them, packets that lead nowhere.

The venue's monitors see more, and sooner; these alarms are for the hour in which the monitors are among what failed.
Each tells its region's topic, and that whom `diversite:contacts` names. What watches a private path is made with the
path (`vpn.py`, `circuit.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import pulumi
import pulumi_aws as aws

from components.aws.balancer import NetworkEntrance
from components.aws.foundation import Foundation, Ground
from components.aws.host import Machine
from components.aws.provider import key
from components.component import Component
from components.contract import AlarmsArgs, tags

MINUTE_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What an alarm looks at, and when it is raised."""

    namespace: str
    metric: str
    statistic: Literal["Minimum", "Maximum", "Sum"]
    dimensions: Mapping[str, pulumi.Input[str]]
    comparison: Literal["GreaterThanOrEqualToThreshold", "LessThanThreshold"]
    threshold: float = 1
    period_seconds: int = MINUTE_SECONDS
    periods: int = 2
    """In a row, before somebody is told."""
    silence: Literal["breaching", "notBreaching"] = "breaching"
    """Whether the lack of figures is a failure too: a stopped machine reports none."""
    says: str
    """What is wrong, and what to look at first."""


class Alarms(Component):
    """The alarms of every region."""

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args, self._foundation = args, cast(Foundation, args.foundation)
        for host, machine in args.machines.items():
            self._raise(host, host, failed(host, cast(Machine, machine)))
        for host, way in args.entrances.items():
            if isinstance(way, NetworkEntrance):
                self._raise(f"{host}-balancer", host, forsaken(host, way))
        for ground in self._foundation.grounds.values():
            if ground.transit:
                lost = lost_packets(ground.transit.gateway.id)
                alarm(f"transit-{key(ground.args.region)}-lost", lost, ground, ground.tags, self._in(ground))
        self.register_outputs({})

    def _raise(self, name: str, host: str, watch: Watch) -> None:
        planned = self._args.plan.hosts[host]
        ground = self._foundation.ground(planned.site)
        alarm(name, watch, ground, tags(self._args.plan, planned), self._in(ground))

    def _in(self, ground: Ground) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions.merge(self.child(), pulumi.ResourceOptions(provider=ground.provider))


def alarm(
    name: str, watch: Watch, ground: Ground, told: Mapping[str, str], opts: pulumi.ResourceOptions
) -> aws.cloudwatch.MetricAlarm:
    """An alarm that tells its region's topic when it is raised, and when all is well again."""
    return aws.cloudwatch.MetricAlarm(
        name,
        alarm_description=watch.says,
        namespace=watch.namespace,
        metric_name=watch.metric,
        statistic=watch.statistic,
        dimensions=watch.dimensions,
        comparison_operator=watch.comparison,
        threshold=watch.threshold,
        period=watch.period_seconds,
        evaluation_periods=watch.periods,
        treat_missing_data=watch.silence,
        actions_enabled=True,
        alarm_actions=[ground.topic.arn],
        ok_actions=[ground.topic.arn],
        tags=told,
        opts=opts,
    )


def failed(host: str, machine: Machine) -> Watch:
    """A machine that fails a check, AWS's of the machine or of the system below it, or is not there."""
    return Watch(
        namespace="AWS/EC2",
        metric="StatusCheckFailed",
        statistic="Maximum",
        dimensions={"InstanceId": machine.instance.id},
        comparison="GreaterThanOrEqualToThreshold",
        says=f"{host} fails its status checks, or is stopped: look at its system log.",
    )


def forsaken(host: str, way: NetworkEntrance) -> Watch:
    """A balancer whose entrance does not answer its checks."""
    return Watch(
        namespace="AWS/NetworkELB",
        metric="UnHealthyHostCount",
        statistic="Maximum",
        dimensions={"LoadBalancer": way.balancer, "TargetGroup": way.targets},
        comparison="GreaterThanOrEqualToThreshold",
        says=f"{host} does not answer its balancer: look at HAProxy on it and at the engines behind it.",
    )


def lost_packets(gateway: pulumi.Input[str]) -> Watch:
    """A transit gateway whose routes lead to a path that is gone."""
    return Watch(
        namespace="AWS/TransitGateway",
        metric="PacketDropCountBlackhole",
        statistic="Sum",
        dimensions={"TransitGateway": gateway},
        comparison="GreaterThanOrEqualToThreshold",
        silence="notBreaching",
        says="the transit gateway drops packets whose path is gone: look at its attachments.",
    )
