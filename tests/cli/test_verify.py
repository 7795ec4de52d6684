"""`diversite verify` as people and programs read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.accounts.answering import Api
from tests.accounts.hetzner import hetzner_api, listed
from tests.accounts.running import hetzner_server
from tests.cli.clouds import write_venue
from tests.cli.conftest import Run

hetzner = pytest.fixture(hetzner_api)


def test_what_runs_is_judged(run: Run, folder: Path, hetzner: Api) -> None:
    """Every host stands as planned, and still the judge is asked: of one site it cannot say that any host may fail."""
    plan = write_venue(folder)
    _run(hetzner, [hetzner_server(plan, host) for host in plan.hosts.values()])
    ran = run("verify", "small", "--format", "json")
    hosts = [row for row in ran.json["rows"] if row["subject"] == "host"]
    assert {row["standing"] for row in hosts} == {"good"}
    judged = [row for row in ran.json["rows"] if row["subject"] == "judge"]
    assert (ran.code, judged[0]["where"]) == (1, "survive[0]")
    assert judged[0]["says"].startswith("not met by what really runs: the venue continues when any one host is lost; ")


def test_a_venue_that_stands(run: Run, folder: Path, hetzner: Api) -> None:
    """With every host as planned and the objectives met the exit code is 0."""
    plan = write_venue(folder)
    _weaken(folder)
    _run(hetzner, [hetzner_server(plan, host) for host in plan.hosts.values()])
    ran = run("verify", "small")
    assert ran.out.splitlines()[-1] == "small: stands as planned, and meets its objectives; 1 to be seen by hand"
    assert ran.code == 0


def test_nothing_runs(run: Run, folder: Path, hetzner: Api) -> None:
    """Before a deployment every host is missing, and there is nothing to judge."""
    plan = write_venue(folder)
    ran = run("verify", "small")
    assert ran.code == 1
    missing = [line.split()[3] for line in ran.out.splitlines() if "not there" in line]
    assert missing == list(plan.hosts)
    assert "not asked: no validator runs" in ran.out


def test_an_account_that_does_not_answer(run: Run, folder: Path, hetzner: Api) -> None:
    """Without an answer nothing is judged, and the row says why."""
    write_venue(folder)
    hetzner.answers["/servers"] = (401, {"error": {"code": "unauthorized", "message": "unable to authenticate"}})
    ran = run("verify", "small", "--format", "json")
    assert ran.code == 1
    assert [row["subject"] for row in ran.json["rows"]] == ["credentials", "judge"]
    assert ran.json["rows"][1]["says"] == "not asked: an account did not answer"


def _weaken(folder: Path) -> None:
    """An objective that a single site meets at worst by halting."""
    path = folder / "small.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("any: host", "any: carrier\n  outcome: halts_safely"), encoding="utf-8")


def _run(hetzner: Api, servers: list[dict[str, Any]]) -> None:
    hetzner.answers["/servers"] = (200, listed("servers", servers))
