"""What a caller may ask for, apart from project and stack; imports nothing that takes time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypedDict

from offline.project import Project
from offline.results import OnEvent

PARALLEL_DEFAULT: Final = 16

Invoke = Mapping[str, Any] | Callable[[dict[str, Any]], Mapping[str, Any]]
"""What a function call answers: the result, or a callable from plain arguments to the result."""

PolicyConfiguration = Mapping[str, str | Mapping[str, Any]]
"""Policy name to its enforcement level, or to its configuration with `enforcementLevel` among the keys."""


class Wishes(TypedDict, total=False):
    """What a caller may ask for beside project and stack."""

    config: Mapping[str, Any] | None
    """Goes over the stack's file; a key without a namespace is the project's; a `Secret` is kept secret."""
    policies: Path | str | None
    """The directory of a policy pack."""
    policy_config: PolicyConfiguration | None
    invokes: Mapping[str, Invoke] | None
    """Answers to function calls, by token. A call without an answer is an error."""
    on_event: OnEvent | None
    """Called from several threads."""
    parallel: int
    """Steps under way at once."""
    stop: threading.Event | None
    """Setting it ends the run as an interrupt does."""


class Order:
    """What one run is to do."""

    def __init__(self, project: Project, stack: str, wishes: Wishes) -> None:
        self.project = project
        self.stack = stack
        pack = wishes.get("policies")
        self.config = wishes.get("config") or {}
        self.policies = None if pack is None else Path(pack).resolve()
        self.policy_config = wishes.get("policy_config") or {}
        self.invokes = wishes.get("invokes") or {}
        self.on_event = wishes.get("on_event")
        self.parallel = wishes.get("parallel", PARALLEL_DEFAULT)
        self.stop = wishes.get("stop")
