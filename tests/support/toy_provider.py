"""A real provider whose world is a directory: one JSON file per thing, and a line in `log` for each operation.

Inputs of `toy:index:Thing`: `value` (a change updates), `shape` (a change replaces), `mould` (a change deletes first,
then replaces), `seconds` (how long an operation takes), `fail` (the operation that fails: check, create, update,
delete, partial), `secret`. Output: `serial`, different for each creation, and everything that went in.

Create is idempotent: a thing of that name that is there already, made for the same URN, is taken as it is.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulumi.provider.experimental import provider as contract
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import main

WORLD = Path(os.environ["TOY_WORLD"])
_REPLACING = ("shape", "mould")


class ToyProvider(contract.Provider):
    """Makes, changes and removes files."""

    async def check(self, request: contract.CheckRequest) -> contract.CheckResponse:
        """Refuse what is asked to fail, and an unknown property."""
        failures = []
        if _plain(request.new_inputs).get("fail") == "check":
            failures.append(contract.CheckFailure("fail", "it was asked to fail"))
        return contract.CheckResponse(inputs=request.new_inputs, failures=failures)

    async def diff(self, request: contract.DiffRequest) -> contract.DiffResponse:
        """Tell an update from a replacement by the property."""
        old, new = request.old_state, request.new_inputs
        keys = [key for key in {**old, **new} if key != "serial" and old.get(key) != new.get(key)]
        keys = [key for key in keys if key not in request.ignore_changes]
        kinds = contract.PropertyDiffKind
        return contract.DiffResponse(
            changes=bool(keys),
            replaces=[key for key in keys if key in _REPLACING],
            diffs=keys,
            delete_before_replace="mould" in keys,
            stables=["serial"],
            detailed_diff={
                key: contract.PropertyDiff(kinds.UPDATE_REPLACE if key in _REPLACING else kinds.UPDATE, True)
                for key in keys
            },
        )

    async def create(self, request: contract.CreateRequest) -> contract.CreateResponse:
        """Write the file of a thing."""
        inputs = _plain(request.properties)
        if request.preview:
            return contract.CreateResponse("", request.properties)
        _log("create-begun", request.urn, inputs)
        await asyncio.sleep(inputs.get("seconds", 0))
        _fail_if_asked(inputs, "create")
        thing = _made_before(request.urn) or {"urn": request.urn, "serial": time.time_ns(), "inputs": inputs}
        identity = f"thing-{thing['serial']}"
        (WORLD / f"{identity}.json").write_text(json.dumps({**thing, "inputs": inputs}))
        _log("create", request.urn, inputs)
        return contract.CreateResponse(identity, _with_serial(request.properties, thing["serial"]))

    async def update(self, request: contract.UpdateRequest) -> contract.UpdateResponse:
        """Rewrite the file of a thing."""
        inputs = _plain(request.news)
        if request.preview:
            return contract.UpdateResponse({**request.news, "serial": request.olds["serial"]})
        _fail_if_asked(inputs, "update")
        path = WORLD / f"{request.resource_id}.json"
        thing = json.loads(path.read_text())
        path.write_text(json.dumps({**thing, "inputs": inputs}))
        _log("update", request.urn, inputs)
        return contract.UpdateResponse(_with_serial(request.news, thing["serial"]))

    async def read(self, request: contract.ReadRequest) -> contract.ReadResponse:
        """What the file says; nothing when it is gone."""
        path = WORLD / f"{request.resource_id}.json"
        _log("read", request.urn, {})
        if not path.exists():
            return contract.ReadResponse(resource_id="")
        thing = json.loads(path.read_text())
        inputs = {key: _as_found(request.inputs.get(key), value) for key, value in thing["inputs"].items()}
        return contract.ReadResponse(request.resource_id, _with_serial(inputs, thing["serial"]), inputs)

    async def delete(self, request: contract.DeleteRequest) -> None:
        """Remove the file; one that is gone already is gone."""
        inputs = _plain(request.properties)
        await asyncio.sleep(inputs.get("seconds", 0))
        _fail_if_asked(inputs, "delete")
        (WORLD / f"{request.resource_id}.json").unlink(missing_ok=True)
        _log("delete", request.urn, inputs)


def _as_found(known: PropertyValue | None, value: Any) -> PropertyValue:
    return known if known is not None and _unwrapped(known) == value else PropertyValue(value)


def _made_before(urn: str) -> dict[str, Any] | None:
    for path in WORLD.glob("thing-*.json"):
        thing: dict[str, Any] = json.loads(path.read_text())
        if thing["urn"] == urn and os.environ.get("TOY_IDEMPOTENT") == "1":
            return thing
    return None


def _fail_if_asked(inputs: dict[str, Any], operation: str) -> None:
    if inputs.get("fail") == operation:
        raise ValueError(f"asked to fail at {operation}")


def _with_serial(properties: dict[str, PropertyValue], serial: int) -> dict[str, PropertyValue]:
    return {**properties, "serial": PropertyValue(str(serial))}


def _plain(properties: dict[str, PropertyValue]) -> dict[str, Any]:
    return {key: _unwrapped(value) for key, value in properties.items()}


def _unwrapped(value: Any) -> Any:
    inner: Any = value.value if isinstance(value, PropertyValue) else value
    if isinstance(inner, Mapping):
        return {key: _unwrapped(item) for key, item in inner.items()}
    if isinstance(inner, list | tuple):
        return [_unwrapped(item) for item in inner]
    return inner if isinstance(inner, str | bool | int | float | None) else str(inner)


def _log(operation: str, urn: str, inputs: dict[str, Any]) -> None:
    line = json.dumps({"operation": operation, "urn": urn, "at": time.monotonic(), "inputs": inputs})
    with (WORLD / "log").open("a") as log:
        log.write(line + "\n")


if __name__ == "__main__":
    main(sys.argv[1:], "1.0.0", ToyProvider())
