"""Runs the program of a session in this very process: no wire between the program and the engine's part."""

from __future__ import annotations

import asyncio
import contextlib
import os
import runpy
import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pulumi
import pulumi.runtime
from pulumi.runtime.stack import wait_for_rpcs

from offline.commands import ORGANIZATION
from offline.session import Session


def execute(session: Session) -> int:
    """Run it and give its status; what it raises is told as a diagnostic."""
    project = session.order.project
    os.chdir(project.directory)
    sys.argv = [str(project.program)]
    pulumi.runtime.set_all_config(dict(session.configuration.values), sorted(session.configuration.secret_keys))
    pulumi.runtime.configure(_settings(session))
    try:
        with _shallow_stacks():
            _run(str(project.program))
    except pulumi.RunError as error:
        session.log("error", str(error), "")
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except Exception:  # whatever the program raises is the program's failure
        session.log("error", "Program failed with an unhandled exception:\n" + traceback.format_exc(), "")
    else:
        return 0
    return 1


@contextlib.contextmanager
def _shallow_stacks() -> Iterator[None]:
    """The SDK copies the stack at each resource, with every frame's line of source, and nobody here reads it.

    One frame is the least that it takes. A failure's own stack is told after this, whole.
    """
    sys.tracebacklimit = 1
    try:
        yield
    finally:
        del sys.tracebacklimit


def _settings(session: Session) -> pulumi.runtime.Settings:
    return pulumi.runtime.Settings(
        project=session.order.project.name,
        stack=session.order.stack,
        monitor=session.monitor,
        engine=session.engine_log,
        parallel=session.order.parallel,
        dry_run=True,
        organization=ORGANIZATION,
        root_directory=str(session.order.project.directory),
    )


def _run(program: str) -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(lambda _loop, _context: None)  # of futures that a failed program leaves
    # One at a time: a registration waits for no other here, and so the order is the program's, each time the same.
    executor = ThreadPoolExecutor(max_workers=1)
    loop.set_default_executor(executor)
    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(lambda: _execute(program)))
    finally:
        executor.shutdown(wait=True)
        sys.stdout.flush()


async def _execute(program: str) -> None:
    """Run it, and wait for its registrations one after the other.

    Otherwise the SDK waits for the first of all outputs, again and again: quadratic where a registration takes time.
    """
    runpy.run_path(program, run_name="__main__")
    await asyncio.sleep(0)
    await wait_for_rpcs(await_all_outstanding_tasks=False)
