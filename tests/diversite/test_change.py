"""A change of a running venue: what one `up` would stop together, and what it must not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from diversite import stackfile
from diversite.judge import judge_change
from diversite.plan import Plan, plan
from diversite.topology import Images, Site, Topology
from tests.support.venues import PLACES, mesh, venue

STACKS = Path(__file__).parents[2] / "stacks"


@pytest.fixture(scope="module")
def flagship() -> Topology:
    """The flagship's stack file."""
    return stackfile.load(STACKS / "europe.yaml")


@pytest.fixture(scope="module")
def europe(flagship: Topology) -> Plan:
    """The flagship, planned."""
    return plan(flagship)


def edited(topology: Topology, section: str, key: str, **fields: object) -> Topology:
    """The same venue with some fields of one item changed."""
    items = getattr(topology, section)
    return topology.model_copy(update={section: {**items, key: items[key].model_copy(update=fields)}})


def test_no_change_stops_nothing(europe: Plan) -> None:
    """The same plan twice is a change that anyone may make."""
    found = judge_change(europe, europe)
    assert (found.stops, found.rollout, found.met) == ((), (), True)


def test_one_validator_may_be_replaced_and_its_signer_goes_first(flagship: Topology, europe: Plan) -> None:
    """A new machine for one validator stops it alone; the old signer is deleted before the new one is made."""
    found = judge_change(europe, plan(edited(flagship, "validators", "par", machine="c7i.2xlarge")))
    assert [stop.host for stop in found.stops] == ["validator-par"]
    assert found.delete_first == ("validator-par",)
    assert found.met


def test_a_third_of_the_power_may_not_be_replaced_at_once(flagship: Topology, europe: Plan) -> None:
    """Three of seven validators in one `up` would halt the venue."""
    changed = flagship
    for key in ("par", "dub", "lon"):
        changed = edited(changed, "validators", key, machine="c7i.2xlarge")
    found = judge_change(europe, plan(changed))
    assert not found.met
    assert found.blockers[0].startswith("it stops 3 of 7 (42.8 %) of the power at once")
    assert found.outcome.outcome == "halts_safely"


def test_engines_count_with_their_validators(flagship: Topology, europe: Plan) -> None:
    """Replacing one validator and two other engines stops three sevenths of the power."""
    changed = edited(flagship, "validators", "par", machine="c7i.2xlarge")
    for key in ("dub", "lon"):
        changed = edited(changed, "engines", key, machine="c7i.2xlarge")
    assert not judge_change(europe, plan(changed)).met


def test_a_repair_during_an_outage_is_not_blocked_by_it(flagship: Topology, europe: Plan) -> None:
    """With three validators down the venue stands still; replacing exactly those is allowed."""
    down = {"validator-par", "validator-dub", "validator-lon"}
    changed = flagship
    for key in ("par", "dub", "lon"):
        changed = edited(changed, "validators", key, machine="c7i.2xlarge")
    found = judge_change(europe, plan(changed), down=down)
    assert (found.stops, found.met) == ((), True)


def test_a_change_counts_on_top_of_what_is_down(flagship: Topology, europe: Plan) -> None:
    """With two validators down a third may not be replaced."""
    changed = plan(edited(flagship, "validators", "par", machine="c7i.2xlarge"))
    assert judge_change(europe, changed, down={"validator-sto"}).met
    assert not judge_change(europe, changed, down={"validator-sto", "validator-hel"}).met


def test_an_objective_that_a_change_breaks_blocks_it(flagship: Topology, europe: Plan) -> None:
    """Moving Dublin to London stops one site only, and afterwards London holds too much."""
    changed = plan(edited(flagship, "sites", "dub", at="aws/eu-west-2/euw2-az2"))
    found = judge_change(europe, changed)
    assert not found.met
    assert "survive[2]" in {finding.id for finding in found.broken}


def test_other_time_outs_wait_for_a_roll_out(flagship: Topology, europe: Plan) -> None:
    """A new site changes settings of validators that run: they are left to `rollout`, not restarted together."""
    changed = flagship.model_copy(
        update={
            "sites": {**flagship.sites, "new": Site(at="aws/us-east-1/use1-az1")},
            "links": {**flagship.links, **_links_to("new")},
        }
    )
    found = judge_change(europe, plan(changed))
    assert found.stops == ()
    assert set(found.rollout) <= {host.name for host in europe.of_role("validator")}


def _links_to(site: str) -> dict[str, object]:
    ends = ("par", "dub", site)
    return {f"to-{name}": link for name, link in mesh(ends).items() if site in link.ends}


def without(topology: Topology, section: str, *keys: str) -> Topology:
    """The same venue without some items."""
    left = {key: item for key, item in getattr(topology, section).items() if key not in keys}
    return topology.model_copy(update={section: left})


def disks(planned: Plan, host: str, gib: int) -> Plan:
    """The same plan with a host's data disk of this size."""
    return replace(planned, hosts={**planned.hosts, host: replace(planned.hosts[host], data_gib=gib)})


def test_an_engine_is_no_signer(flagship: Topology, europe: Plan) -> None:
    """A replaced engine holds no key: nothing of it must be deleted first."""
    found = judge_change(europe, plan(edited(flagship, "engines", "par", machine="c7i.2xlarge")))
    assert [(stop.host, stop.signer) for stop in found.stops] == [("engine-par", False)]
    assert found.delete_first == ()


def test_a_signer_that_only_goes_is_not_replaced(flagship: Topology, europe: Plan) -> None:
    """A validator that is removed has no successor that it must be deleted before, and no settings to roll out."""
    found = judge_change(europe, plan(without(without(flagship, "validators", "par"), "engines", "par")))
    assert {(stop.host, stop.reason) for stop in found.stops} == {
        ("validator-par", "it is removed"),
        ("engine-par", "it is removed"),
    }
    assert found.delete_first == ()
    assert "validator-par" not in found.rollout
    assert len(found.rollout) == 6


@pytest.mark.parametrize(
    ("before", "after", "stops"), [(20, 10, True), (20, 20, False), (10, 20, False), (0, 1, False)]
)
def test_a_disk_may_grow_and_not_shrink(europe: Plan, before: int, after: int, stops: bool) -> None:
    """A smaller disk is another disk, so its host is made anew; a larger one is the same, grown."""
    found = judge_change(disks(europe, "validator-par", before), disks(europe, "validator-par", after))
    assert bool(found.stops) is stops


@pytest.mark.parametrize(("joining", "may"), [(3, True), (4, False)])
def test_validators_that_join_are_less_than_a_third(joining: int, may: bool) -> None:
    """Who joins counts at once and signs later: three beside seven leave a quorum, four do not."""
    small, large = (plan(venue((1,) * count, places=PLACES * 2)) for count in (7, 7 + joining))
    blockers = judge_change(small, large).blockers
    assert [blocker for blocker in blockers if "nothing commits until the new ones sign" in blocker] == (
        [] if may else list(blockers)
    )
    assert bool(blockers) is not may


def test_what_is_down_already_is_told_only_where_something_is(flagship: Topology, europe: Plan) -> None:
    """The last straw is told with what lies beneath it."""
    changed = plan(edited(flagship, "validators", "par", machine="c7i.2xlarge"))
    beside = judge_change(europe, changed, down={"validator-sto", "validator-hel"}).blockers
    assert "beside what is down already" in beside[0]
    small = venue((1, 1, 1, 1))
    cut = {name: link for name, link in small.links.items() if "s0" in link.ends}  # a star: all meet at s0
    moved = small.model_copy(update={"links": cut, "sites": {**small.sites, "s0": Site(at=PLACES[8])}})
    alone = judge_change(plan(small.model_copy(update={"links": cut})), plan(moved)).blockers
    assert alone
    assert "beside" not in alone[0]


def test_another_release_of_one_validator_is_rolled_out_to_it(flagship: Topology, europe: Plan) -> None:
    """Nobody else's settings change, so nobody else is touched."""
    hosts = {**europe.hosts, "validator-par": replace(europe.hosts["validator-par"], release="other")}
    found = judge_change(europe, replace(europe, hosts=hosts))
    assert (found.stops, found.rollout) == ((), ("validator-par",))


def test_other_time_outs_alone_are_rolled_out_to_all(europe: Plan) -> None:
    """A time-out that differs is a setting of every validator, although none of them has another peer."""
    found = judge_change(europe, replace(europe, timing=replace(europe.timing, propose_ms=999)))
    assert set(found.rollout) == {host.name for host in europe.of_role("validator")}


def test_another_peer_alone_is_rolled_out_to_the_others(flagship: Topology, europe: Plan) -> None:
    """A validator more is a peer more for all who were there."""
    validators = {**flagship.validators, "two": flagship.validators["par"]}
    engines = {**flagship.engines, "two": flagship.engines["par"]}
    after = plan(flagship.model_copy(update={"validators": validators, "engines": engines}))
    found = judge_change(europe, replace(after, timing=europe.timing))
    assert set(found.rollout) == {host.name for host in europe.of_role("validator")}


def test_hosts_that_the_engine_would_restart_are_stopped_together(europe: Plan) -> None:
    """What no plan tells, the engine does: validators that it restarts in one run are a loss like any other."""
    signers = [host.name for host in europe.of_role("validator")]
    assert judge_change(europe, europe, restarts=signers[:2]).met
    found = judge_change(europe, europe, restarts=signers[:3])
    assert {stop.reason for stop in found.stops} == {"what it runs changes"}
    assert "it stops 3 of 7 (42.8 %) of the power at once" in found.blockers[0]


def test_another_build_of_the_same_release_is_rolled_out(flagship: Topology, europe: Plan) -> None:
    """A build that is replaced under its old name is new software all the same; an image too, where it is booted."""
    release = flagship.releases["engine-0-1-0"]
    assert release.arm64
    build = release.arm64.model_copy(update={"sha256": "1" * 64})
    releases = {**flagship.releases, "engine-0-1-0": release.model_copy(update={"arm64": build})}
    found = judge_change(europe, plan(flagship.model_copy(update={"releases": releases})))
    assert (found.stops, len(found.rollout)) == ((), 7)
    images = {**flagship.images, "aws/eu-west-3": Images(x86_64="ami-1")}
    assert judge_change(europe, plan(flagship.model_copy(update={"images": images}))).rollout == ("validator-par",)


@pytest.mark.parametrize(
    ("place", "rolled"), [("gcp", {"ldn", "sto"}), ("hetzner", {"nbg", "hel"}), ("aws/eu-west-3", {"par"})]
)
def test_another_image_is_rolled_out_where_it_boots(
    place: str, rolled: set[str], flagship: Topology, europe: Plan
) -> None:
    """Google's and Hetzner's images are for all of their places, AWS's for one region."""
    images = {**flagship.images, place: flagship.images[place].model_copy(update={"x86_64": "ami-0fedcba9876543210"})}
    found = judge_change(europe, plan(flagship.model_copy(update={"images": images})))
    assert (found.stops, set(found.rollout)) == ((), {f"validator-{key}" for key in rolled})


def test_what_is_made_anew_is_not_rolled_out_too(flagship: Topology, europe: Plan) -> None:
    """A validator that `up` replaces boots with its new settings at once."""
    after = plan(edited(flagship, "validators", "par", machine="c7i.2xlarge"))
    found = judge_change(europe, replace(after, timing=replace(europe.timing, propose_ms=999)))
    assert "validator-par" not in found.rollout
    assert len(found.rollout) == 6
