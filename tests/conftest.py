"""What holds for every test: one message that two libraries bring under two file names is there once.

Pulumi's SDK and Google's client library both register `google.rpc.Status`, and a process may hold only one of them. No
command needs both; the tests run in one process, so Pulumi's module is Google's there, which has the same fields.
"""

from __future__ import annotations

import importlib.util
import sys

if importlib.util.find_spec("google.rpc"):
    from google.rpc import status_pb2  # type: ignore[import-untyped]  # it ships no types

    sys.modules["pulumi.runtime.proto.status_pb2"] = status_pb2
