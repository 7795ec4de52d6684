"""Who watches whom, what warns early, and who hears of it."""

from __future__ import annotations

from typing import Any

import pytest

from policies import tokens
from policies.declared import UNKNOWN
from policies.rules.monitoring import (
    ADDRESS,
    EARLY,
    alarm_tells_somebody,
    alerts_before_failures,
    dead_mans_switch,
    every_node_watched,
)
from tests.policies import asked
from tests.policies.asked import blamed, said, said_of

ALARM = tokens.AWS_CLOUDWATCH_METRIC_ALARM
EXPRESSIONS = (
    "node_filesystem_avail_bytes < 1",
    "node_timex_offset_seconds > 1",
    "cometbft_p2p_peers < 1",
    "validator_missed_blocks > 1",
    "probe_icmp_duration_seconds > 1",
    "consensus_rounds > 1",
    "ssl_earliest_cert_expiry < 1",
)


def services(site: str) -> tuple[str, ...]:
    """The names of a monitor's services."""
    return tuple(f"monitor-{site}-{name}" for name in ("prometheus", "alertmanager", "blackbox"))


@pytest.mark.parametrize(("watches", "rests"), [("dub", "nbg"), ("nbg", "dub")])
def test_what_only_its_neighbour_watches_is_not_watched(watches: str, rests: str) -> None:
    """Where one of two monitors watches nobody, the hosts beside the other are watched from nowhere else."""
    half = asked.changed(asked.right(), *services(rests), files={"/prometheus.yml": "no targets"})
    beside = sorted(host.name for host in half.hosts() if host.site == watches)
    assert blamed(every_node_watched, half) == beside


def test_a_host_whose_address_nobody_knows_yet_is_no_finding() -> None:
    """It cannot be looked for in a monitor's targets."""
    unknown = asked.changed(asked.right(), "engine-par", networks=[{"address": UNKNOWN}])
    assert said(every_node_watched, unknown) == []


def test_monitors_that_nobody_knows_yet_watch_what_the_plan_says() -> None:
    """Without a monitor's texts nothing can be said of what it watches."""
    blind = asked.changed(asked.right(), *services("dub"), *services("nbg"), files=UNKNOWN)
    assert said(every_node_watched, blind) == []
    assert said(alerts_before_failures, blind) == []
    assert said(dead_mans_switch, blind) == []


@pytest.mark.parametrize(("text", "found"), [("10.1.2.3:9100", ["10.1.2.3"]), ("110.1.2.34 1.2.3.4.5", ["110.1.2.34"])])
def test_an_address_is_read_whole(text: str, found: list[str]) -> None:
    """A part of another address, or of a version, is none."""
    assert ADDRESS.findall(text) == found


def rules(*expressions: str) -> str:
    """Alert rules as Prometheus reads them."""
    return "".join(f"  - alert: A\n    expr: {expression}\n" for expression in expressions)


@pytest.mark.parametrize("missing", range(len(EXPRESSIONS)))
def test_each_early_warning_is_missed_alone(missing: int) -> None:
    """A monitor that warns of everything else does not warn of this."""
    left = [expression for number, expression in enumerate(EXPRESSIONS) if number != missing]
    changed = asked.changed(asked.right(), *services("dub"), files={"/rules.yml": rules(*left)})
    assert said(alerts_before_failures, changed) == [f"monitor-dub does not warn of {list(EARLY)[missing]}"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("expr: vector(0)", "no alert of monitor-dub always fires"),
        ("expr: vector(1)", "the alert of monitor-dub that always fires has no route"),
        ('expr: vector(1)\nmatchers: [alertname="Watchdog"]', ""),
    ],
)
def test_the_dead_mans_switch_needs_an_alert_and_a_route(text: str, says: str) -> None:
    """An alert that goes nowhere is heard by nobody."""
    changed = asked.changed(asked.right(), *services("dub"), files={"/rules.yml": text})
    assert said(dead_mans_switch, changed) == [says] * bool(says)


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({"alarmActions": ["a"]}, []),
        ({"alarmActions": UNKNOWN}, []),
        ({"alarmActions": ["a"], "actionsEnabled": True}, []),
        ({"alarmActions": ["a"], "actionsEnabled": UNKNOWN}, []),
        ({"alarmActions": ["a"], "actionsEnabled": False}, ["actionsEnabled is false"]),
        ({"alarmActions": []}, ["alarmActions is not declared"]),
        ({}, ["alarmActions is not declared"]),
    ],
)
def test_an_alarm_needs_an_action_that_is_on(declared: dict[str, Any], says: list[str]) -> None:
    """Actions are on where nothing else is declared; which they are need not be known yet."""
    assert said_of(alarm_tells_somebody, ALARM, declared) == says
