"""What a monitor notices during a fault is told with its moments, and what was there before is not."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pytest

from diversite import stackfile
from diversite.plan import Host, Plan, plan
from drills.observer import Answer, Observer
from drills.watch import Notice, Watch, first_alarmed, first_noticed


class Monitors:
    """Monitors that say what the test says."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = [alert("Watchdog", "firing"), alert("DiskFills", "firing")]

    def ask(self, questions: Iterable[tuple[Host, str]]) -> list[Answer]:
        """As the observer does."""
        return [Answer(status=200, body=json.dumps({"data": {"alerts": self.alerts}})) for _ in questions]


def alert(name: str, state: str, seconds_ago: float = 0.0) -> dict[str, Any]:
    """One as Prometheus tells it."""
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds_ago)
    labels = {"alertname": name, "node": "validator-par", "site": "par"}
    return {"labels": labels, "state": state, "activeAt": moment.isoformat().replace("+00:00", "Z")}


@pytest.fixture(scope="module")
def four() -> Plan:
    """The four-site venue."""
    return plan(stackfile.load(Path(__file__).parents[1] / "stacks" / "good" / "four.yaml"))


def watched(four: Plan, *new: dict[str, Any]) -> tuple[Notice, ...]:
    """What a watch tells when these come up."""
    monitors = Monitors()
    watch = Watch(cast(Observer, monitors), four.of_role("monitor"))
    watch.start()
    monitors.alerts.extend(new)
    return watch.stop()


def test_what_was_up_before_is_no_notice(four: Plan) -> None:
    """An alert that was there in the calm says nothing of the fault."""
    assert watched(four) == ()


def test_a_new_alert_is_noticed_when_its_condition_held(four: Plan) -> None:
    """The moment is the monitor's own, and one that is only pending alarms nobody."""
    now = time.monotonic()
    (found,) = watched(four, alert("ServiceDown", "pending", seconds_ago=3.0))
    assert (found.alert, found.where, found.alarmed) == ("ServiceDown", "validator-par", None)
    assert found.noticed == pytest.approx(now - 3.0, abs=0.5)


def test_what_fires_alarms(four: Plan) -> None:
    """An alert that fires calls somebody, later than it was noticed."""
    (found,) = watched(four, alert("SiteLost", "firing", seconds_ago=12.0))
    assert found.alarmed is not None
    assert found.alarmed - found.noticed == pytest.approx(12.0, abs=0.5)


def test_the_first_of_several_counts() -> None:
    """Detection is by whichever alert comes first; without one there is none."""
    early = Notice(alert="A", where="", noticed=104.0, alarmed=None)
    late = Notice(alert="B", where="", noticed=106.0, alarmed=118.0)
    assert first_noticed([late, early], 100.0) == 4.0
    assert first_alarmed([late, early], 100.0) == 18.0
    assert (first_noticed([], 100.0), first_alarmed([early], 100.0)) == (None, None)
