"""The other half of `apart`: a preview whole in this process, program and engine together.

The pack and the plugins have processes of their own. Where this one was started anew (`main`) they start before it
imports what takes time, and do the same meanwhile. Where it was forked (`forked`) so are they, once that is imported,
unless that began threads.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import os
import pickle
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from diversite.errors import OfflineError
from offline.commands import PACK_NAME, pack_command, pack_program, plugin_command, plugin_name, plugin_program
from offline.forks import Forked, Surroundings, possible
from offline.processes import Child, Nursery

if TYPE_CHECKING:
    from offline.resident import ResidentPack
    from offline.session import HeadStart, Session
    from offline.wishes import Order

Tell = Callable[[str, Any], None]
PACK = ""
"""The package under which the pack is found among the children."""


def main(descriptor: int) -> None:
    """Make the preview that standard input orders and write it to `descriptor`."""
    with _telling(descriptor) as tell:
        early = _receive()
        sys.path[:] = early["path"]
        nursery = _nursery(early["directory"], early["environment"])
        with _reserved_port() as port:
            children = _start(nursery, early, f"127.0.0.1:{port}")
            _run(_head_start(nursery, port, children), _received_order(), tell)


def forked(order: Order, where: Surroundings, descriptor: int) -> None:
    """The same for an order of the process that this one was forked from."""
    import offline.executing  # noqa: F401, PLC0415 - once for all processes that are forked from here on

    with _telling(descriptor) as tell, _reserved_port() as port:
        nursery = _nursery(where.directory, where.environment)
        resident = _resident(order)
        children = _fork(nursery, order, where, f"127.0.0.1:{port}", with_pack=resident is None)
        head_start = _head_start(nursery, port, children, resident)
        _run(head_start, order, tell)


@contextlib.contextmanager
def _telling(descriptor: int) -> Iterator[Tell]:
    with os.fdopen(descriptor, "wb") as pipe:
        tell = _teller(pipe)
        try:
            yield tell
        except OfflineError as error:
            tell("error", str(error))


def _nursery(directory: Any, environment: Any) -> Nursery:
    return Nursery(directory, environment, lambda line: print(line, file=sys.stderr, flush=True))


def _run(head_start: HeadStart, order: Order, tell: Tell) -> None:
    from offline.executing import execute  # noqa: PLC0415 - takes time, in which the children start
    from offline.session import Session  # noqa: PLC0415

    session = Session(_telling_events(order, tell), preview=True, head_start=head_start)
    try:
        tell("preview", _made(session, execute))
    finally:
        session.close()


def _head_start(
    nursery: Nursery, port: int, children: dict[str, Child], resident: ResidentPack | None = None
) -> HeadStart:
    from offline.session import HeadStart  # noqa: PLC0415 - as in `_run`

    pack = children.pop(PACK, None)
    return HeadStart(nursery=nursery, port=port, pack=pack, resident=resident, plugins=children)


def _made(session: Session, execute: Callable[[Session], int]) -> Any:
    session.prepare()
    succeeded = session.ended(execute(session))
    session.deployment.finish(succeeded=succeeded)
    session.judge()
    return session.told(0.0)


def _start(nursery: Nursery, early: dict[str, Any], address: str) -> dict[str, Child]:
    """The children by package."""
    commands = {**early["plugins"], **({PACK: early["pack"]} if early["pack"] else {})}
    return {
        package: nursery.start(_name(package), [word.replace("{engine}", address) for word in words], tells_port=True)
        for package, words in commands.items()
    }


def _resident(order: Order) -> ResidentPack | None:
    """The pack, where it can be asked without a process of its own."""
    pack = order.policies
    own = pack is not None and pack.parent == order.project.directory and (pack / "pack.py").exists()
    if pack is None or not own or order.policy_config:
        return None
    from offline.resident import ResidentPack  # noqa: PLC0415 - only where there is one

    return ResidentPack.load(pack)


def _fork(nursery: Nursery, order: Order, where: Surroundings, address: str, *, with_pack: bool) -> dict[str, Child]:
    """The children by package, except plugins that are no programs in Python: those start when they are needed.

    All are forked before the first is listened to, which takes a thread. Where there is one already, of what was
    imported, they are started anew.
    """
    commands = {package: plugin_command(order.project, package, address) for package in order.project.plugins}
    found = {package: plugin_program(command) for package, command in commands.items()}
    commands[PACK], found[PACK] = pack_command(order, address), pack_program(order, address) if with_pack else None
    programs = {package: program for package, program in found.items() if program}
    if not possible():
        return {package: nursery.start(_name(package), commands[package], tells_port=True) for package in programs}
    processes = {package: Forked(program.run, where) for package, program in programs.items()}
    return {package: nursery.adopt(_name(package), it, tells_port=True) for package, it in processes.items()}


def _name(package: str) -> str:
    return PACK_NAME if package == PACK else plugin_name(package)


@contextlib.contextmanager
def _reserved_port() -> Iterator[int]:
    """A free port that the server, which shares it, can still bind."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def _received_order() -> Order:
    from offline.wishes import Order  # noqa: PLC0415

    late = _receive()
    order = Order(late["project"], late["stack"], late["wishes"])
    order.on_event = (lambda _event: None) if late["events"] else None
    return order


def _telling_events(order: Order, tell: Tell) -> Order:
    """The order with events told to whom gave it."""
    here = copy.copy(order)
    here.on_event = (lambda event: tell("event", event)) if order.on_event else None
    here.stop = None
    return here


def _receive() -> dict[str, Any]:
    received: dict[str, Any] = pickle.loads(base64.b64decode(sys.stdin.readline()))  # noqa: S301 - from our own parent
    return received


def _teller(pipe: BinaryIO) -> Tell:
    guard = threading.Lock()

    def tell(kind: str, content: Any) -> None:
        with guard:
            pickle.dump((kind, content), pipe)
            pipe.flush()

    return tell
