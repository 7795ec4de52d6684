"""Every rule as a function: the examples and cases that the pack is tried on, and what lies at the edge of each rule.

The pack in its own process is tried elsewhere; here a rule costs a microsecond, so that its mutants can be tried.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from diversite import ports
from diversite.topology import SITES_MAX
from policies import reference, tokens
from policies.declared import UNKNOWN, Resource
from policies.enforcing import ADVICE
from policies.rule import Blocker, ResourceRule, StackRule
from policies.rules import RULES, entrance, keys, security, size, tagging
from policies.venue import Venue
from tests.policies import asked
from tests.policies.asked import ALL
from tests.policies.pack import CHECKOUT
from tests.policies.venues import CASES, Case

SINGLE = [rule for rule in RULES if isinstance(rule, ResourceRule)]
STACK = {rule.name: rule for rule in RULES if isinstance(rule, StackRule)}


def causes(rule: ResourceRule[Any], kind: str) -> dict[str, list[str]]:
    """What a rule says of each of its examples."""
    asked_of = (item for item in asked.examples(rule.name, kind) if rule.applies(item) or kind == "failing")
    return {item.name: list(rule.check(item, rule.settings())) for item in asked_of}


def blockers(rule: StackRule[Any], number: int) -> list[Blocker]:
    """What a rule says of a case, with the settings of that case."""
    given = ALL[number].settings.get(rule.subject if rule.mandatory else ADVICE, {})
    known = rule.settings.model_json_schema(by_alias=True).get("properties", {})
    settings = rule.settings.model_validate({key: value for key, value in given.items() if key in known})
    return list(rule.check(asked.venue_of(number), settings))


@pytest.mark.parametrize("rule", SINGLE, ids=lambda rule: rule.name)
def test_a_failing_resource_fails(rule: ResourceRule[Any]) -> None:
    """Each failing example breaks its rule, and says how."""
    assert [name for name, said in causes(rule, "failing").items() if not said] == []


@pytest.mark.parametrize("rule", SINGLE, ids=lambda rule: rule.name)
def test_a_passing_resource_passes(rule: ResourceRule[Any]) -> None:
    """No passing example breaks its rule."""
    assert {name: said for name, said in causes(rule, "passing").items() if said} == {}


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda it: f"{CASES[it].rule}: {CASES[it].says}")
def test_a_wrong_stack_breaks_its_rule(number: int) -> None:
    """Each case is said by its rule."""
    case: Case = CASES[number]
    said = [blocker.cause for blocker in blockers(STACK[case.rule], number)]
    assert any(case.says in cause for cause in said), said


@pytest.mark.parametrize("rule", STACK.values(), ids=lambda rule: rule.name)
def test_a_right_stack_breaks_no_rule(rule: StackRule[Any]) -> None:
    """No mandatory rule objects to a venue that is declared as planned."""
    right = range(len(CASES), len(ALL))
    assert [blockers(rule, number) for number in right if rule.mandatory] == [[]] * (len(right) * rule.mandatory)


def test_every_bound_is_the_one_that_the_page_tells() -> None:
    """docs/policies.md is what the rules say of themselves: a default that changes must change there, too."""
    assert reference.page() == (CHECKOUT / "docs/policies.md").read_text(encoding="utf-8")


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


@pytest.mark.parametrize(
    ("type_", "path"), [(tokens.AWS_INSTANCE, "tags"), (tokens.LAB_HOST, "tags"), (tokens.GCP_INSTANCE, "labels")]
)
def test_tags_that_nobody_knows_yet_are_told_by_their_name(type_: str, path: str) -> None:
    """AWS and the lab call them tags, the others labels."""
    declared = Resource(urn="r", name="r", type=type_, inputs={path: UNKNOWN})
    said = list(tagging.tagged.check(declared, tagging.tagged.settings()))
    assert said == [f"{path} are not known before the deployment; they must be declared"]


@pytest.mark.parametrize(("blocks", "passes"), [(10, True), (9, False)])
def test_a_signer_looks_back_as_far_as_the_bound(blocks: int, passes: bool) -> None:
    """Ten blocks are enough where ten are the least."""
    venue = asked.venue_of(len(CASES))
    config = f"[consensus]\ndouble_sign_check_height = {blocks}\n"
    services = {
        urn: replace(item, inputs={**item.inputs, "files": {"/config.toml": config}})
        for urn, item in venue.resources.items()
        if item.type == tokens.LAB_SERVICE
    }
    changed = Venue(resources={**venue.resources, **services}, expected=venue.expected)
    assert (not list(keys.double_sign_check.check(changed, keys.Keys()))) is passes


@pytest.mark.parametrize("path", ["ebsBlockDevices", "rootBlockDevice"])
@pytest.mark.parametrize(("disk", "passes"), [({"volumeSize": 20}, True), ({"snapshotId": "snap-1"}, False)])
def test_no_disk_of_a_signers_instance_is_a_snapshot(path: str, disk: dict[str, Any], passes: bool) -> None:
    """An old sign state may lie on any disk of an instance."""
    inputs = {"tags": {"role": "validator"}, path: [disk]}
    signer = Resource(urn="r", name="r", type=tokens.AWS_INSTANCE, inputs=inputs)
    rule = keys.no_signer_disk_from_snapshot
    assert (not list(rule.check(signer, rule.settings()))) is passes


@pytest.mark.parametrize(
    ("beyond", "passes"), [(0, True), (2 * SITES_MAX - 1, True), (2 * SITES_MAX, False), (-1, False)]
)
def test_tunnels_have_as_many_ports_as_a_gateway_has_links(beyond: int, passes: bool) -> None:
    """The ports that a gateway's tunnels listen on are listed, and none before or after them."""
    port = ports.WIREGUARD + beyond
    inputs = {"type": "ingress", "protocol": "udp", "fromPort": port, "toPort": port, "cidrBlocks": ["10.128.0.0/9"]}
    declared = Resource(urn="r", name="r", type=tokens.AWS_SECURITY_GROUP_RULE, inputs=inputs)
    rule = security.only_listed_ports_open
    assert (not list(rule.check(declared, rule.settings()))) is passes


@pytest.mark.parametrize(
    ("interval", "failures", "passes"), [(5, 2, True), (5, 3, False), (9, 1, True), (11, 1, False)]
)
def test_a_balancer_notices_after_its_interval_times_its_failures(interval: int, failures: int, passes: bool) -> None:
    """Three failures five seconds apart take fifteen."""
    check = {"interval": interval, "unhealthyThreshold": failures}
    declared = Resource(urn="r", name="r", type=tokens.AWS_LB_TARGET_GROUP, inputs={"healthCheck": check})
    rule = entrance.balancer_checks_fast
    assert (not list(rule.check(declared, rule.settings()))) is passes
