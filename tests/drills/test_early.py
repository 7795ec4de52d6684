"""Who is called must be called before it fails, and every degradation fails where somebody could tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

from ruamel.yaml import YAML

from diversite.plan import Host, Plan
from drills import early, meter
from drills.degradations import DEGRADATIONS, ClockDrifts, DiskFills, LinkGrowsLonger, PeersDrop
from drills.early import Warned
from drills.load import Line
from drills.observer import Observer
from services import Paths, alerts, prometheus

LATE = Warned(word="disk-fills", where="validator-par", alert="DiskFillsSoon", fired_seconds=90.0, failed_seconds=60.0)


class Engines:
    """An observer of engines that could acknowledge, or could not."""

    def __init__(self, ready: bool) -> None:
        self._ready = ready

    def ready(self, hosts: list[Host]) -> dict[str, bool]:
        """As the observer does."""
        return {host.name: self._ready for host in hosts}


def line(settled: float, latency_ms: float) -> Line:
    """An acknowledged order."""
    return Line(
        number=0,
        key="k",
        client="ann",
        fate="acknowledged",
        entrance="http://a",
        attempts=1,
        intended_seconds=settled - latency_ms / 1000,
        settled_seconds=settled,
    )


def test_an_alert_in_time_leads() -> None:
    """The lead is from the alert to the failure; an alert without a failure is in time, none is not."""
    assert not LATE.in_time
    early = replace(LATE, fired_seconds=20.0)
    assert (early.lead_seconds, early.in_time) == (40.0, True)
    assert replace(LATE, failed_seconds=None).in_time
    assert not replace(LATE, fired_seconds=None).in_time


def test_every_degradation_names_an_alert_that_is_there(four: Plan) -> None:
    """What must fire is among the alerts that a monitor evaluates."""
    known = {alert.name for alert in alerts.alerts(four, four.of_role("monitor")[0])}
    assert {kind.alert for kind in DEGRADATIONS} <= known


def test_a_disk_and_a_clock_have_failed_when_the_engine_is_out(four: Plan) -> None:
    """An engine that could not acknowledge is what clients would notice."""
    for kind in (DiskFills, ClockDrifts):
        for ready in (True, False):
            degradation = kind("lab", four, cast(Observer, Engines(ready)))
            assert degradation.has_failed([], 0.0) is not ready


def test_peers_have_failed_when_nothing_is_acknowledged(four: Plan) -> None:
    """A venue without acknowledgements for some seconds has halted, if so many are gone that it must."""
    degradation = PeersDrop("lab", four, cast(Observer, None))
    degradation._gone = degradation._turns[:1]
    assert not degradation.has_failed([line(10.0, 100)], 14.0)
    degradation._gone = degradation._turns[:2]
    assert not degradation.has_failed([line(10.0, 100)], 12.0)
    assert degradation.has_failed([line(10.0, 100)], 14.0)


def test_a_link_has_failed_when_orders_take_several_times_as_long(four: Plan) -> None:
    """The calm is what came first; the last seconds are held against it."""
    degradation = LinkGrowsLonger("lab", four, cast(Observer, None))
    degradation._calm = None
    calm = [line(second, 100) for second in range(10)]
    assert not degradation.has_failed(calm, 10.0)
    assert not degradation.has_failed([*calm, line(20.0, 190)], 20.0)
    assert degradation.has_failed([*calm, line(30.0, 250)], 30.0)


def test_the_meter_tells_each_disk_under_the_exporters_name(tmp_path: Path) -> None:
    """Each host's disk is a line with its node; a host without one has none."""
    (tmp_path / "validator-par" / "data").mkdir(parents=True)
    told = meter.told(["validator-par", "gateway-par"], tmp_path).splitlines()
    assert len(told) == 2
    assert told[1].startswith('node_filesystem_avail_bytes{node="validator-par",')
    assert float(told[1].split()[-1]) > 0


def test_a_monitor_scrapes_one_more_and_all_that_it_did(four: Plan) -> None:
    """The meter is added to a monitor's own configuration, and nothing else of it changes."""
    before = prometheus.config(four, four.of_role("monitor")[0], Paths(etc="/etc/prometheus", data="/data"))
    document = YAML(typ="safe").load(early.scraping(before, "10.0.0.1:9100"))
    assert document["scrape_configs"].pop()["static_configs"] == [{"targets": ["10.0.0.1:9100"]}]
    assert document == YAML(typ="safe").load(before)
