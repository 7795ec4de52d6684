"""Reads one file of the catalogue, and names the file and the path of whatever is not as it should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Any

import yaml  # type: ignore[import-untyped]  # its stubs are not among the dependencies

from diversite.errors import CatalogError

# PyYAML with libyaml: the whole catalogue in tens of milliseconds, where a loader in Python needs a second.
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Node:
    """A mapping of a file with the way to it, so that a fault can be found."""

    where: str
    values: Mapping[str, Any]

    def text(self, key: str, default: str | None = None) -> str:
        """The text under a key; dates come as ISO text."""
        value = self.values.get(key, default)
        if isinstance(value, date):
            return value.isoformat()
        if not isinstance(value, str):
            raise self.fault(key, "text")
        return value

    def number(self, key: str) -> float:
        """The number under a key."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fault(key, "a number")
        return float(value)

    def whole(self, key: str) -> int:
        """The whole number under a key."""
        if not self.number(key).is_integer():
            raise self.fault(key, "a whole number")
        return int(self.values[key])

    def wholes(self, key: str) -> dict[str, int]:
        """The whole numbers of the mapping under a key, by name."""
        part = self.node(key)
        return {name: part.whole(name) for name in part.values}

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        """One of the texts that are allowed under a key."""
        if self.values.get(key) not in allowed:
            raise self.fault(key, f"one of {', '.join(allowed)}")
        return self.text(key)

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """The list of texts under a key."""
        value = self.values.get(key, default)
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise self.fault(key, "a list of texts")
        return tuple(value)

    def nodes(self, key: str) -> Iterator[tuple[str, Node]]:
        """The mappings under a key, by name."""
        value = self.values.get(key)
        if not isinstance(value, dict):
            raise self.fault(key, "a mapping")
        for name, item in value.items():
            yield str(name), self._child(f"{key}.{name}", item)

    def items(self, key: str) -> Iterator[Node]:
        """The mappings of the list under a key."""
        value = self.values.get(key)
        if not isinstance(value, list):
            raise self.fault(key, "a list")
        for index, item in enumerate(value):
            yield self._child(f"{key}[{index}]", item)

    def rows(self) -> Iterator[dict[str, str]]:
        """The table under `rows`, a line a row, by the names under `columns`; the last column takes the rest of it."""
        columns = self.texts("columns")
        for line in self.text("rows").splitlines():
            cells = line.split(maxsplit=len(columns) - 1)
            if len(cells) != len(columns):
                raise CatalogError(f"{self.where}.rows has {line!r}; a row is: {' '.join(columns)}.")
            yield dict(zip(columns, cells, strict=True))

    def node(self, key: str) -> Node:
        """The mapping under a key."""
        return self._child(key, self.values.get(key))

    def only(self, *allowed: str) -> Node:
        """Itself, after refusing any key that nobody reads."""
        for key in self.values:
            if key not in allowed:
                raise CatalogError(f"{self.where}.{key} is not a key of the catalogue; allowed: {', '.join(allowed)}.")
        return self

    def fault(self, key: str, wanted: str) -> CatalogError:
        """The error for a value of the wrong kind."""
        return CatalogError(f"{self.where}.{key} is {self.values.get(key)!r}; the catalogue wants {wanted} there.")

    def _child(self, path: str, item: object) -> Node:
        if not isinstance(item, dict):
            raise CatalogError(f"{self.where}.{path} is {item!r}; the catalogue wants a mapping there.")
        return Node(f"{self.where}.{path}", item)


def read(name: str) -> Node:
    """A file of the catalogue, by its path inside it."""
    text = files("diversite.catalog").joinpath(name).read_text("utf-8")
    return Node(f"diversite/catalog/{name}:", yaml.load(text, Loader=_LOADER))  # noqa: S506, the loader is a safe one
