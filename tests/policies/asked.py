"""The examples and the cases as rules are asked about them, made once: no process, no wire.

Imports no rule, so that a mutated rule is asked about the same resources (scripts/mutate).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, cast

import offline
from diversite.plan import Plan
from policies.declared import UNKNOWN, Resource
from policies.expected import Expected, of_topology
from policies.rule import Blocker, ResourceRule, StackRule
from policies.venue import Venue
from tests.policies.pack import STACKS
from tests.policies.resources import declare_all
from tests.policies.venues import CASES, PASSING, Case, declared

ALL = (*CASES, *PASSING)


@cache
def examples(rule: str, kind: str) -> tuple[Resource, ...]:
    """The passing or failing resources of a rule about one resource."""
    recorded = _recorded()
    group = recorded.named(f"{rule}-{kind}", "test:index:Group")
    return tuple(resource(item) for item in recorded.children(group) if item.custom)


@cache
def venue_of(number: int) -> Venue:
    """The stack of one of `ALL`."""
    return _venue(ALL[number])


@cache
def right(topology: str = "small") -> Venue:
    """The stack of a stack file as the components declare it, with every value known."""
    return _venue(Case(rule="", says="", topology=topology, made=True))


def changed(venue: Venue, *names: str, **inputs: Any) -> Venue:
    """The same stack, with other inputs of the resources that have one of these names."""
    resources = {
        urn: replace(item, inputs={**item.inputs, **inputs}) if item.name in names else item
        for urn, item in venue.resources.items()
    }
    return Venue(resources=resources, expected=venue.expected)


def tagged(venue: Venue, *names: str, **tags: str) -> Venue:
    """The same stack, with other tags of the resources that have one of these names."""
    for item in venue.resources.values():
        if item.name in names and item.inputs:
            venue = changed(venue, item.name, tags={**item.inputs["tags"], **tags})
    return venue


def without(venue: Venue, *names: str) -> Venue:
    """The same stack without the resources that have one of these names."""
    left = {urn: item for urn, item in venue.resources.items() if item.name not in names}
    return Venue(resources=left, expected=venue.expected)


def plan_of(venue: Venue) -> Plan:
    """The plan that a stack makes, which it must."""
    assert venue.plan is not None
    return venue.plan


def unread() -> Expected:
    """A topology that gives no plan."""
    return Expected(name="unread", plan=None, problem="it cannot be read")


def blockers(rule: StackRule[Any], venue: Venue, **settings: Any) -> list[Blocker]:
    """What a rule says of a stack."""
    return list(rule.check(venue, rule.settings(**settings)))


def said(rule: StackRule[Any], venue: Venue, **settings: Any) -> list[str]:
    """The causes that a rule tells of a stack."""
    return [blocker.cause for blocker in blockers(rule, venue, **settings)]


def blamed(rule: StackRule[Any], venue: Venue, **settings: Any) -> list[str]:
    """The names of the resources that a rule blames, sorted."""
    urns = [urn for blocker in blockers(rule, venue, **settings) for urn in blocker.urns]
    return sorted(venue.resources[urn].name for urn in urns)


def said_of(rule: ResourceRule[Any], type_: str, inputs: Mapping[str, Any], **settings: Any) -> list[str]:
    """What a rule says of one resource."""
    declared_ = Resource(urn="r", name="r", type=type_, inputs=inputs)
    return list(rule.check(declared_, rule.settings(**settings)))


def resource(item: offline.Resource) -> Resource:
    """A recorded resource as the pack reads it."""
    return Resource(
        urn=item.urn,
        type=item.type,
        name=item.name,
        inputs=cast("Mapping[str, Any]", _plain(item.inputs)),
        parent=item.parent,
        protect=item.protect,
        ignore_changes=item.ignore_changes,
        delete_before_replace=bool(item.delete_before_replace),
        uses=item.property_dependencies,
    )


def _venue(case: Case) -> Venue:
    resources = {item.urn: resource(item) for item in declared(case)}
    return Venue(resources=resources, expected=of_topology(str(STACKS / case.topology)))


@cache
def _recorded() -> offline.Recording:
    return offline.record(declare_all)


def _plain(value: object) -> object:
    value = value.value if isinstance(value, offline.Secret) else value
    if value is offline.UNKNOWN:
        return UNKNOWN
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
