"""A provider's plugin, spoken to as the engine speaks to it (gRPC ResourceProvider).

`Plugin` is one process, configured once for one provider object. It translates values, strips what the provider did not
say it understands, and turns the provider's failures into `StepFailedError`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from diversite.errors import OfflineError
from offline import urns
from offline.checkpoint import ResourceState
from offline.processes import Child
from offline.values import UNKNOWN, Properties, decode, encode, keep_secrecy

_SEED_BYTES: Final = 32
_STATUS_KEY: Final = "grpc-status-details-bin"
_LOST: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)


class StepFailedError(OfflineError):
    """The provider could not do it. `partial` tells what it made nevertheless; `lost` that nobody knows what it did."""

    def __init__(self, message: str, partial: Partial | None = None, *, lost: bool = False) -> None:
        self.partial = partial
        self.lost = lost
        super().__init__(message)


@dataclass(frozen=True, kw_only=True)
class Partial:
    """A resource that exists and is not as it should be."""

    id: str
    outputs: Properties
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What a provider says of old and new inputs."""

    changed: bool
    replace_keys: tuple[str, ...] = ()
    changed_keys: tuple[str, ...] = ()
    delete_before_replace: bool = False
    stable_keys: tuple[str, ...] = ()
    """Outputs that no update changes: known at a preview of one."""
    details: Mapping[str, bool] = field(default_factory=dict)
    """Property path to whether a change of it replaces the resource."""
    known: bool = True
    """False: the provider cannot tell, so the inputs are compared."""

    @property
    def replaces(self) -> bool:
        """Whether the resource must be replaced."""
        return bool(self.replace_keys) or any(self.details.values())

    @property
    def paths(self) -> tuple[str, ...]:
        """What differs, in the finest form that the provider gave."""
        return tuple(self.details) or self.changed_keys or self.replace_keys


class Plugin:
    """One provider object's plugin process."""

    def __init__(self, package: str, child: Child) -> None:
        self.package = package
        self._child = child
        self._channel = grpc.insecure_channel(f"127.0.0.1:{child.port()}", options=_GRPC_CHANNEL_OPTIONS)
        self._stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        self._accepts_secrets = False
        self._shaken = False

    def greet(self, engine_address: str, executable: Path) -> None:
        """Handshake; a provider may not know it."""
        directory = str(executable.parent)
        try:
            answer = self._stub.Handshake(
                provider_pb2.ProviderHandshakeRequest(
                    engine_address=engine_address,
                    root_directory=directory,
                    program_directory=directory,
                    configure_with_urn=True,
                    invoke_with_preview=True,
                )
            )
        except grpc.RpcError as error:
            _unless_unimplemented(error, f"provider {self.package}: handshake")
        else:
            self._accepts_secrets, self._shaken = answer.accept_secrets, True

    def check_configuration(self, urn: str, old: Properties, new: Properties) -> Properties:
        """The provider's view of its own configuration.

        Raises:
            StepFailedError: it refuses the configuration.
        """
        request = provider_pb2.CheckRequest(
            urn=urn,
            name=urns.name_of(urn),
            type=urns.type_of(urn),
            olds=encode(old, keep_secrets=False),
            news=encode(new, keep_secrets=False),
        )
        try:
            answer = self._stub.CheckConfig(request)
        except grpc.RpcError as error:
            _unless_unimplemented(error, urn)
            return new
        _raise_failures(urn, answer.failures)
        return keep_secrecy(decode(answer.inputs), new)

    def differ_configuration(self, old: ResourceState, new: Properties) -> Difference:
        """Whether a change of configuration matters, and whether everything must be replaced for it."""
        request = provider_pb2.DiffRequest(
            urn=old.urn,
            id=old.id,
            name=urns.name_of(old.urn),
            type=old.type,
            old_inputs=encode(old.inputs, keep_secrets=False),
            olds=encode(old.outputs, keep_secrets=False),
            news=encode(new, keep_secrets=False),
        )
        try:
            return _difference(self._stub.DiffConfig(request))
        except grpc.RpcError as error:
            _unless_unimplemented(error, old.urn)
            return Difference(changed=False, known=False)

    def configure(self, urn: str, identity: str, inputs: Properties) -> None:
        """Make it ready to work."""
        variables = {f"{self.package}:config:{key}": value for key, value in inputs.items() if isinstance(value, str)}
        request = provider_pb2.ConfigureRequest(
            variables=variables,
            args=encode(inputs),
            acceptSecrets=True,
            acceptResources=True,
            sends_old_inputs=True,
            sends_old_inputs_to_delete=True,
            urn=urn,
            id=identity,
            name=urns.name_of(urn),
            type=urns.type_of(urn),
        )
        try:
            answer = self._stub.Configure(request)
        except grpc.RpcError as error:
            raise _failure(f"provider {self.package} refuses its configuration", error) from error
        if not self._shaken:
            self._accepts_secrets = answer.acceptSecrets

    def check(self, urn: str, old: Properties, new: Properties) -> Properties:
        """Inputs as the provider will store them.

        Raises:
            StepFailedError: a property is wrong; every failure of the resource at once.
        """
        request = provider_pb2.CheckRequest(
            urn=urn,
            name=urns.name_of(urn),
            type=urns.type_of(urn),
            olds=self._wire(old),
            news=self._wire(new),
            randomSeed=os.urandom(_SEED_BYTES),
        )
        answer = self._call(urn, "check", self._stub.Check, request)
        _raise_failures(urn, answer.failures)
        return self._read(answer.inputs, new)

    def differ(self, old: ResourceState, new: Properties, ignore: list[str]) -> Difference:
        """What changing the old resource to the new inputs would mean."""
        request = provider_pb2.DiffRequest(
            id=old.id,
            urn=old.urn,
            name=urns.name_of(old.urn),
            type=old.type,
            old_inputs=self._wire(old.inputs),
            olds=self._wire(old.outputs),
            news=self._wire(new),
            ignoreChanges=ignore,
        )
        return _difference(self._call(old.urn, "diff", self._stub.Diff, request))

    def create(self, state: ResourceState) -> tuple[str, Properties]:
        """Id and outputs of what was made."""
        request = provider_pb2.CreateRequest(
            urn=state.urn,
            name=urns.name_of(state.urn),
            type=state.type,
            properties=self._wire(state.inputs),
            timeout=state.custom_timeouts.get("create", 0.0),
        )
        answer = self._call(state.urn, "create", self._stub.Create, request)
        if not answer.id:
            raise StepFailedError(f"{state.urn}: create: the provider gave no id.")
        return answer.id, self._read(answer.properties, state.inputs)

    def update(self, old: ResourceState, state: ResourceState) -> Properties:
        """Outputs of what was changed."""
        request = provider_pb2.UpdateRequest(
            id=old.id,
            urn=state.urn,
            name=urns.name_of(state.urn),
            type=state.type,
            olds=self._wire(old.outputs),
            old_inputs=self._wire(old.inputs),
            news=self._wire(state.inputs),
            timeout=state.custom_timeouts.get("update", 0.0),
            ignoreChanges=state.ignore_changes,
        )
        answer = self._call(state.urn, "update", self._stub.Update, request)
        return self._read(answer.properties, state.inputs)

    def read(self, state: ResourceState) -> tuple[str, Properties, Properties]:
        """Id (empty: it is gone), outputs and inputs as they are now."""
        request = provider_pb2.ReadRequest(
            id=state.id,
            urn=state.urn,
            name=urns.name_of(state.urn),
            type=state.type,
            properties=self._wire(state.outputs),
            inputs=self._wire(state.inputs),
        )
        answer = self._call(state.urn, "read", self._stub.Read, request)
        inputs = self._read(answer.inputs, state.inputs) if answer.HasField("inputs") else state.inputs
        return answer.id, self._read(answer.properties, state.inputs), inputs

    def delete(self, state: ResourceState) -> None:
        """Remove it."""
        request = provider_pb2.DeleteRequest(
            id=state.id,
            urn=state.urn,
            name=urns.name_of(state.urn),
            type=state.type,
            properties=self._wire(state.outputs),
            old_inputs=self._wire(state.inputs),
            timeout=state.custom_timeouts.get("delete", 0.0),
        )
        self._call(state.urn, "delete", self._stub.Delete, request)

    def cancel(self) -> None:
        """Ask it to give up what it is doing."""
        try:
            self._stub.Cancel(empty_pb2.Empty())
        except grpc.RpcError as error:
            _unless_unimplemented(error, f"provider {self.package}: cancel")

    def close(self) -> None:
        """End the process."""
        self._channel.close()
        self._child.stop()

    def _wire(self, properties: Properties) -> Any:
        return encode(properties, keep_secrets=self._accepts_secrets)

    def _read(self, struct: Any, inputs: Properties) -> Properties:
        outputs = decode(struct)
        return outputs if self._accepts_secrets else keep_secrecy(outputs, inputs)

    def _call(self, urn: str, operation: str, method: Any, request: Any) -> Any:
        try:
            return method(request)
        except grpc.RpcError as error:
            raise _failure(f"{urn}: {operation}", error) from error


def compare(old: Properties, new: Properties) -> Difference:
    """The difference where no provider is asked: which top-level properties differ."""
    keys = [key for key in {**old, **new} if old.get(key, UNKNOWN) != new.get(key, UNKNOWN) or new.get(key) is UNKNOWN]
    return Difference(changed=bool(keys), changed_keys=tuple(keys))


def _difference(answer: Any) -> Difference:
    kinds = provider_pb2.PropertyDiff
    replacing = {kinds.ADD_REPLACE, kinds.DELETE_REPLACE, kinds.UPDATE_REPLACE}
    return Difference(
        changed=answer.changes == provider_pb2.DiffResponse.DIFF_SOME,
        known=answer.changes != provider_pb2.DiffResponse.DIFF_UNKNOWN,
        replace_keys=tuple(answer.replaces),
        changed_keys=tuple(answer.diffs),
        delete_before_replace=answer.deleteBeforeReplace,
        stable_keys=tuple(answer.stables),
        details={path: item.kind in replacing for path, item in answer.detailedDiff.items()},
    )


def _raise_failures(urn: str, failures: Any) -> None:
    if failures:
        listed = "; ".join(f"{item.property}: {item.reason}" if item.property else item.reason for item in failures)
        raise StepFailedError(f"{urn}: {listed}")


def _failure(what: str, error: grpc.RpcError) -> StepFailedError:
    partial = _partial(error)
    reasons = "; ".join(partial.reasons) if partial and partial.reasons else _details(error)
    lost = isinstance(error, grpc.Call) and error.code() in _LOST
    return StepFailedError(f"{what}: {reasons}", partial, lost=lost)


def _partial(error: grpc.RpcError) -> Partial | None:
    metadata: Any = error.trailing_metadata() if isinstance(error, grpc.Call) else None
    for key, value in metadata or ():
        if key == _STATUS_KEY:
            return _partial_of(status_pb2.Status.FromString(value))
    return None


def _partial_of(status: Any) -> Partial | None:
    for detail in status.details:
        failed = provider_pb2.ErrorResourceInitFailed()
        if detail.Unpack(failed):
            return Partial(id=failed.id, outputs=decode(failed.properties), reasons=tuple(failed.reasons))
    return None


def _unless_unimplemented(error: grpc.RpcError, what: str) -> None:
    if not isinstance(error, grpc.Call) or error.code() != grpc.StatusCode.UNIMPLEMENTED:
        raise _failure(what, error) from error


def _details(error: grpc.RpcError) -> str:
    return str(error.details()) if isinstance(error, grpc.Call) else str(error)
