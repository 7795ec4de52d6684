"""A provider in this process, its world a dictionary, which can be killed at any moment: for many runs in little time.

A thing's inputs are `value` and `uses` (a change updates), `shape` and `bound` (a change replaces), `mould` (a change
deletes first, then replaces). `uses` and `bound` map names of other things to their serials.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from offline.checkpoint import ResourceState
from offline.plugins import Difference
from offline.values import UNKNOWN, Properties

REPLACING = ("shape", "bound", "mould")


class Killed(BaseException):
    """The process is gone: not an error that anything may handle."""


@dataclass
class Thing:
    """Something that was made."""

    urn: str
    serial: str
    inputs: Properties


@dataclass
class World:
    """What is there, and what was done; both outlive a kill."""

    things: dict[str, Thing] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """What was deleted while something that cannot do without it was there."""
    made: int = 0

    def names(self) -> list[str]:
        """The name of each thing, sorted."""
        return sorted(thing.urn.rpartition("::")[2] for thing in self.things.values())


class ToyProvider:
    """A provider over a world. `kill_at` counts its operations; the one of that number is the last, done or not."""

    package = "toy"

    def __init__(self, world: World, kill_at: int | None = None, *, kill_before: bool = False) -> None:
        self.world = world
        self._left = kill_at
        self._kill_before = kill_before
        self._guard = threading.Lock()

    def check_configuration(self, urn: str, old: Properties, new: Properties) -> Properties:
        """Whatever it is."""
        return new

    def differ_configuration(self, old: ResourceState, new: Properties) -> Difference:
        """No difference matters."""
        return Difference(changed=False)

    def configure(self, urn: str, identity: str, inputs: Properties) -> None:
        """Nothing to configure."""

    def check(self, urn: str, old: Properties, new: Properties) -> Properties:
        """Whatever it is."""
        return new

    def differ(self, old: ResourceState, new: Properties, ignore: list[str]) -> Difference:
        """By the kind of the property; an unknown may be anything."""
        keys = [key for key in {**old.inputs, **new} if old.inputs.get(key) != new.get(key) or _unknown(new.get(key))]
        keys = [key for key in keys if key not in ignore]
        return Difference(
            changed=bool(keys),
            replace_keys=tuple(key for key in keys if key in REPLACING),
            changed_keys=tuple(keys),
            delete_before_replace="mould" in keys,
        )

    def create(self, state: ResourceState) -> tuple[str, Properties]:
        """Make a thing, or take the one that was made of the same inputs before a kill."""
        with self._operation("create", state.urn):
            found = [
                item for item in self.world.things.values() if (item.urn, item.inputs) == (state.urn, state.inputs)
            ]
            thing = found[0] if found else self._make(state)
        return thing.serial, {**state.inputs, "serial": thing.serial}

    def update(self, old: ResourceState, state: ResourceState) -> Properties:
        """Change a thing."""
        with self._operation("update", state.urn):
            self.world.things[state.id].inputs = state.inputs
        return {**state.inputs, "serial": state.id}

    def read(self, state: ResourceState) -> tuple[str, Properties, Properties]:
        """A thing as it is."""
        thing = self.world.things.get(state.id)
        return (state.id, {**thing.inputs, "serial": state.id}, thing.inputs) if thing else ("", {}, {})

    def delete(self, state: ResourceState) -> None:
        """Unmake a thing, if it is there."""
        with self._operation("delete", state.urn):
            self.world.things.pop(state.id, None)
            for thing in self.world.things.values():
                if state.id in thing.inputs.get("bound", {}).values():
                    self.world.broken.append(f"{state.urn} went before {thing.urn}")

    def cancel(self) -> None:
        """Nothing to give up."""

    def close(self) -> None:
        """Nothing to end."""

    def _operation(self, name: str, urn: str) -> _Operation:
        return _Operation(self, name, urn)

    def _make(self, state: ResourceState) -> Thing:
        self.world.made += 1
        serial = f"serial-{self.world.made}"
        return self.world.things.setdefault(serial, Thing(state.urn, serial, state.inputs))

    def _count(self) -> bool:
        """Whether this operation is the last."""
        if self._left is None:
            return False
        self._left -= 1
        if self._left < 0:
            raise Killed
        return self._left == 0


class _Operation:
    """One operation at a time, with the kill before or after its effect."""

    def __init__(self, provider: ToyProvider, name: str, urn: str) -> None:
        self._provider, self._entry = provider, (name, urn.rpartition("::")[2])
        self._last = False

    def __enter__(self) -> None:
        self._provider._guard.acquire()
        try:
            self._last = self._provider._count()
            if self._last and self._provider._kill_before:
                raise Killed
        except Killed:
            self._provider._guard.release()
            raise

    def __exit__(self, *_: Any) -> None:
        self._provider.world.log.append(self._entry)
        self._provider._guard.release()
        if self._last:
            raise Killed


def _unknown(value: Any) -> bool:
    return value is UNKNOWN or (isinstance(value, dict) and UNKNOWN in value.values())
