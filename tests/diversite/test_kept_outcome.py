"""What a venue says where its stores, queues or active-passive engines stop although its consensus goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from diversite import stackfile
from diversite.domains import parse
from diversite.outcome import predict
from diversite.plan import Plan, plan

STACKS = Path(__file__).parents[2] / "stacks"


@pytest.fixture(scope="module")
def passive() -> Plan:
    """The stack file with a store, a queue and an active-passive engine."""
    return plan(stackfile.load(STACKS / "passive.yaml"))


@pytest.mark.parametrize(
    ("lost", "told"), [("release:patroni-4-1-5", "store ledger"), ("release:nats-2-12-1", "queue orders")]
)
def test_what_stops_is_named(lost: str, told: str, passive: Plan) -> None:
    """Blocks go on, the venue does not, and the reason names what has stopped, not what goes on."""
    found = predict(passive, [parse(lost, passive)])
    assert (found.consensus, found.outcome) == ("continues", "halts_safely")
    assert f"takes no part, but {told} halts safely: " in found.reason
    assert found.rto_seconds is None
    assert next(action.partition(":")[0] for action in found.actions if action.startswith("repair")) == f"repair {told}"


def test_what_goes_on_is_not_told_as_a_stop(passive: Plan) -> None:
    """Where everything goes on, nothing is named as stopped."""
    found = predict(passive, [parse("control-plane:aws/eu-west-3", passive)])
    assert found.outcome == "continues"
    assert found.reason.endswith("is lost only at 1 of 3")
    assert [action for action in found.actions if action.startswith("repair")] == []
