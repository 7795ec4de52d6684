"""What an alert is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A condition that calls a person."""

    name: str
    expression: str
    """PromQL; the labels of what it returns become the alert's."""
    hold_seconds: int
    severity: Literal["critical", "warning", "none"]
    summary: str
    action: str
    """What to do; the first sentence of a runbook."""
