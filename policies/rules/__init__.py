"""Every rule, by subject; a new one is found by its decorator, in the file of its subject."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from policies.rule import Rule
from policies.rules import entrance, keys, latency, links, monitoring, placement, security, size, tagging

SUBJECTS: tuple[ModuleType, ...] = (placement, latency, links, entrance, monitoring, security, keys, tagging, size)
RULES: tuple[Rule[Any], ...] = tuple(
    value for module in SUBJECTS for value in vars(module).values() if isinstance(value, Rule)
)
