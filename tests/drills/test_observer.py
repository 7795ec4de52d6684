"""Asking the hosts of a lab: answers come to whoever asked, and silence is an answer too."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from drills import observer
from drills.observer import Answer, Observer
from tests.services.venues import europe

AGENT = """
import json, sys
questions = []
for line in sys.stdin:
    asked = json.loads(line)
    if "addresses" in asked:
        trips = {address: [2_000_000] * asked["count"] for address in asked["addresses"] if address[0] == "1"}
        answer = {"status": 200, "body": json.dumps(trips)} if trips else {"error": "no such network"}
        print(json.dumps({"id": asked["id"], **answer}), flush=True)
        continue
    if asked["url"].endswith("/last"):
        sys.exit()
    questions.append(asked)
    if asked["url"].endswith("/now"):
        for each in reversed(questions):
            print(json.dumps({"id": each["id"], **json.loads(each["host"])} if each["host"][0] == "{" else
                  {"id": each["id"], "status": 200, "body": each["host"] + " " + each["url"]}), flush=True)
        questions = []
"""
"""Answers everything in the opposite order once a question ends in `/now`, and dies at one that ends in `/last`."""


@pytest.fixture
def watching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Observer]:
    """An observer whose agent is a script of this test."""
    script = tmp_path / "agent.py"
    script.write_text(AGENT, encoding="utf-8")
    world = SimpleNamespace(entering=lambda: ["sh", "-c", f"exec {sys.executable} {script}", "sh"])
    monkeypatch.setattr("drills.observer.world.require", lambda lab: world)
    with Observer("lab", europe()) as made:
        yield made


def test_answers_come_in_the_order_of_the_questions(watching: Observer) -> None:
    """However the agent orders its answers, each goes to its question."""
    hosts = europe().of_role("engine")[:3]
    answers = watching.ask([*((host, f"/{host.name}") for host in hosts[:2]), (hosts[2], "/now")])
    assert [answer.body for answer in answers] == [
        f"{hosts[0].name} /{hosts[0].name}",
        f"{hosts[1].name} /{hosts[1].name}",
        f"{hosts[2].name} /now",
    ]
    assert all(answer.ok for answer in answers)


def test_an_agent_that_ends_answers_every_question(watching: Observer) -> None:
    """Nobody waits for an answer that cannot come."""
    hosts = europe().of_role("engine")[:2]
    answers = watching.ask([(hosts[0], "/first"), (hosts[1], "/last")])
    assert [(answer.ok, answer.error) for answer in answers] == [
        (False, "the observer inside the lab ended"),
        (False, "the observer inside the lab ended"),
    ]


def test_round_trips_are_told_by_host_and_address(watching: Observer) -> None:
    """In milliseconds; a host that is gone has none."""
    here, gone = europe().of_role("engine")[:2]
    found = watching.round_trips({here: ["10.0.0.1", "10.0.0.2"], gone: ["2.0.0.1"]}, 3)
    assert found == {(here.name, "10.0.0.1"): [2.0] * 3, (here.name, "10.0.0.2"): [2.0] * 3}


@pytest.mark.parametrize(
    ("answer", "ok"),
    [
        (Answer(status=200, body="{}"), True),
        (Answer(status=503, body="{}"), False),
        (Answer(status=None, body="", error="ClientConnectorError"), False),
    ],
)
def test_only_success_is_ok(answer: Answer, ok: bool) -> None:
    """A refusal and a silence are answers, and not good ones."""
    assert answer.ok is ok


@pytest.mark.parametrize(
    ("blocks", "found"),
    [
        ([{"height": 4, "app_hash": "ab"}, {"height": 5, "app_hash": "cd"}], "cd"),
        ([{"height": 4, "app_hash": "ab"}], None),
    ],
)
def test_a_hash_is_that_of_its_height(blocks: list[dict[str, object]], found: str | None) -> None:
    """Another height's hash is no answer."""
    assert observer._hash(Answer(status=200, body=json.dumps({"hashes": blocks})), 5) == found


def test_an_engine_that_does_not_answer_has_no_hash() -> None:
    """What is not known is not equal to anything."""
    assert observer._hash(Answer(status=None, body="", error="refused"), 5) is None
