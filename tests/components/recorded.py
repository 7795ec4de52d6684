"""Venues as the program declares them, recorded once and shared: what a preview knows, and what a run comes to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import offline
from components.venue import Venue, VenueArgs
from diversite import stackfile
from diversite.plan import Plan, plan
from offline import Recording
from tests.services.venues import GENESIS_TIME, facts_of

ROOT = Path(__file__).parents[2]
OWNER = "diversite/lab"
COMPONENT = "diversite:"


@cache
def flagship() -> Plan:
    """The reference venue."""
    return plan(stackfile.load(ROOT / "stacks" / "europe.yaml"))


@cache
def declared(substrate: str) -> Recording:
    """The flagship on a substrate at preview: what a provider computes is unknown."""
    return offline.record(program(flagship(), substrate), project="diversite", stack="lab")


@cache
def made(substrate: str) -> Recording:
    """The flagship on a substrate after a simulated run, in which every validator has keys."""
    return offline.record(program(flagship(), substrate), project="diversite", stack="lab", answer=answers(flagship()))


def program(planned: Plan, substrate: str) -> Callable[[], None]:
    """What `__main__.py` does once everything is decided."""

    def build() -> None:
        Venue(planned.venue, VenueArgs(plan=planned, substrate=substrate, owner=OWNER))

    return build


def answers(planned: Plan) -> Callable[[str, str, Mapping[str, Any]], Mapping[str, Any]]:
    """What a provider would compute: a resource's own name as its identity, and keys that nobody holds."""
    keys = {f"{host.name}-keys": facts_of(planned).validators[host.key] for host in planned.of_role("validator")}

    def answer(type_: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        known: dict[str, Any] = {"id": str(inputs.get("name", name))}
        if name in keys:
            known |= {
                "validatorPublicKey": keys[name].public_key,
                "validatorAddress": keys[name].address,
                "nodeId": keys[name].node_id,
                "createdAt": GENESIS_TIME,
            }
        return known

    return answer
