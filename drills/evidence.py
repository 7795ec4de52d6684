"""A sign that a fault did what it was to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One sign that a fault bit, looked for where it struck."""

    what: str
    bit: bool
