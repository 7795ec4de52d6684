"""Executes a project's program against a monitor: what `pulumi-language-python-exec` is to the real engine.

Runs as a script in a process of its own, under the project's interpreter, and imports nothing of this project. Reads
one line of JSON from standard input once its imports are done: the starter binds the monitor's port meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pulumi
import pulumi.runtime
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc
from pulumi.runtime.stack import wait_for_rpcs

FAILED = 1
FAILED_AND_SAID_SO = 32


def main() -> int:
    """Run the program named by the order on standard input; the exit status is the engine's."""
    sys.path.pop(0)  # this file's own folder, which is not the program's
    order = json.loads(sys.stdin.readline())
    pulumi.runtime.set_all_config(order["config"], order["secret_keys"])
    pulumi.runtime.configure(_settings(order))
    sys.argv = [order["program"]]
    os.chdir(order["directory"])
    return _run(order["program"], order["parallel"])


class QuietEngine:
    """The engine, spared the SDK's debug lines: several calls for each resource that nobody reads."""

    def __init__(self, address: str) -> None:
        self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))

    def Log(self, request: engine_pb2.LogRequest) -> Any:  # noqa: N802 - the protocol's name
        """Pass on what is not a debug line."""
        if request.severity == engine_pb2.DEBUG:
            return empty_pb2.Empty()
        return self._stub.Log(request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stub, name)


def _settings(order: dict[str, Any]) -> pulumi.runtime.Settings:
    return pulumi.runtime.Settings(
        project=order["project"],
        stack=order["stack"],
        monitor=order["monitor"],
        engine=QuietEngine(order["monitor"]),
        parallel=order["parallel"],
        dry_run=order["preview"],
        organization=order["organization"],
        root_directory=order["directory"],
    )


def _run(program: str, parallel: int) -> int:
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # a failed program leaves futures that nobody awaits
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=parallel)
    loop.set_default_executor(executor)
    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(lambda: _execute(program)))
        return 0
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return FAILED
    except Exception:  # whatever the program raises is the program's failure
        pulumi.log.error("Program failed with an unhandled exception:\n" + traceback.format_exc())
        return FAILED_AND_SAID_SO
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


if __name__ == "__main__":
    sys.exit(main())
