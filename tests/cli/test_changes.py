"""What a change would do to the venue that runs, before it is made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from cli import changes
from diversite import stackfile
from diversite.judge import judge_change
from diversite.plan import Plan, plan
from offline import Resource, Step

STACKS = Path(__file__).parents[2] / "stacks"
URN = "urn:pulumi:lab::diversite::t::"


@pytest.fixture(scope="module")
def europe() -> Plan:
    """The flagship, planned."""
    return plan(stackfile.load(STACKS / "europe.yaml"))


def service(host: str, *changed: str, step: Step = Step.UPDATE) -> list[Resource]:
    """A host's component, and a service of its, as a preview tells them."""
    above = Resource(urn=f"{URN}{host}", type="diversite:node:Node", name=host, custom=False, step=Step.SAME)
    below = Resource(
        urn=f"{URN}{host}-it",
        type=changes.SERVICE,
        name=f"{host}-it",
        custom=True,
        step=step,
        parent=above.urn,
        changed=changed,
    )
    return [above, below]


@pytest.mark.parametrize(
    ("changed", "restarts"),
    [
        (('files["/etc/config.toml"]',), True),
        (("command[1]",), True),
        (("environment.GOGC",), True),
        (("tags.release",), False),
        (("ready.secondsMax",), False),
    ],
)
def test_a_service_restarts_for_what_its_process_sees(europe: Plan, changed: tuple[str, ...], restarts: bool) -> None:
    """A tag alone stops nothing; a file, a command or an environment does."""
    expected = {"validator-par"} if restarts else set()
    assert changes.restarted(service("validator-par", *changed), europe) == expected


def test_a_router_that_reads_anew_is_not_counted(europe: Plan) -> None:
    """The two ends of a link that changes may reload together."""
    ends = [*service("gateway-par", "files"), *service("gateway-nbg", "files")]
    assert changes.restarted(ends, europe) == set()


def test_what_is_made_new_stops_nothing(europe: Plan) -> None:
    """A service that is created was not there to be stopped."""
    assert changes.restarted(service("validator-par", step=Step.CREATE), europe) == set()


def test_an_exported_state_tells_what_was_deployed(europe: Plan) -> None:
    """The topology lies in the state, so a change of what really runs is judged, wherever the state is kept."""
    machine = {"machine": "c7i.2xlarge"}
    topology = europe.topology
    validators = {key: it.model_copy(update=machine) for key, it in topology.validators.items() if "c7" in it.machine}
    changed = plan(topology.model_copy(update={"validators": {**topology.validators, **validators}}))
    outputs = {changes.TOPOLOGY: stackfile.dumps(topology)}
    text = json.dumps({"deployment": {"resources": [{"type": "x"}, {"type": changes.VENUE, "outputs": outputs}]}})
    found = changes.of_state(text, changed)
    assert found is not None
    assert not found.met
    assert changes.of_state(json.dumps({"deployment": {"resources": []}}), changed) is None


def test_a_refusal_names_the_rollout(europe: Plan) -> None:
    """Who may not do it at once is told which hosts it would stop, and which command does it."""
    signers = [host.name for host in europe.of_role("validator")]
    console = Console(record=True, width=200)
    changes.tell(judge_change(europe, europe, restarts=signers), "lab", console)
    told = console.export_text()
    assert "it stops 7 of 7" in told
    assert "diversite rollout lab" in told
    assert all(name in told for name in signers)
