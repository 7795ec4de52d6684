"""Previews: what `up` would do.

The program and the engine's part of it run together in one process of their own (`alone.py`), which is the fastest
that is still apart from the caller. Where that cannot be (an answer to a function call is the caller's own code, or
the project has another interpreter) the program runs by itself and talks to this process, as it does in `up`.
"""

from __future__ import annotations

import sys
import time
from typing import Unpack

from offline import apart
from offline.project import Project
from offline.results import Preview
from offline.wishes import Order, Wishes


def preview(project: Project, stack: str, **wishes: Unpack[Wishes]) -> Preview:
    """What `up` would do. Changes nothing, needs no cloud, login or network.

    A program that fails, a refused resource or a mandatory finding does not raise: `Preview.ok` is False and the
    diagnostics tell all of it at once.

    Raises:
        OfflineError: there is nothing to preview: no project, an unreadable state, a plugin that does not start.
    """
    return preview_of(Order(project, stack, wishes))


def preview_of(order: Order) -> Preview:
    """As `preview`, of an order."""
    return apart.preview(order) if _can_be_alone(order) else _over_the_wire(order)


def _can_be_alone(order: Order) -> bool:
    own = order.project.python.parent.parent.resolve()
    return not order.invokes and own.samefile(sys.prefix)


def _over_the_wire(order: Order) -> Preview:
    from offline.session import opened  # noqa: PLC0415 - costs a fifth of a second that most previews do without

    began = time.monotonic()
    with opened(order, preview=True) as session:
        succeeded = session.run_program()
        session.deployment.finish(succeeded=succeeded)
        session.judge()
        return session.told(time.monotonic() - began)
