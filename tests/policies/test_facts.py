"""The round trip: what is declared gives the same facts as the topology, in the lab and in the clouds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

import offline
from components.venue import Venue as VenueComponent
from components.venue import VenueArgs
from diversite import stackfile
from diversite.judge import judge
from diversite.plan import Plan, plan
from policies import facts
from policies.declared import UNKNOWN, Resource
from policies.expected import Expected
from policies.venue import Venue
from tests.policies.clouds import Clouds
from tests.policies.pack import CHECKOUT
from tests.policies.pack import STACKS as OWN_STACKS

STACKS = sorted(path for path in (CHECKOUT / "stacks").glob("*.yaml") if not path.name.startswith("Pulumi."))
FILES = [*STACKS, OWN_STACKS / "small.yaml"]


def resources_of(recording: offline.Recording) -> dict[str, Resource]:
    """A recording as the pack would see it."""
    return {
        item.urn: Resource(
            urn=item.urn,
            type=item.type,
            name=item.name,
            inputs=cast("Mapping[str, Any]", _plain(item.inputs)),
            uses=item.property_dependencies,
        )
        for item in recording
    }


def _plain(value: object) -> object:
    if value is offline.UNKNOWN:
        return UNKNOWN
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def lab(planned: Plan) -> dict[str, Resource]:
    """What the lab's components declare of a plan."""
    args = VenueArgs(plan=planned, substrate="lab", owner="p/s")
    return resources_of(offline.record(lambda: _ignore(VenueComponent(planned.venue, args))))


def clouds(planned: Plan) -> dict[str, Resource]:
    """What the clouds' constructors declare of it."""
    return resources_of(offline.record(lambda: _ignore(Clouds(planned))))


def _ignore(_: object) -> None: ...


@pytest.fixture(scope="module", params=FILES, ids=lambda path: path.stem)
def planned(request: pytest.FixtureRequest) -> Plan:
    """The plan of a stack file."""
    path: Path = request.param
    return plan(stackfile.load(path))


@pytest.mark.parametrize("declare", [lab, clouds])
def test_declared_facts_are_the_topologys(planned: Plan, declare: type) -> None:
    """Facts from what is declared equal facts from the file: hosts, places, machines, powers, links, carriers."""
    assert facts.of_resources(declare(planned)) == facts.of_plan(planned)


@pytest.mark.parametrize("declare", [lab, clouds])
def test_the_verdict_on_what_is_declared_is_that_on_the_file(planned: Plan, declare: type) -> None:
    """The judge says of the declared venue, word for word, what it says of the stack file."""
    venue = Venue(resources=declare(planned), expected=Expected(name="x", plan=planned))
    assert venue.verdict == judge(planned, remedies=False)


def test_an_unknown_subnet_is_an_unknown_place() -> None:
    """An AWS zone by name is no place: it means another building in each account."""
    subnet = Resource(urn="s", type="aws:ec2/subnet:Subnet", name="s", inputs={"availabilityZone": "eu-west-3a"})
    instance = Resource(
        urn="i",
        type="aws:ec2/instance:Instance",
        name="i",
        inputs={"tags": {"node": "engine-x", "role": "engine", "site": "x"}, "subnetId": UNKNOWN},
        uses={"subnetId": ("s",)},
    )
    assert facts.of_resources({"s": subnet, "i": instance}).hosts["engine-x"].place is None


@pytest.mark.parametrize("value", ["votingPower", "voting-power", "voting_power", "VotingPower"])
def test_tags_are_found_however_a_cloud_spells_them(value: str) -> None:
    """Google knows no capitals in labels, so names are compared without them."""
    resource = Resource(urn="u", type="gcp:compute/instance:Instance", name="n", inputs={"labels": {value: "3"}})
    assert facts.tags(resource) == {"votingpower": "3"}
