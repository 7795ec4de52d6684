"""An unknown value never turns a mandatory rule into advice, and never stops the pack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

import offline
from tests.policies.pack import STACKS, Pack
from tests.policies.resources import declare_all
from tests.policies.venues import PASSING, declared

LAB_TYPES = ("lab:index:Host", "lab:index:Wire", "lab:index:Service", "lab:index:Keys")


@pytest.fixture(scope="module")
def pack() -> Iterator[Pack]:
    """The pack in its own process."""
    running = Pack(STACKS / "small")
    yield running
    running.close()


def unknown(resource: offline.Resource, *keys: str) -> offline.Resource:
    """The resource with some of its inputs unknown."""
    return replace(resource, inputs={**resource.inputs, **dict.fromkeys(keys, offline.UNKNOWN)})


def test_no_rule_about_one_resource_gives_up(pack: Pack) -> None:
    """Whichever input of whichever example is unknown, each rule still judges, and stays mandatory."""
    for resource in offline.record(declare_all):
        for key in resource.inputs:
            findings = pack.judge_one(unknown(resource, key))
            assert [it.message for it in findings if not it.mandatory or "can't run policy" in it.message] == []
        pack.judge_stack([])


@pytest.mark.parametrize("type_", LAB_TYPES)
def test_no_rule_over_the_stack_gives_up(pack: Pack, type_: str) -> None:
    """Whichever input of all resources of a type is unknown, each rule over the stack still judges."""
    resources = declared(PASSING[0])
    for key in next(item for item in resources if item.type == type_).inputs:
        findings = pack.judge([unknown(item, key) if item.type == type_ else item for item in resources])
        assert [it.message for it in findings if "can't run policy" in it.message] == []


@pytest.mark.parametrize(("key", "rule"), [("tags", "tagged"), ("firewall", "only-listed-ports-open")])
def test_what_must_be_declared_may_not_be_unknown(pack: Pack, key: str, rule: str) -> None:
    """A host whose tags or firewall nobody knows yet is a finding: it could be anything."""
    host = next(item for item in declared(PASSING[0]) if item.name == "validator-par" and item.custom)
    assert rule in {finding.policy for finding in pack.judge_one(unknown(host, key)) if finding.mandatory}
