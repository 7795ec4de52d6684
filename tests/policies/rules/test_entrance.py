"""How long a dead engine may get orders, and how many sites an entrance must reach."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies import tokens
from policies.declared import UNKNOWN
from policies.rules.entrance import balancer_checks_fast, health_checks_fast, reaches_two_sites
from tests.policies import asked
from tests.policies.asked import said, said_of

DETECTION_MS = 1400
"""What the plan's health check takes: two failures 500 ms apart, and the time-out of the last."""


@pytest.mark.parametrize(("most", "passes"), [(DETECTION_MS, True), (DETECTION_MS - 1, False)])
def test_an_entrance_may_take_as_long_as_the_bound(most: int, passes: bool) -> None:
    """What takes exactly the most is fast enough."""
    assert (not said(health_checks_fast, asked.right(), detection_ms_max=most)) is passes


def test_a_venue_that_recovers_sooner_must_notice_sooner() -> None:
    """Where the topology's bound of recovery is below the pack's, the topology's counts."""
    told = f"entry-par notices a dead engine after {DETECTION_MS} ms; 10 ms is the most"
    assert said(health_checks_fast, asked.right("careless")) == [told]


def test_without_a_topology_the_packs_own_bound_counts() -> None:
    """A venue whose topology cannot be read is not excused."""
    unread = replace(asked.right(), expected=asked.unread())
    assert said(health_checks_fast, unread) == []
    assert len(said(health_checks_fast, unread, detection_ms_max=DETECTION_MS - 1)) == 2


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"/haproxy.cfg": "backend engines"}, ["entry-par declares no health check"]),
        ({}, []),
        (UNKNOWN, []),
    ],
)
def test_an_entrance_that_checks_nothing_is_found(files: Any, says: list[str]) -> None:
    """A configuration without a check is a finding; one that is not known yet is judged by the plan."""
    assert said(health_checks_fast, asked.changed(asked.right(), "entry-par-haproxy", files=files)) == says


def test_what_is_only_partly_known_is_no_finding() -> None:
    """The check may stand in the part that is not known yet."""
    partly = asked.changed(asked.right(), "entry-par-haproxy", files={"/a": "backend", "/b": UNKNOWN})
    assert said(health_checks_fast, partly) == []


@pytest.mark.parametrize(("least", "passes"), [(4, True), (5, False)])
def test_an_entrance_may_reach_as_few_sites_as_the_bound(least: int, passes: bool) -> None:
    """Four sites are enough where four are the least."""
    assert (not said(reaches_two_sites, asked.right(), engine_sites_min=least)) is passes


@pytest.mark.parametrize(
    ("interval", "failures", "passes"), [(5, 2, True), (5, 3, False), (9, 1, True), (11, 1, False)]
)
def test_a_balancer_notices_after_its_interval_times_its_failures(interval: int, failures: int, passes: bool) -> None:
    """Three failures five seconds apart take fifteen."""
    check = {"interval": interval, "unhealthyThreshold": failures}
    assert (not said_of(balancer_checks_fast, tokens.AWS_LB_TARGET_GROUP, {"healthCheck": check})) is passes


@pytest.mark.parametrize(
    ("type_", "declared", "seconds"),
    [
        (tokens.AWS_LB_TARGET_GROUP, {}, 90),
        (tokens.GCP_HEALTH_CHECK, {"unhealthyThreshold": 3}, 15),
        (tokens.GCP_HEALTH_CHECK, {"checkIntervalSec": 6}, 12),
        (tokens.GCP_REGION_HEALTH_CHECK, {"unhealthyThreshold": 3}, 15),
        (tokens.GCP_REGION_HEALTH_CHECK, {"checkIntervalSec": 6}, 12),
        (tokens.HCLOUD_LOAD_BALANCER_SERVICE, {}, 45),
    ],
)
def test_what_is_not_declared_is_what_the_cloud_takes(type_: str, declared: dict[str, int], seconds: int) -> None:
    """A balancer without a figure checks as its cloud's documentation says."""
    assert said_of(balancer_checks_fast, type_, declared) == [f"it notices after {seconds} s; 10 s is the most"]


def test_googles_own_health_check_is_fast_enough() -> None:
    """Two failures five seconds apart are what Google takes where nothing is declared."""
    assert said_of(balancer_checks_fast, tokens.GCP_HEALTH_CHECK, {}) == []


@pytest.mark.parametrize("unknown", ["interval", "unhealthyThreshold"])
def test_a_health_check_that_is_half_known_is_not_known(unknown: str) -> None:
    """An interval without a count says nothing of the time, nor does a count without an interval."""
    check = {"interval": 5, "unhealthyThreshold": 2, unknown: UNKNOWN}
    told = said_of(balancer_checks_fast, tokens.AWS_LB_TARGET_GROUP, {"healthCheck": check})
    assert told == ["its health check is not known before the deployment"]
