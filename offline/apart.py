"""Has a preview made in a process of its own and hears from it: the caller's half, light to import.

The process is forked where it may be, for a preview of the checkout that this code is of; else it is started anew.
Frames come back over a pipe: events while it runs, then the preview or the error that ended it.
"""

from __future__ import annotations

import base64
import contextlib
import os
import pickle
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Final

from diversite.errors import OfflineError
from offline import alone, forks
from offline.commands import environment_of, pack_command, plugin_command
from offline.processes import Child, Nursery
from offline.results import Event, Preview
from offline.wishes import Order

_ENGINE: Final = "{engine}"  # stands for the address in a command, until there is one
_NAME: Final = "the preview"
_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[1]
_BOOTSTRAP: Final = "import sys; sys.path.insert(0, {!r}); from offline.alone import main; main({})"


@dataclass(frozen=True, kw_only=True)
class HeadStartOrder:
    """What the other process starts before it imports anything that takes time."""

    directory: str
    environment: dict[str, str]
    pack: list[str]
    plugins: dict[str, list[str]]
    path: list[str]
    """What the caller can import, so that it can too."""


def preview(order: Order) -> Preview:
    """The preview, made in a process of its own.

    Raises:
        OfflineError: as `previewing.preview`.
    """
    began = time.monotonic()
    configuration = order.project.configuration(order.stack, order.config)
    environment = environment_of(order, configuration, preview=True)
    nursery = Nursery(order.project.directory, environment, lambda line: _tell(order, line))
    with contextlib.closing(nursery), _frames(nursery, order, environment) as frames:
        for kind, content in frames:
            if kind == "event" and order.on_event is not None:
                order.on_event(content)
            if isinstance(content, Preview):
                return replace(content, seconds=time.monotonic() - began)
            if kind == "error":
                raise OfflineError(content)
        raise OfflineError("the preview ended without a word; its last lines of output say more.")


def _head_start(order: Order, environment: dict[str, str]) -> HeadStartOrder:
    return HeadStartOrder(
        directory=str(order.project.directory),
        environment=environment,
        pack=pack_command(order, _ENGINE),
        plugins={package: plugin_command(order.project, package, _ENGINE) for package in order.project.plugins},
        path=sys.path,
    )


@contextlib.contextmanager
def _frames(nursery: Nursery, order: Order, environment: dict[str, str]) -> Iterator[Iterator[tuple[str, Any]]]:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        try:
            begin = _fork if _may_fork(order) else _start
            begin(nursery, order, environment, writing)
        finally:
            os.close(writing)
        yield _read(pipe)


def _may_fork(order: Order) -> bool:
    """Whether what this process has imported is what the program would, and nothing else goes on here."""
    return order.project.directory == _PACKAGE_ROOT and forks.possible()


def _fork(nursery: Nursery, order: Order, environment: dict[str, str], writing: int) -> None:
    where = forks.Surroundings(directory=order.project.directory, environment=environment)
    nursery.adopt(_NAME, forks.Forked(lambda: alone.forked(order, where, writing), where))


def _start(nursery: Nursery, order: Order, environment: dict[str, str], writing: int) -> None:
    head_start = _head_start(order, environment)
    command = [str(order.project.python), "-u", "-P", "-c", _BOOTSTRAP.format(str(_PACKAGE_ROOT), writing)]
    _instruct(nursery.start(_NAME, command, pass_fds=(writing,)), head_start, order)


def _instruct(child: Child, head_start: HeadStartOrder, order: Order) -> None:
    stdin = child.process.stdin
    with contextlib.suppress(BrokenPipeError):
        assert stdin is not None  # noqa: S101 - a pipe, as the nursery makes it
        for item in (vars(head_start), _portable(order)):
            stdin.write(base64.b64encode(pickle.dumps(item)).decode() + "\n")
        stdin.close()


def _portable(order: Order) -> dict[str, Any]:
    wishes = {key: getattr(order, key) for key in ("config", "policies", "policy_config", "parallel")}
    return {"project": order.project, "stack": order.stack, "wishes": wishes, "events": order.on_event is not None}


def _read(pipe: IO[bytes]) -> Iterator[tuple[str, Any]]:
    while True:
        try:
            yield pickle.load(pipe)  # noqa: S301 - written by our own child
        except EOFError:
            return


def _tell(order: Order, line: str) -> None:
    if order.on_event is not None:
        order.on_event(Event(kind="output", message=line))
