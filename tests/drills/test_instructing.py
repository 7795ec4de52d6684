"""A lab is instructed and looked at from inside its own network."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from diversite import ports, stackfile
from diversite.errors import LabError
from diversite.plan import plan
from drills import asking
from drills.instructing import Lab
from rollout.monitors import Monitors

VENUE = plan(stackfile.loads(Path("stacks/europe.yaml").read_text()))
MONITOR = VENUE.of_role("monitor")[0]
URL = f"http://{MONITOR.address}:{ports.PROMETHEUS}"


def test_a_labs_monitor_is_asked_on_its_own_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address means nothing outside; the question arrives there as it was put."""
    asked = []

    def run(lab: str, host: str, command: list[str], **_: Any) -> CompletedProcess[str]:
        asked.append((lab, host, command[-2]))
        return CompletedProcess(command, 0, '{"data": {"result": []}}', "")

    monkeypatch.setattr("drills.asking.control.run", run)
    Monitors([], [URL], Lab("lab-europe", VENUE).fetch).height()
    assert [(lab, host) for lab, host, _ in asked] == [("lab-europe", MONITOR.name)] * len(asked)
    assert all(url.startswith(f"{URL}/api/v1/query?query=") for _, _, url in asked)


def test_a_monitor_that_is_down_is_one_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one may answer instead, so it is no error of the lab."""
    monkeypatch.setattr(asking, "read", _down)
    with pytest.raises(OSError, match="did not answer"):
        Lab("lab-europe", VENUE).fetch(f"{URL}/api/v1/query?query=up")


def _down(*_: Any) -> str:
    raise LabError("monitor did not answer")
