"""`diversite rollout` takes a change site by site, tells each step, and stops with what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cli import rollout
from cli.stacks import STACKS
from diversite import stackfile
from diversite.plan import Plan, plan
from diversite.rollout import steps
from rollout import engine, monitors
from tests.cli.conftest import TEST_STACKS, Run
from tests.rollout.chain import Chain
from tests.rollout.test_course import Recorder, chain_of

SETTINGS = "config:\n  diversite:topology: europe\n  diversite:substrate: cloud\n"


class Venue:
    """A stack of the clouds whose hands and monitors are of this test."""

    def __init__(self, planned: Plan) -> None:
        self.plan = planned
        self.chain: Chain = chain_of(planned)
        self.hands = Recorder(planned, self.chain)
        self.made_with: list[Sequence[Any]] = []

    def engine(self, *arguments: Any) -> Recorder:
        """Stands for the Pulumi CLI."""
        self.made_with.append(arguments)
        return self.hands


@pytest.fixture
def venue(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Venue:
    """The flagship, in a folder of its own."""
    (folder / "europe.yaml").write_text((STACKS / "europe.yaml").read_text())
    (folder / "Pulumi.europe.yaml").write_text(SETTINGS)
    made = Venue(plan(stackfile.load(folder / "europe.yaml")))
    clock = made.chain.clock
    monkeypatch.setattr(engine, "Engine", made.engine)
    monkeypatch.setattr(monitors, "Monitors", partial(monitors.Monitors, now=clock.now, pause=clock.pause))
    monkeypatch.setattr(rollout, "_fetch", made.chain.fetch)
    monkeypatch.setattr(Recorder, "output", _output, raising=False)
    return made


def test_every_site_is_taken_and_told(run: Run, venue: Venue) -> None:
    """In the order of the steps, each until it signs again; the same command then finds nothing to do."""
    order = [step.site for step in steps(venue.plan)]
    ran = run("rollout", "europe")
    assert (ran.code, venue.hands.taken) == (0, order), ran.err
    assert [line.split(":")[0] for line in ran.out.splitlines() if "of the power; takes" in line] == order
    assert f"europe: {', '.join(order)} taken" in ran.out
    assert "europe: nothing differs" in run("rollout", "europe").out


def test_one_site_alone(run: Run, venue: Venue) -> None:
    """The rest stays for a later day; a site that the venue has not is told with those that it has."""
    assert run("rollout", "europe", "--site", "hel").code == 0
    assert venue.hands.taken == ["hel"]
    assert "no site 'helsinki'" in run("rollout", "europe", "--site", "helsinki").err


def test_it_stops_at_the_first_trouble(run: Run, venue: Venue) -> None:
    """Where, why, what was taken and what was not, and how to go on: then the same command does."""
    first, second, *_ = (step.site for step in steps(venue.plan))
    venue.hands.fails = {second}
    ran = run("rollout", "europe")
    assert (ran.code, venue.hands.taken) == (2, [first])
    assert f"stopped at {second}: `pulumi up` ended 255: no capacity" in ran.err
    assert "the same command goes on" in ran.err
    venue.hands.fails = set()
    assert run("rollout", "europe").code == 0
    assert set(venue.hands.taken) == set(venue.plan.sites)


def test_the_order_is_told_without_a_question(run: Run, venue: Venue, folder: Path) -> None:
    """`--dry-run` asks neither engine nor monitors; it ends 1 where a site must not be taken."""
    assert run("rollout", "europe", "--dry-run").code == 0
    assert venue.made_with == []
    heavy = (TEST_STACKS / "good" / "four.yaml").read_text()
    edited = heavy.replace(
        "par: {site: par, machine: c7i.xlarge}", "par: {site: par, machine: c7i.xlarge, power: 3}", 1
    )
    (folder / "heavy.yaml").write_text(edited)
    ran = run("rollout", "heavy", "--dry-run")
    assert (ran.code, "must not be taken" in ran.out) == (1, True), ran.out + ran.err


def test_a_halt_is_taken_to_every_site_and_the_next_step_told(run: Run, venue: Venue) -> None:
    """The height goes to the engine as a setting; a venue that is halted already has none to reach."""
    ran = run("rollout", "europe", "--at-height", "100000")
    assert ran.code == 0, ran.err
    assert {"diversite:haltHeight": "100000"} in venue.made_with[0]
    assert "diversite rollout europe --halted" in ran.out
    assert run("rollout", "europe", "--at-height", "9", "--halted").code == 2


def test_a_lab_that_does_not_run_is_told(run: Run, venue: Venue) -> None:
    """With the command that starts it."""
    ran = run("rollout", "lab")
    assert (ran.code, "`diversite lab up europe` starts it" in ran.err) == (2, True), ran.err


def test_without_an_answer_of_a_monitor_nothing_is_taken(run: Run, venue: Venue) -> None:
    """Nobody could see who signs."""
    venue.chain.away = {"m"}
    ran = run("rollout", "europe", "--prometheus", "http://m")
    assert (ran.code, venue.hands.taken) == (2, [])
    assert "no monitor answers" in ran.err


def _output(_hands: Recorder, _name: str) -> Mapping[str, str]:
    return {"dub": "http://m"}
