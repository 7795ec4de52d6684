"""Keeps the state file true while steps run: written whole after each step, and before each step that may be cut short.

The state at any moment is what this run finished, then what it has not touched of the state before. A file is replaced
by renaming, so a reader or a successor sees one state or the next, never half of one. Steps that end together share a
write.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from diversite.errors import OfflineError
from offline import urns
from offline.checkpoint import Deployment, Operation, ResourceState, assemble, now, render_operation


class Journal:
    """The state of one run. Every method may be called from any thread."""

    def __init__(self, base: Deployment, path: Path | None) -> None:
        """`path` None keeps it in memory only (a preview, a recording)."""
        self.crypter = base.crypter
        self.base = list(base.resources)
        self.interrupted = list(base.pending)
        self._render = base.render_resource
        self._path = path
        self._finished: set[ResourceState] = set()
        self._current: list[ResourceState] = []
        self._running: dict[int, tuple[Operation, ResourceState]] = {}
        self._texts: dict[ResourceState, str] = {}
        self._changed = threading.Condition()
        self._version = 0
        self._written = 0
        self._writing = False
        self._tokens = 0

    def resources(self) -> list[ResourceState]:
        """The state at this moment."""
        with self._changed:
            return self._resources()

    def untouched(self) -> list[ResourceState]:
        """What of the state before is neither replaced nor gone."""
        with self._changed:
            return [state for state in self.base if state not in self._finished]

    @contextlib.contextmanager
    def operation(self, kind: Operation, state: ResourceState) -> Iterator[None]:
        """Notes a step as pending while it runs.

        A step that fails is no longer pending; one that is killed is, and one whose provider was lost in the middle.
        """
        token = self._begin(kind, state)
        try:
            yield
        except Exception as error:
            if getattr(error, "lost", False):
                with self._changed:
                    self.interrupted = [*self.interrupted, (kind, state)]
            raise
        finally:
            with self._changed:
                del self._running[token]

    def finish(
        self, new: ResourceState | None = None, old: ResourceState | None = None, *, quiet: bool = False
    ) -> None:
        """`new` takes the place of `old`; either may be missing. `quiet`: nothing changed, a later write will do.

        Raises:
            OfflineError: `new` cannot be stored (a secret, and no passphrase); the state is as it was then.
        """
        with self._changed:
            self._must_render(new)
            if old is not None:
                self._finished.add(old)
            if new is not None:
                self._current.append(new)
        if not quiet:
            self.commit()

    def replace_base(self, replaced: dict[ResourceState, ResourceState | None]) -> None:
        """Puts refreshed entries where they were; None takes an entry out and all references to it with it."""
        with self._changed:
            gone = {state.urn for state, new in replaced.items() if new is None}
            kept = [replaced.get(state, state) for state in self.base]
            self.base = [state for state in kept if state is not None]
            for state in self.base:
                _forget(state, gone)
            self._texts.clear()
        self.commit()

    def resolve(self, state: ResourceState) -> None:
        """A step that an earlier run left pending is settled."""
        with self._changed:
            self.interrupted = [item for item in self.interrupted if item[1] is not state]

    def touch(self, state: ResourceState) -> None:
        """An entry was changed in place; the next write renders it again."""
        with self._changed:
            self._texts.pop(state, None)

    def rename(self, old: str, new: str) -> None:
        """Makes every reference in the untouched state follow a resource that is found under an alias."""
        with self._changed:
            for state in self.base:
                _follow(state, old, new)
            self._texts.clear()

    def commit(self) -> None:
        """Returns when the present state is in the file."""
        if self._path is None:
            return
        with self._changed:
            self._version += 1
            mine = self._version
            while self._written < mine:
                if self._writing:
                    self._changed.wait()
                else:
                    self._write_latest()

    def _begin(self, kind: Operation, state: ResourceState) -> int:
        with self._changed:
            self._must_render(state)
            self._tokens += 1
            token = self._tokens
            self._running[token] = (kind, state)
            self.interrupted = [item for item in self.interrupted if item[1].urn != state.urn]
        self.commit()
        return token

    def _resources(self) -> list[ResourceState]:
        return [state for state in (*self._current, *self.base) if state not in self._finished]

    def _write_latest(self) -> None:
        """Called with the lock held, which it gives up while it writes."""
        version, text = self._version, self._text()
        self._writing = True
        self._changed.release()
        try:
            _replace(self._path, text)
        finally:
            self._changed.acquire()
            self._writing = False
            self._changed.notify_all()
        self._written = max(self._written, version)

    def _text(self) -> str:
        pending = [*self.interrupted, *self._running.values()]
        return assemble(
            [self._text_of(state) for state in self._resources()],
            [render_operation(kind, self._text_of(state)) for kind, state in pending],
            self.crypter,
        )

    def _must_render(self, state: ResourceState | None) -> None:
        if state is not None and self._path is not None:
            self._texts.pop(state, None)
            self._text_of(state)

    def _text_of(self, state: ResourceState) -> str:
        text = self._texts.get(state)
        if text is None:
            text = self._texts[state] = self._render(state)
        return text


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a stack for one run. The kernel lets go of it when the holder dies, however it dies.

    Raises:
        OfflineError: another run holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        _take(file.fileno(), path)
        _sign(path)
        try:
            yield
        finally:
            path.write_text("", encoding="utf-8")


def _take(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OfflineError(
            f"stack {path.stem}: another run is at work on it ({_signature(path)}). Wait for it, or end that process; "
            "its lock ends with it."
        ) from error


def _sign(path: Path) -> None:
    path.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now()}), encoding="utf-8")


def _signature(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (ValueError, KeyError, OSError):
        return "it has not said who it is"


def _replace(path: Path | None, text: str) -> None:
    assert path is not None  # noqa: S101 - commit() returns before this without a path
    temporary = path.with_suffix(".json.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch(mode=0o600)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise OfflineError(f"the state cannot be written to {path}: {error}. The last written one stays.") from error


def _follow(state: ResourceState, old: str, new: str) -> None:
    def fix(urn: str) -> str:
        return new if urn == old else urn

    provider, identity = urns.split_reference(state.provider)
    state.provider = f"{fix(provider)}::{identity}" if state.provider else ""
    state.parent, state.deleted_with = fix(state.parent), fix(state.deleted_with)
    state.dependencies = [fix(urn) for urn in state.dependencies]
    state.property_dependencies = {
        key: [fix(urn) for urn in found] for key, found in state.property_dependencies.items()
    }


def _forget(state: ResourceState, gone: Iterable[str]) -> None:
    missing = set(gone)
    state.parent = "" if state.parent in missing else state.parent
    state.deleted_with = "" if state.deleted_with in missing else state.deleted_with
    state.dependencies = [urn for urn in state.dependencies if urn not in missing]
    state.property_dependencies = {
        key: [urn for urn in found if urn not in missing] for key, found in state.property_dependencies.items()
    }
