"""The messages of `abci.proto`, compiled at set-up: `from workloads.engine.abci import messages`."""

from __future__ import annotations

try:
    from workloads.engine.abci import abci_pb2 as messages
except ImportError as error:
    raise ImportError(
        f"workloads/engine/abci/abci_pb2.py does not load ({error}): it is compiled from abci.proto; "
        "run `python -m workloads.engine.compile`"
    ) from error

__all__ = ["messages"]
