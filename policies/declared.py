"""A resource as declared: plain values, the one that is not known yet among them.

The SDK hands properties over behind a proxy that raises on an unknown value, which turns a mandatory rule into advice.
Here an unknown value is `UNKNOWN`, and what it means is each rule's decision.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from pulumi_policy import proxy


class _Unknown(Enum):
    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown.UNKNOWN
"""A value that only the deployment will tell."""
_UNKNOWN_TEXTS: Final = frozenset(value for name, value in vars(proxy).items() if name.startswith("UNKNOWN_"))


@dataclass(frozen=True, kw_only=True)
class Resource:
    """What a program declares of one resource."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any]
    parent: str = ""
    protect: bool = False
    ignore_changes: tuple[str, ...] = ()
    delete_before_replace: bool = False
    uses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By property, the URNs of the resources that its value comes from; known only over a whole stack."""

    def get(self, *path: str) -> Any:
        """The value at a path; None where nothing is declared, UNKNOWN where it or what holds it is unknown.

        A list on the way stands for its first item, as the clouds' SDKs wrap single blocks.
        """
        value: Any = self.inputs
        for step in path:
            value = value[0] if isinstance(value, list) and value else value
            if not isinstance(value, Mapping):
                return UNKNOWN if value is UNKNOWN else None
            value = value.get(step)
        return value

    def texts(self, *path: str) -> tuple[str, ...]:
        """The known texts in a list at a path."""
        value = self.get(*path)
        return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()

    def items(self, *path: str) -> tuple[Mapping[str, Any], ...]:
        """The known maps in a list at a path; a single map counts as a list of it."""
        value = self.get(*path)
        found = [value] if isinstance(value, Mapping) else value
        return tuple(item for item in found if isinstance(item, Mapping)) if isinstance(found, list) else ()


def plain(value: Any) -> Any:
    """A value of the SDK without its proxies, numbers that are whole as int."""
    inner = getattr(value, "_DictProxy__target", getattr(value, "_ListProxy__target", value))
    if isinstance(inner, str):
        return UNKNOWN if inner in _UNKNOWN_TEXTS else inner
    if isinstance(inner, Mapping):
        return {key: plain(item) for key, item in inner.items()}
    if isinstance(inner, list):
        return [plain(item) for item in inner]
    return int(inner) if isinstance(inner, float) and inner.is_integer() else inner


def walk(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every known text in a value, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from walk(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from walk(item, f"{path}[{index}]")
