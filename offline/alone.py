"""The other half of `apart`: a preview whole in this process, program and engine together.

Starts the pack and the plugins first and imports what takes time while they do the same.
"""

from __future__ import annotations

import base64
import os
import pickle
import socket
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO

from diversite.errors import OfflineError
from offline.processes import Child, Nursery

if TYPE_CHECKING:
    from offline.session import HeadStart, Session


def main(descriptor: int) -> None:
    """Make the preview that standard input orders and write it to `descriptor`."""
    with os.fdopen(descriptor, "wb") as pipe:
        tell = _teller(pipe)
        try:
            _preview(tell)
        except OfflineError as error:
            tell("error", str(error))


def _preview(tell: Callable[[str, Any], None]) -> None:
    early = _receive()
    sys.path[:] = early["path"]
    port, holder = _reserved_port()
    nursery = Nursery(early["directory"], early["environment"], lambda line: print(line, file=sys.stderr, flush=True))
    started = _start(nursery, early, f"127.0.0.1:{port}")
    from offline.session import HeadStart  # noqa: PLC0415 - takes time, in which the children start

    pack = started.pop("", None)
    head_start = HeadStart(nursery=nursery, port=port, pack=pack, plugins=started)
    _run(head_start, holder, tell)


def _run(head_start: HeadStart, holder: socket.socket, tell: Callable[[str, Any], None]) -> None:
    from offline.executing import execute  # noqa: PLC0415
    from offline.session import Session  # noqa: PLC0415
    from offline.wishes import Order  # noqa: PLC0415

    late = _receive()
    order = Order(late["project"], late["stack"], late["wishes"])
    order.on_event = (lambda event: tell("event", event)) if late["events"] else None
    session = Session(order, preview=True, head_start=head_start)
    holder.close()
    try:
        tell("preview", _made(session, execute))
    finally:
        session.close()


def _made(session: Session, execute: Callable[[Session], int]) -> Any:
    session.prepare()
    succeeded = session.ended(execute(session))
    session.deployment.finish(succeeded=succeeded)
    session.judge()
    return session.told(0.0)


def _start(nursery: Nursery, early: dict[str, Any], address: str) -> dict[str, Child]:
    """The children by package; the pack under the empty name."""
    commands = {**early["plugins"], **({"": early["pack"]} if early["pack"] else {})}
    return {
        package: nursery.start(
            f"the plugin {package}" if package else "the policy pack",
            [word.replace("{engine}", address) for word in words],
            tells_port=True,
        )
        for package, words in commands.items()
    }


def _reserved_port() -> tuple[int, socket.socket]:
    """A free port that the server, which shares it, can still bind; the socket holds it until then."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind(("127.0.0.1", 0))
    return holder.getsockname()[1], holder


def _receive() -> dict[str, Any]:
    received: dict[str, Any] = pickle.loads(base64.b64decode(sys.stdin.readline()))  # noqa: S301 - from our own parent
    return received


def _teller(pipe: BinaryIO) -> Callable[[str, Any], None]:
    guard = threading.Lock()

    def tell(kind: str, content: Any) -> None:
        with guard:
            pickle.dump((kind, content), pipe)
            pipe.flush()

    return tell
