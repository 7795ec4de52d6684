"""What a running program is, whoever runs it: its command, its files, its environment, and how it says that it runs.

Commands are bare names (`cometbft`, `bird`, `python`): the substrate's search path says which binary that is. A lab
puts `.tools/bin` and `.venv/bin` before the system's directories, a machine in a cloud has them in `/usr/local/bin`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Where a host keeps one service's things, as absolute paths."""

    etc: str
    """Configuration: written before the start, never by the service."""
    data: str
    """State that must survive a restart; exists before the start."""
    cloud: bool = False
    """Whether the host is a provider's machine, whose network and neighbours differ from a lab's."""


PathsOf = Callable[[str], Paths]
"""From a service's name to its paths on one host."""


@dataclass(frozen=True, kw_only=True)
class Ready:
    """How to see that a service runs: an answer below 400, an open port, or nothing to look at."""

    kind: Literal["http", "tcp", "none"]
    address: str = ""
    """`address:port`."""
    path: str = ""
    seconds_max: int = 30


@dataclass(frozen=True, kw_only=True)
class Service:
    """One program on one host."""

    name: str
    command: tuple[str, ...]
    """In the foreground; logs to standard output and error."""
    files: Mapping[str, str]
    """Absolute path to content; directories are made where they are missing."""
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Ready
    restart: bool = True
    """Whether the supervisor starts it again when it ends."""
    user: str = ""
    """The account it runs as where it refuses to run as root; empty where the substrate may choose."""
