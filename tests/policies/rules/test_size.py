"""How large is small."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies import tokens
from policies.declared import Resource
from policies.rules import size
from tests.policies import asked
from tests.policies.venues import CASES


@pytest.mark.parametrize(("most", "passes"), [(4, True), (3, False)])
def test_a_machine_may_be_as_large_as_the_ceiling(most: int, passes: bool) -> None:
    """A c7i.xlarge has four virtual processors: four are allowed where four are the most."""
    machine = asked.examples("machine-known-and-small", "passing")[0]
    declared = replace(machine, type=tokens.AWS_INSTANCE, inputs={**machine.inputs, "instanceType": "c7i.xlarge"})
    assert (not list(size.machine_known_and_small.check(declared, size.Size(vcpus_max=most)))) is passes


@pytest.mark.parametrize(("gib", "passes"), [(1000, True), (1001, False)])
def test_a_disk_may_be_as_large_as_the_ceiling(gib: int, passes: bool) -> None:
    """What is exactly the most is allowed."""
    disk = Resource(urn="d", name="d", type=tokens.AWS_EBS_VOLUME, inputs={"size": gib})
    assert (not list(size.disk_small.check(disk, size.Size()))) is passes


@pytest.mark.parametrize(("spare", "passes"), [(0, True), (-1, False)])
def test_a_stack_may_have_as_many_as_the_ceilings(spare: int, passes: bool) -> None:
    """As many hosts and resources as are the most are allowed; one more of either is not."""
    venue = asked.venue_of(len(CASES))
    hosts = sum(item.type == tokens.LAB_HOST for item in venue.resources.values())
    for settings in (size.Count(hosts_max=hosts + spare), size.Count(resources_max=len(venue.resources) + spare)):
        assert (not list(size.few_enough.check(venue, settings))) is passes
