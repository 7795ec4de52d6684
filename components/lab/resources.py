"""The lab's resources for Pulumi programs: thin classes over the provider in `lab/`.

What each property means is told where it is checked, in `lab/inputs.py`. Arguments become the provider's camelCase
by name, and absent ones are not sent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pulumi

Text = pulumi.Input[str]
Tags = Mapping[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorldArgs:
    """A lab."""

    name: str
    owner: str
    """`<project>/<stack>`."""
    seed: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkAttachment:
    """A host's place on a LAN of its site."""

    name: str
    interface: str
    address: str
    """With its prefix length, such as 10.1.0.11/24."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HostArgs:
    """A machine, or a site's router."""

    world: Text
    name: str
    site: str
    kind: str
    """`host` or `router`."""
    networks: Sequence[NetworkAttachment]
    gateway: str | None = None
    data_mebibytes: int | None = None
    """The disk's own filesystem; none for a plain directory."""
    firewall: str | None = None
    sysctls: Mapping[str, str | int] | None = None
    tags: Tags | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class WireEnd:
    """One end of a wire."""

    host: Text
    interface: str
    address: str
    """With its prefix length."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class WireArgs:
    """A link between two hosts."""

    world: Text
    name: str
    a: WireEnd
    b: WireEnd
    delay_microseconds: int
    """One way."""
    jitter_microseconds: int | None = None
    loss_per_million: int | None = None
    carrier: str | None = None
    tags: Tags | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeysArgs:
    """Keys made on a host, which never leave it."""

    world: Text
    host: Text
    path: str
    """CometBFT's home, inside the lab."""
    kind: str = "cometbft"


@dataclasses.dataclass(frozen=True, kw_only=True)
class GenesisArgs:
    """What the lab's chain begins with."""

    world: Text
    document: Text


@dataclasses.dataclass(frozen=True, kw_only=True)
class CertificateArgs:
    """A key made on a host, and the certificate of it."""

    world: Text
    host: Text
    path: str
    """The directory of `key.pem` and `certificate.pem`, inside the lab."""
    address: str
    """Where others reach the host."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServiceReady:
    """How to ask a service whether it is ready."""

    kind: str
    """`http`, `tcp` or `none`."""
    address: str | None = None
    path: str | None = None
    seconds_max: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServiceArgs:
    """A supervised process on a host."""

    world: Text
    host: Text
    name: str
    command: pulumi.Input[Sequence[Text]]
    files: pulumi.Input[Mapping[str, Text]]
    """Absolute path inside the lab to content."""
    environment: pulumi.Input[Mapping[str, Text]] | None = None
    ready: pulumi.Input[ServiceReady] | None = None
    restart: pulumi.Input[bool] = True
    tags: Tags | None = None


def camel(name: str) -> str:
    """A Python name as the provider's."""
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


def _output(name: str, resource: pulumi.Resource) -> Any:
    return pulumi.get(resource, name)


class _LabResource(pulumi.CustomResource):
    """A resource of the lab; its type token is made from the class's name."""

    pulumi_type: str
    outputs: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        cls.pulumi_type = f"lab:index:{cls.__name__}"
        for name in cls.outputs:
            setattr(cls, name, property(partial(_output, camel(name))))

    def __init__(self, name: str, args: Any, opts: pulumi.ResourceOptions | None = None) -> None:
        properties = properties_of(args) | dict.fromkeys(map(camel, self.outputs))
        super().__init__(self.pulumi_type, name, properties, opts)


class World(_LabResource):
    """A lab: namespaces with a supervisor as pid 1."""

    outputs = ("pid", "directory", "wire_kind", "images")
    pid: pulumi.Output[int]
    directory: pulumi.Output[str]
    wire_kind: pulumi.Output[str]
    """`netem` or `userspace`."""
    images: pulumi.Output[bool]
    """Whether a host's disk is a filesystem of its own."""

    def __init__(self, name: str, args: WorldArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)


class Host(_LabResource):
    """A machine, or a site's router."""

    outputs = ("warnings",)
    name: pulumi.Output[str]
    warnings: pulumi.Output[Sequence[str]]
    """Kernel settings that this machine could not take."""

    def __init__(self, name: str, args: HostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)


class Wire(_LabResource):
    """A link between two hosts."""

    outputs = ("kind",)
    kind: pulumi.Output[str]
    """`bare`, `netem` or `userspace`."""

    def __init__(self, name: str, args: WireArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)


class Keys(_LabResource):
    """Keys made on a host."""

    outputs = ("validator_public_key", "validator_address", "node_id", "created_at")
    validator_public_key: pulumi.Output[str]
    """base64 of the Ed25519 key."""
    validator_address: pulumi.Output[str]
    """Upper-case hex, 20 bytes."""
    node_id: pulumi.Output[str]
    """Lower-case hex, 20 bytes."""
    created_at: pulumi.Output[str]
    """When the validator's key was made, RFC 3339 in UTC."""

    def __init__(self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)


class Genesis(_LabResource):
    """What the lab's chain began with."""

    outputs = ("kept",)
    kept: pulumi.Output[str]
    """The first document."""

    def __init__(self, name: str, args: GenesisArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)


class Certificate(_LabResource):
    """A key made on a host, and the certificate of it."""

    outputs = ("certificate",)
    certificate: pulumi.Output[str]
    """PEM."""

    def __init__(self, name: str, args: CertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)


class Service(_LabResource):
    """A supervised process on a host."""

    outputs = ("log",)
    log: pulumi.Output[str]
    """The newest log file, outside the lab."""

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)


def properties_of(args: Any) -> dict[str, Any]:
    """A dataclass as the provider's properties, without those that are absent."""
    given = ((field.name, getattr(args, field.name)) for field in dataclasses.fields(args))
    return {camel(name): _property_of(value) for name, value in given if value is not None}


def _property_of(value: Any) -> Any:
    if isinstance(value, pulumi.Output):
        return value.apply(_property_of)
    if dataclasses.is_dataclass(value):
        return properties_of(value)
    if isinstance(value, list | tuple):
        return [_property_of(item) for item in value]
    # Maps are the user's own keys, such as paths: never translated.
    return {key: _property_of(item) for key, item in value.items()} if isinstance(value, Mapping) else value
