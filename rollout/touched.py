"""Which hosts a run of the engine would touch, from the resources that it lists and who is whose parent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from rollout.course import Operation

KEEPING = frozenset({"same", "read", "refresh", "import"})
CHANGING = frozenset({"create", "update"})
"""What stops nothing that runs. Whatever else an engine may say of a resource stops it."""


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """One resource in a preview."""

    urn: str
    parent: str
    operation: str
    """As the engine calls it."""

    @property
    def name(self) -> str:
        """The last part of its URN."""
        return self.urn.rsplit("::", 1)[-1]


def touched(resources: Iterable[Foreseen], hosts: Collection[str]) -> Mapping[str, Operation]:
    """What happens to each host that does not stay as it is: a host is a component, all below it is part of it."""
    known = {resource.urn: resource for resource in resources}
    found: dict[str, Operation] = {}
    for resource in known.values():
        if resource.operation in KEEPING:
            continue
        operation: Operation = "change" if resource.operation in CHANGING else "stop"
        for name in {each.name for each in _line(resource, known)} & set(hosts):
            found[name] = "stop" if "stop" in (operation, found.get(name)) else operation
    return found


def _line(resource: Foreseen, known: Mapping[str, Foreseen]) -> Iterator[Foreseen]:
    """A resource, its parent, and so on."""
    at: Foreseen | None = resource
    while at is not None:
        yield at
        at = known.get(at.parent)
