"""The Pulumi provider of the lab: check, diff, create, read, update, delete of its resources.

The engine reaches it as `plugin/pulumi-resource-lab`. It ends with the engine; the labs that it made go on.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import grpc
import grpc.aio
from pulumi.provider.experimental import provider as pulumi_provider
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import (
    CheckFailure,
    CheckRequest,
    CheckResponse,
    ConfigureRequest,
    ConfigureResponse,
    CreateRequest,
    CreateResponse,
    DeleteRequest,
    DiffRequest,
    DiffResponse,
    GetSchemaRequest,
    GetSchemaResponse,
    PropertyDiff,
    PropertyDiffKind,
    ReadRequest,
    ReadResponse,
    UpdateRequest,
    UpdateResponse,
)
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import provider_pb2_grpc
from pydantic import ValidationError

from diversite.errors import LabError
from lab.files import JsonObject
from lab.inputs import problems
from lab.resources import BY_TOKEN, Resource
from lab.schema import schema
from lab.values import UNKNOWN, holds_unknown, plain_map, property_map

OPERATIONS_MAX = 128
"""A service being awaited holds one of these; the engine starts as many at once as it likes."""
MESSAGE_BYTES_MAX = 400 << 20
ENGINE_CHECK_SECONDS = 0.5
T = TypeVar("T")


class LabProvider(pulumi_provider.Provider):
    """Answers the engine; the work is done by `lab.resources`."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(OPERATIONS_MAX, thread_name_prefix="lab")

    async def get_schema(self, request: GetSchemaRequest) -> GetSchemaResponse:
        """The package's schema, for `pulumi package get-schema`."""
        return GetSchemaResponse(schema=json.dumps(schema(version())))

    async def configure(self, request: ConfigureRequest) -> ConfigureResponse:
        """There is nothing to configure; secrets come opened, and the engine closes them again."""
        return ConfigureResponse(supports_preview=True)

    async def check(self, request: CheckRequest) -> CheckResponse:
        """Every wrong property, by its path."""
        failures = check(_resource(request.type), plain_map(request.new_inputs))
        return CheckResponse(request.new_inputs, [CheckFailure(path, reason) for path, reason in failures])

    async def diff(self, request: DiffRequest) -> DiffResponse:
        """Which properties changed, and which of them need a replacement."""
        resource = _resource(request.type)
        changed = diff(resource, plain_map(request.old_state), plain_map(request.new_inputs))
        changed = {key: kind for key, kind in changed.items() if key not in request.ignore_changes}
        replaces = [key for key in changed if key in resource.replaced_by]
        return DiffResponse(
            changes=bool(changed),
            replaces=replaces,
            # The new one would have the name of the old one.
            delete_before_replace=bool(replaces),
            diffs=list(changed),
            detailed_diff={key: PropertyDiff(kind, input_diff=True) for key, kind in changed.items()},
        )

    async def create(self, request: CreateRequest) -> CreateResponse:
        """Make the resource, or find it as asked."""
        resource, state = _resource(request.type), plain_map(request.properties)
        if request.preview:
            return CreateResponse(_identity(resource, state), _previewed(resource, state))
        inputs = resource.inputs(**state)
        outputs = await self._do(lambda: resource.create(inputs))
        return CreateResponse(resource.identity(inputs), property_map(state | outputs))

    async def read(self, request: ReadRequest) -> ReadResponse:
        """The resource as it is; an empty identity if it is gone."""
        resource, state = _resource(request.type), plain_map(request.properties)
        found = await self._do(lambda: resource.find(request.resource_id, state))
        if found is None:
            return ReadResponse(resource_id="")
        inputs, outputs = found
        return ReadResponse(
            resource.identity(resource.inputs(**inputs)), property_map(inputs | outputs), property_map(inputs)
        )

    async def update(self, request: UpdateRequest) -> UpdateResponse:
        """Bring the resource to new inputs in place."""
        resource, state = _resource(request.type), plain_map(request.news)
        if request.preview:
            return UpdateResponse(_previewed(resource, state))
        inputs = resource.inputs(**state)
        outputs = await self._do(lambda: resource.update(inputs))
        return UpdateResponse(property_map(state | outputs))

    async def delete(self, request: DeleteRequest) -> None:
        """Remove the resource; what is gone already is no failure."""
        resource, state = _resource(request.type), plain_map(request.properties)
        await self._do(lambda: resource.delete(request.resource_id, state))

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def check(resource: Resource[Any], given: JsonObject) -> list[tuple[str, str]]:
    """The path and fault of every wrong property; what is not known yet is not judged."""
    try:
        resource.inputs(**given)
    except ValidationError as error:
        # A property that holds an unknown is judged in the real run, when it is known.
        return [(path, reason) for path, reason in problems(error) if not _is_unknown(given, path)]
    return []


def diff(resource: Resource[Any], old: JsonObject, new: JsonObject) -> dict[str, PropertyDiffKind]:
    """The input properties that differ in meaning, and how."""
    before, after = _completed(resource, old), _completed(resource, new)
    fields = [field.alias or name for name, field in resource.inputs.model_fields.items()]
    return {
        key: _diff_kind(key in old, key in new, key in resource.replaced_by)
        for key in fields
        if before.get(key) != after.get(key)
    }


def version() -> str:
    """The version of the package that this provider is part of."""
    return importlib.metadata.version("diversite")


def main() -> None:
    """Serve one engine: print the port, answer, and end when the engine does."""
    asyncio.run(_serve())


class _Servicer(ProviderServicer):
    """The SDK's, except that a failure the user can mend is told in its own words, without a traceback."""

    async def Create(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        return await _in_own_words(super().Create, request, context)

    async def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await _in_own_words(super().Read, request, context)

    async def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await _in_own_words(super().Update, request, context)

    async def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await _in_own_words(super().Delete, request, context)


async def _in_own_words(answer: Callable[[Any, Any], Any], request: Any, context: Any) -> Any:
    try:
        return await answer(request, context)
    except Exception as error:
        cause = error.__context__
        if isinstance(cause, LabError):
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(cause))
        raise


async def _serve() -> None:
    limits = [
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ]
    server = grpc.aio.server(options=limits)
    engine = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    servicer = _Servicer(sys.argv[1:], version(), LabProvider(), engine)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await _engine_ended()
    # Work in hand would go on for nobody.
    os._exit(0)


async def _engine_ended() -> None:
    """Wait until the process that started this one is gone."""
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(ENGINE_CHECK_SECONDS)


def _resource(token: str) -> Resource[Any]:
    try:
        return BY_TOKEN[token.rpartition("$")[2]]  # the SDK hands over the whole chain of parents' types
    except KeyError:
        raise LabError(f"{token!r} is not a resource of the lab: it has {', '.join(BY_TOKEN)}") from None


def _completed(resource: Resource[Any], state: JsonObject) -> JsonObject:
    known = {field.alias or name for name, field in resource.inputs.model_fields.items()}
    given = {key: value for key, value in state.items() if key in known}
    try:
        completed: JsonObject = resource.inputs(**given).completed()
    except ValidationError:
        return given
    return completed


def _identity(resource: Resource[Any], state: JsonObject) -> str:
    return "" if holds_unknown(state) else resource.identity(resource.inputs(**state))


def _previewed(resource: Resource[Any], state: JsonObject) -> dict[str, PropertyValue]:
    return property_map(state | dict.fromkeys(resource.outputs, UNKNOWN))


def _is_unknown(given: JsonObject, path: str) -> bool:
    return holds_unknown(given.get(path.replace("[", ".").split(".")[0])) or (not path and holds_unknown(given))


def _diff_kind(was: bool, is_now: bool, replaces: bool) -> PropertyDiffKind:
    if not was:
        return PropertyDiffKind.ADD_REPLACE if replaces else PropertyDiffKind.ADD
    if not is_now:
        return PropertyDiffKind.DELETE_REPLACE if replaces else PropertyDiffKind.DELETE
    return PropertyDiffKind.UPDATE_REPLACE if replaces else PropertyDiffKind.UPDATE


if __name__ == "__main__":
    main()
