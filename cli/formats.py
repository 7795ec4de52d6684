"""How a command's result is written: text for people, JSON for programs, SARIF for what annotates changes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Literal

Format = Literal["text", "json", "sarif"]
TextOrJson = Literal["text", "json"]


def write(document: Mapping[str, Any]) -> None:
    """Write a JSON document to standard output."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def plain(value: Any) -> Any:
    """The same as JSON has it: dataclasses and named tuples by their fields, sets in order, failure domains as text."""
    if is_dataclass(value) and not isinstance(value, type):
        named = {field.name: getattr(value, field.name) for field in fields(value)}
        return str(value) if named.keys() == {"kind", "identity"} else plain(named)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return [plain(item) for item in sorted(value)]
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def _key(key: Any) -> str:
    return key.value if isinstance(key, Enum) else str(key)
