"""The order of a rollout, and what it must not do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from diversite import quorum, stackfile
from diversite.errors import DiversiteError
from diversite.outcome import predict
from diversite.plan import Plan, plan
from diversite.rollout import steps
from diversite.topology import Topology
from tests.support.venues import venue, venues

STACKS = Path(__file__).parents[2] / "stacks"


@pytest.fixture(scope="module")
def europe() -> Plan:
    """The flagship, planned."""
    return plan(stackfile.load(STACKS / "europe.yaml"))


@settings(max_examples=25, deadline=None)
@given(venues())
def test_every_site_is_taken_once(topology: Topology) -> None:
    """Whatever the venue, each of its sites is one step, and each host is in exactly one."""
    planned = plan(topology)
    found = steps(planned)
    assert sorted(step.site for step in found) == sorted(planned.sites)
    assert sorted(name for step in found for name in step.hosts) == sorted(planned.hosts)


@settings(max_examples=25, deadline=None)
@given(venues())
def test_no_step_that_may_be_taken_halts_the_venue(topology: Topology) -> None:
    """A step without a blocker stops less than a third of the power, and orders are acknowledged meanwhile."""
    planned = plan(topology)
    for step in steps(planned):
        if not step.blockers:
            assert not quorum.is_lost(step.power, step.total_power, planned.topology.consensus.fault_model)
            assert predict(planned, (), down=step.hosts).outcome == "continues"


def test_sites_without_an_entrance_go_first(europe: Plan) -> None:
    """What is wrong with a release is met where no client enters."""
    entrances = {host.site for host in europe.of_role("entry")}
    order = [step.site in entrances for step in steps(europe)]
    assert order == sorted(order)


def test_the_flagship_can_be_rolled_out(europe: Plan) -> None:
    """Each of its sites may be taken, one at a time."""
    assert [step.blockers for step in steps(europe)] == [()] * 7


def test_every_shipped_stack_can_be_rolled_out() -> None:
    """No stack that ships is stuck with the software that it was born with."""
    for name in ("global", "regional", "starter"):
        found = steps(plan(stackfile.load(STACKS / f"{name}.yaml")))
        assert [step.blockers for step in found if step.blockers] == []


def test_what_is_down_already_counts(europe: Plan) -> None:
    """With two validators away no third may be taken; taking one of the two again is what mends it."""
    found = {step.site: step.blockers for step in steps(europe, down=["validator-par", "validator-dub"])}
    assert found["par"] == found["dub"] == ()
    (says,) = found["nbg"]
    assert "3 of 7 (42.8 %) of the power would be out; bring that back first" in says


def test_a_halted_venue_is_not_halted_by_a_step(europe: Plan) -> None:
    """Where too few sign anyway, as at a halt height, every site may be taken: that is what mends it."""
    signers = [host.name for host in europe.of_role("validator")]
    assert [step.blockers for step in steps(europe, down=signers)] == [()] * 7


def test_a_site_with_a_third_of_the_power_is_never_taken() -> None:
    """A site whose step would halt the venue is told with its share."""
    (says,) = next(step.blockers for step in steps(plan(venue((2, 1, 1, 1)))) if step.site == "s0")
    assert "it holds 2 of 5 (40.0 %) of the power" in says


def test_only_the_named_sites_are_taken(europe: Plan) -> None:
    """A rollout may be limited to some sites."""
    assert [step.site for step in steps(europe, ["sto"])] == ["sto"]


def test_an_unknown_site_is_told_with_what_is_near(europe: Plan) -> None:
    """A typing error is told with all sites."""
    with pytest.raises(DiversiteError, match=r"no site 'stp'.*did you mean sto.*it has dub, hel"):
        steps(europe, ["stp"])
