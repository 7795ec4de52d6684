"""Every rule about one resource, over the analyzer protocol, on resources of the clouds' own constructors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import offline
from policies.rule import ResourceRule
from policies.rules import RULES
from tests.policies.pack import STACKS, Finding, Pack
from tests.policies.resources import EXAMPLES, declare_all

NAMES = [rule.name for rule in RULES if isinstance(rule, ResourceRule)]


@pytest.fixture(scope="module")
def recorded() -> offline.Recording:
    """All examples, as a program declared them."""
    return offline.record(declare_all)


@pytest.fixture(scope="module")
def pack() -> Iterator[Pack]:
    """The pack in its own process."""
    running = Pack(STACKS / "small")
    yield running
    running.close()


@pytest.fixture(scope="module")
def findings(pack: Pack, recorded: offline.Recording) -> list[Finding]:
    """What it says of each by itself; a stack in between begins a new run, so that nothing is only counted."""
    found = []
    for resource in recorded:
        found += pack.judge_one(resource)
        pack.judge_stack([])
    return found


def examples(recorded: offline.Recording, rule: str, kind: str) -> list[offline.Resource]:
    """The resources of an example."""
    group = recorded.named(f"{rule}-{kind}", "test:index:Group")
    return [resource for resource in recorded.children(group) if resource.custom]


def test_every_rule_has_examples() -> None:
    """Each rule about one resource has passing and failing ones, and no example is of another rule."""
    assert set(EXAMPLES) == set(NAMES)


@pytest.mark.parametrize("rule", NAMES)
def test_a_failing_resource_is_found(rule: str, recorded: offline.Recording, findings: list[Finding]) -> None:
    """Every failing example is a mandatory finding of its rule."""
    blamed = {finding.urn for finding in findings if finding.policy == rule and finding.mandatory}
    failing = examples(recorded, rule, "failing")
    assert failing
    assert [resource.name for resource in failing if resource.urn not in blamed] == []


@pytest.mark.parametrize("rule", NAMES)
def test_a_passing_resource_is_not(rule: str, recorded: offline.Recording, findings: list[Finding]) -> None:
    """No passing example is a finding of its rule."""
    blamed = {finding.urn: finding.message for finding in findings if finding.policy == rule}
    passing = examples(recorded, rule, "passing")
    assert passing
    assert {resource.name: blamed[resource.urn] for resource in passing if resource.urn in blamed} == {}


@pytest.mark.parametrize("rule", [rule for rule in RULES if isinstance(rule, ResourceRule)], ids=lambda rule: rule.name)
def test_no_type_of_a_rule_is_dead(rule: ResourceRule, recorded: offline.Recording) -> None:  # type: ignore[type-arg]
    """Each type that a rule names fails it in an example: a token typed wrongly would never fire."""
    assert rule.types - {resource.type for resource in examples(recorded, rule.name, "failing")} == set()
