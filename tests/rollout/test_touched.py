"""Which hosts a run of the engine would touch."""

from __future__ import annotations

import pytest

from rollout.touched import Foreseen, touched

HOSTS = ("validator-par", "engine-par")


def resource(name: str, parent: str = "", operation: str = "same") -> Foreseen:
    """A resource by short names."""
    return Foreseen(
        urn=f"urn:pulumi:s::p::t::{name}", parent=parent and f"urn:pulumi:s::p::t::{parent}", operation=operation
    )


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("same", {}),
        ("read", {}),
        ("update", {"validator-par": "change"}),
        ("create", {"validator-par": "change"}),
        ("replace", {"validator-par": "stop"}),
        ("create-replacement", {"validator-par": "stop"}),
        ("delete", {"validator-par": "stop"}),
        ("something new", {"validator-par": "stop"}),
    ],
)
def test_what_is_below_a_host_is_part_of_it(operation: str, expected: dict[str, str]) -> None:
    """However deep a resource lies, it counts for the host above it; an unknown operation is taken for the worst."""
    tree = [
        resource("venue"),
        resource("validator-par", "venue"),
        resource("machine", "validator-par"),
        resource("disk", "machine", operation),
        resource("engine-par", "venue"),
    ]
    assert touched(tree, HOSTS) == expected


def test_the_worst_of_a_host_counts() -> None:
    """A host of which one part changes and another is replaced is stopped, in whatever order they are told."""
    parts = [resource("a", "validator-par", "replace"), resource("b", "validator-par", "update")]
    for order in (parts, parts[::-1]):
        assert touched([resource("validator-par"), *order], HOSTS) == {"validator-par": "stop"}


def test_what_is_below_no_host_touches_none() -> None:
    """A route or a subnetwork of the ground is nobody's host."""
    assert touched([resource("foundation"), resource("route", "foundation", "replace")], HOSTS) == {}
