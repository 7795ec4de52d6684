"""The examples and the cases as rules are asked about them, made once: no process, no wire.

Imports no rule, so that a mutated rule is asked about the same resources (scripts/mutate).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import offline
from policies.declared import UNKNOWN, Resource
from policies.expected import of_topology
from policies.venue import Venue
from tests.policies.pack import STACKS
from tests.policies.resources import declare_all
from tests.policies.venues import CASES, PASSING, declared

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
    case = ALL[number]
    resources = {item.urn: resource(item) for item in declared(case)}
    return Venue(resources=resources, expected=of_topology(str(STACKS / case.topology)))


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
