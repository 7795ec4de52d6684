"""Uniform resource names exactly as the engine makes them.

`urn:pulumi:<stack>::<project>::<parent's qualified type>$<type>::<name>`; the root stack's type is never part of a
chain.
"""

from __future__ import annotations

from typing import Final

ROOT_TYPE: Final = "pulumi:pulumi:Stack"
PROVIDER_PREFIX: Final = "pulumi:providers:"
_PREFIX: Final = "urn:pulumi:"
_PARTS: Final = 4


def make(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """The name of a resource below `parent` (a URN, or empty)."""
    above = qualified_type(parent) if parent else ""
    chain = f"{above}${type_}" if above and above != ROOT_TYPE else type_
    return f"{_PREFIX}{stack}::{project}::{chain}::{name}"


def valid(urn: str) -> bool:
    """Whether the text has the form of a URN."""
    return urn.startswith(_PREFIX) and urn.count("::") >= _PARTS - 1


def qualified_type(urn: str) -> str:
    """The chain of types, outermost first, joined by `$`."""
    return _split(urn)[2]


def type_of(urn: str) -> str:
    """The resource's own type token."""
    return qualified_type(urn).rpartition("$")[2]


def name_of(urn: str) -> str:
    """The logical name, which may itself hold `::`."""
    return _split(urn)[3]


def is_provider(type_: str) -> bool:
    """Whether the type is that of a provider object."""
    return type_.startswith(PROVIDER_PREFIX)


def package_of(type_: str) -> str:
    """The package that serves a custom resource's type; a provider's own type names it last."""
    return type_.removeprefix(PROVIDER_PREFIX) if is_provider(type_) else type_.partition(":")[0]


def split_reference(reference: str) -> tuple[str, str]:
    """URN and id of a provider reference `<urn>::<id>`."""
    urn, _, identity = reference.rpartition("::")
    return urn, identity


def _split(urn: str) -> list[str]:
    return urn.removeprefix(_PREFIX).split("::", _PARTS - 1)
