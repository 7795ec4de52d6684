"""A stand-in for the Pulumi engine: starts the provider's executable and speaks its protocol."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import provider_pb2 as messages
from pulumi.runtime.proto import provider_pb2_grpc as services

EXECUTABLE = Path(__file__).parents[2] / "lab" / "plugin" / "pulumi-resource-lab"
Properties = dict[str, Any]


class Engine:
    """Calls of one provider, in plain JSON."""

    def __init__(self, port: int) -> None:
        self._stub: Any = services.ResourceProviderStub(grpc.insecure_channel(f"127.0.0.1:{port}"))

    def check(self, kind: str, inputs: Properties) -> list[str]:
        """The paths of the wrong properties."""
        answer = self._stub.Check(messages.CheckRequest(urn=urn(kind), news=struct(inputs)))
        return [failure.property for failure in answer.failures]

    def diff(self, kind: str, identity: str, old: Properties, new: Properties) -> Any:
        """The provider's answer."""
        request = messages.DiffRequest(urn=urn(kind), id=identity, olds=struct(old), news=struct(new))
        return self._stub.Diff(request)

    def create(self, kind: str, inputs: Properties, preview: bool = False) -> tuple[str, Properties]:
        """The identity and the state."""
        request = messages.CreateRequest(urn=urn(kind), properties=struct(inputs), preview=preview)
        answer = self._stub.Create(request)
        return answer.id, plain(answer.properties)

    def read(self, kind: str, identity: str, state: Properties | None = None) -> tuple[str, Properties, Properties]:
        """The identity, the inputs and the state; an empty identity if it is gone."""
        request = messages.ReadRequest(urn=urn(kind), id=identity, properties=struct(state or {}))
        answer = self._stub.Read(request)
        return answer.id, plain(answer.inputs), plain(answer.properties)

    def update(self, kind: str, identity: str, old: Properties, new: Properties) -> Properties:
        """The new state."""
        request = messages.UpdateRequest(urn=urn(kind), id=identity, olds=struct(old), news=struct(new))
        return plain(self._stub.Update(request).properties)

    def delete(self, kind: str, identity: str, state: Properties) -> None:
        """Remove it."""
        self._stub.Delete(messages.DeleteRequest(urn=urn(kind), id=identity, properties=struct(state)))

    def schema(self) -> str:
        """The package's schema."""
        return str(self._stub.GetSchema(messages.GetSchemaRequest()).schema)


@contextmanager
def engine() -> Iterator[Engine]:
    """A provider that runs from another directory, as the real engine's does, for as long as this lasts."""
    command = [str(EXECUTABLE), "127.0.0.1:1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/") as plugin:
        assert plugin.stdout is not None
        try:
            yield Engine(int(plugin.stdout.readline()))
        finally:
            plugin.kill()


def urn(kind: str) -> str:
    """The name that the engine would give the only resource of its kind."""
    return f"urn:pulumi:tested::tests::lab:index:{kind}::only"


def struct(values: Properties) -> struct_pb2.Struct:
    """JSON as the protocol carries it."""
    return json_format.ParseDict(values, struct_pb2.Struct())


def plain(values: struct_pb2.Struct) -> Properties:
    """What the protocol carries as JSON."""
    return dict(json_format.MessageToDict(values))
