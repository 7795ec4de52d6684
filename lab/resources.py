"""The lab's resources as the provider handles them: seven kinds of one shape.

Each knows its inputs, which of them cannot change in place, its identity, and how to create, read, update and delete
itself in the world. Below a world, an identity is a name within it, so that one resource can name another by its id.
The state remembers the world; an import, which has no state, says `<world>/<identity>`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Generic, TypeVar

from diversite.errors import LabError
from lab import certificates, genesis, host, keys, service, wire, world
from lab.files import JsonObject, read_json
from lab.inputs import (
    CertificateInputs,
    GenesisInputs,
    HostInputs,
    KeysInputs,
    ServiceInputs,
    WireInputs,
    WorldInputs,
    _Inputs,
)
from lab.world import World

I = TypeVar("I", bound=_Inputs)  # noqa: E741
PACKAGE = "lab"


@dataclass(frozen=True, kw_only=True)
class Resource(Generic[I]):
    """One kind of resource."""

    name: str
    inputs: type[I]
    replaced_by: frozenset[str]
    """Properties that cannot change in place."""
    outputs: dict[str, str]
    """Computed properties and their type in the schema."""
    identity: Callable[[I], str]
    create: Callable[[I], JsonObject]
    update: Callable[[I], JsonObject]
    find: Callable[[str, JsonObject], tuple[JsonObject, JsonObject] | None]
    """Of an identity and the state remembered: inputs and outputs as they are; None if it is gone."""
    delete: Callable[[str, JsonObject], None]
    """Of an identity and the state remembered."""

    @property
    def token(self) -> str:
        """The type token."""
        return f"{PACKAGE}:index:{self.name}"


def _world_outputs(found: World) -> JsonObject:
    return {
        "pid": found.pid,
        "directory": str(found.layout.directory),
        "wireKind": found.wire_kind,
        "images": found.images,
    }


def _create_world(inputs: WorldInputs) -> JsonObject:
    return _world_outputs(world.create(inputs.name, inputs.owner, inputs.seed))


def _find_world(identity: str, _state: JsonObject) -> tuple[JsonObject, JsonObject] | None:
    found = world.find(identity)
    if found is None:
        return None
    inputs = {key: found.record[key] for key in ("name", "owner", "seed") if found.record[key] != 0}
    return inputs, _world_outputs(found)


def _delete_world(identity: str, state: JsonObject) -> None:
    record = read_json(world.layout_of(identity).record) or {}
    if record and state.get("owner", record["owner"]) != record["owner"]:
        raise LabError(f"lab {identity!r} belongs to {record['owner']!r}, not to {state['owner']!r}: it was not ended")
    world.down(identity)


def _create_host(inputs: HostInputs) -> JsonObject:
    return {"warnings": host.create(world.require(inputs.world), inputs)}


def _update_host(inputs: HostInputs) -> JsonObject:
    return {"warnings": host.update(world.require(inputs.world), inputs)}


def _find_host(identity: str, state: JsonObject) -> tuple[JsonObject, JsonObject] | None:
    found, (name,) = _place(identity, state)
    record = host.find(found, name) if found else None
    return (record, {"warnings": state.get("warnings", [])}) if record else None


def _delete_host(identity: str, state: JsonObject) -> None:
    found, (name,) = _place(identity, state)
    if found:
        host.delete(found, name)


def _create_wire(inputs: WireInputs) -> JsonObject:
    found = world.require(inputs.world)
    wire.create(found, inputs)
    return {"kind": wire.kind_of(found, inputs)}


def _update_wire(inputs: WireInputs) -> JsonObject:
    found = world.require(inputs.world)
    wire.update(found, inputs)
    return {"kind": wire.kind_of(found, inputs)}


def _find_wire(identity: str, state: JsonObject) -> tuple[JsonObject, JsonObject] | None:
    found, (name,) = _place(identity, state)
    record = wire.find(found, name) if found else None
    return (record["inputs"], {"kind": record["kind"]}) if record else None


def _delete_wire(identity: str, state: JsonObject) -> None:
    found, (name,) = _place(identity, state)
    if found:
        wire.delete(found, name)


def _create_service(inputs: ServiceInputs) -> JsonObject:
    found = world.require(inputs.world)
    service.create(found, inputs)
    return _service_outputs(found, inputs.host, inputs.name)


def _update_service(inputs: ServiceInputs) -> JsonObject:
    found = world.require(inputs.world)
    service.update(found, inputs)
    return _service_outputs(found, inputs.host, inputs.name)


def _service_outputs(found: World, host_name: str, name: str) -> JsonObject:
    return {"log": str(found.layout.service_log(host_name, name) / "current")}


def _find_service(identity: str, state: JsonObject) -> tuple[JsonObject, JsonObject] | None:
    found, (host_name, name) = _place(identity, state)
    record = service.find(found, host_name, name) if found else None
    return (record, _service_outputs(found, host_name, name)) if record and found else None


def _delete_service(identity: str, state: JsonObject) -> None:
    found, (host_name, name) = _place(identity, state)
    if found:
        service.delete(found, host_name, name)


def _create_keys(inputs: KeysInputs) -> JsonObject:
    return keys.outputs(keys.create(world.require(inputs.world), inputs))


def _find_keys(identity: str, state: JsonObject) -> tuple[JsonObject, JsonObject] | None:
    found, inputs = _keys_place(identity, state)
    public = keys.find(found, inputs) if found else None
    return (inputs.record(), keys.outputs(public)) if public else None


def _delete_keys(identity: str, state: JsonObject) -> None:
    found, inputs = _keys_place(identity, state)
    if found:
        keys.delete(found, inputs)


def _create_genesis(inputs: GenesisInputs) -> JsonObject:
    return {"kept": genesis.create(world.require(inputs.world), inputs)}


def _find_genesis(identity: str, state: JsonObject) -> tuple[JsonObject, JsonObject] | None:
    name, _ = world_and_identity(identity, state)
    found = world.find(name)
    kept = genesis.find(found) if found else None
    return ({"world": name, "document": kept}, {"kept": kept}) if kept is not None else None


def _delete_genesis(identity: str, state: JsonObject) -> None:
    found = world.find(world_and_identity(identity, state)[0])
    if found:
        genesis.delete(found)


def _create_certificate(inputs: CertificateInputs) -> JsonObject:
    return certificates.outputs(certificates.create(world.require(inputs.world), inputs))


def _find_certificate(identity: str, state: JsonObject) -> tuple[JsonObject, JsonObject] | None:
    found, inputs = _certificate_place(identity, state)
    shown = certificates.find(found, inputs) if found else None
    return (inputs.record(), certificates.outputs(shown)) if shown else None


def _delete_certificate(identity: str, state: JsonObject) -> None:
    found, inputs = _certificate_place(identity, state)
    if found:
        certificates.delete(found, inputs)


def world_and_identity(identity: str, state: JsonObject) -> tuple[str, str]:
    """The name of a resource's world and its identity in it, from the state or from an import's words."""
    if "world" in state:
        return state["world"], identity
    name, _, rest = identity.partition("/")
    return name, rest


def _place(identity: str, state: JsonObject) -> tuple[World | None, list[str]]:
    name, rest = world_and_identity(identity, state)
    return world.find(name), rest.split("/")


def _keys_place(identity: str, state: JsonObject) -> tuple[World | None, KeysInputs]:
    name, rest = world_and_identity(identity, state)
    host_name, _, path = rest.partition("/")
    return world.find(name), KeysInputs(world=name, host=host_name, path=f"/{path}", kind="cometbft")


def _certificate_place(identity: str, state: JsonObject) -> tuple[World | None, CertificateInputs]:
    """An identity is `<host>@<address>/<path>`."""
    name, rest = world_and_identity(identity, state)
    where, _, path = rest.partition("/")
    host_name, _, address = where.partition("@")
    inputs = CertificateInputs(world=name, host=host_name, path=f"/{path}", address=IPv4Address(address))
    return world.find(name), inputs


RESOURCES: tuple[Resource[Any], ...] = (
    Resource(
        name="World",
        inputs=WorldInputs,
        replaced_by=frozenset({"name", "owner", "seed"}),
        outputs={"pid": "integer", "directory": "string", "wireKind": "string", "images": "boolean"},
        identity=lambda inputs: inputs.name,
        create=_create_world,
        update=_create_world,
        find=_find_world,
        delete=_delete_world,
    ),
    Resource(
        name="Host",
        inputs=HostInputs,
        replaced_by=frozenset({"world", "name", "site", "kind", "networks", "gateway", "dataMebibytes"}),
        outputs={"warnings": "array"},
        identity=lambda inputs: inputs.name,
        create=_create_host,
        update=_update_host,
        find=_find_host,
        delete=_delete_host,
    ),
    Resource(
        name="Wire",
        inputs=WireInputs,
        replaced_by=frozenset({"world", "name", "a", "b"}),
        outputs={"kind": "string"},
        identity=lambda inputs: inputs.name,
        create=_create_wire,
        update=_update_wire,
        find=_find_wire,
        delete=_delete_wire,
    ),
    Resource(
        name="Service",
        inputs=ServiceInputs,
        replaced_by=frozenset({"world", "host", "name"}),
        outputs={"log": "string"},
        identity=lambda inputs: f"{inputs.host}/{inputs.name}",
        create=_create_service,
        update=_update_service,
        find=_find_service,
        delete=_delete_service,
    ),
    Resource(
        name="Keys",
        inputs=KeysInputs,
        replaced_by=frozenset({"world", "host", "path", "kind"}),
        outputs={
            "validatorPublicKey": "string",
            "validatorAddress": "string",
            "nodeId": "string",
            "createdAt": "string",
        },
        identity=lambda inputs: f"{inputs.host}{inputs.path}",
        create=_create_keys,
        update=_create_keys,
        find=_find_keys,
        delete=_delete_keys,
    ),
    Resource(
        name="Genesis",
        inputs=GenesisInputs,
        replaced_by=frozenset({"world"}),
        outputs={"kept": "string"},
        identity=lambda _inputs: "genesis",
        create=_create_genesis,
        update=_create_genesis,
        find=_find_genesis,
        delete=_delete_genesis,
    ),
    Resource(
        name="Certificate",
        inputs=CertificateInputs,
        replaced_by=frozenset({"world", "host", "path", "address"}),
        outputs={"certificate": "string"},
        identity=lambda inputs: f"{inputs.host}@{inputs.address}{inputs.path}",
        create=_create_certificate,
        update=_create_certificate,
        find=_find_certificate,
        delete=_delete_certificate,
    ),
)

BY_TOKEN = {resource.token: resource for resource in RESOURCES}
