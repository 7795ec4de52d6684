"""What may be asked of the lab: the inputs of each resource, typed and checked.

Names are camelCase where Pulumi sends them and snake_case here. A wrong input is told by its property's path, its
value and what is allowed; a value that is not known yet (a preview) is not judged.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from lab.layout import INSIDE

NAME_LENGTH_MAX = 63
INTERFACE_LENGTH_MAX = 15
DELAY_MICROSECONDS_MAX = 10_000_000
PER_MILLION = 1_000_000
DATA_MEBIBYTES_MIN = 8

Name = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", min_length=1, max_length=NAME_LENGTH_MAX)
]
Interface = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9.-]*$", max_length=INTERFACE_LENGTH_MAX)]
Tags = dict[str, str]


def _on_host(path: str, host: str | None) -> str:
    """The path, if it is on the host (on any host, if that one is not known)."""
    below = INSIDE / "hosts" / (host or "")
    if ".." in PurePosixPath(path).parts or not PurePosixPath(path).is_relative_to(below):
        raise ValueError(f"{path!r} must be an absolute path below {below}, without '..'")
    return path


class _Inputs(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, populate_by_name=True)

    def record(self) -> dict[str, Any]:
        """The inputs as Pulumi sends them, as JSON: what was given, no defaults."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)

    def completed(self) -> dict[str, Any]:
        """The inputs as JSON with every default: two that mean the same are equal."""
        return self.model_dump(mode="json", by_alias=True)


class WorldInputs(_Inputs):
    """A lab."""

    name: Name
    owner: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """`<project>/<stack>`: an existing lab of another owner is refused."""
    seed: int = 0
    """What the userspace wire draws loss and jitter from."""


class Network(_Inputs):
    """A host's place on a LAN of its site."""

    name: Name
    interface: Interface
    address: IPv4Interface


class HostInputs(_Inputs):
    """A machine, or a site's router, which holds the bridges of the site's LANs."""

    world: Name
    name: Name
    site: Name
    kind: Literal["host", "router"]
    networks: tuple[Network, ...]
    gateway: IPv4Address | None = None
    data_mebibytes: Annotated[int, Field(ge=0, le=1 << 20)] = 0
    """Size of the disk's own filesystem; 0 for a plain directory."""
    firewall: Annotated[str, StringConstraints(max_length=1 << 20)] | None = None
    sysctls: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_./-]*$")], str | int] = {}
    tags: Tags = {}

    @field_validator("data_mebibytes")
    @classmethod
    def _holds_a_filesystem(cls, value: int) -> int:
        if 0 < value < DATA_MEBIBYTES_MIN:
            raise ValueError(f"must be 0, for a plain directory, or at least {DATA_MEBIBYTES_MIN}")
        return value


class WireEnd(_Inputs):
    """One end of a wire: an interface on a host."""

    host: Name
    interface: Interface
    address: IPv4Interface


class WireInputs(_Inputs):
    """A link between two hosts; without delay, jitter and loss it is a bare pair of interfaces."""

    world: Name
    name: Name
    a: WireEnd
    b: WireEnd
    delay_microseconds: Annotated[int, Field(ge=0, le=DELAY_MICROSECONDS_MAX)]
    """One way."""
    jitter_microseconds: Annotated[int, Field(ge=0, le=DELAY_MICROSECONDS_MAX)] = 0
    """How much later or earlier than the delay, uniformly; packets keep their order."""
    loss_per_million: Annotated[int, Field(ge=0, le=PER_MILLION)] = 0
    carrier: str = ""
    tags: Tags = {}

    @field_validator("b")
    @classmethod
    def _ends_differ(cls, b: WireEnd, known: ValidationInfo) -> WireEnd:
        if "a" in known.data and known.data["a"].host == b.host:
            raise ValueError(f"a.host and b.host are both {b.host!r}: a wire joins two hosts")
        return b

    def impaired(self) -> bool:
        """Whether something must stand between the two ends."""
        return bool(self.delay_microseconds or self.jitter_microseconds or self.loss_per_million)


class KeysInputs(_Inputs):
    """Keys made on a host, which never leave it."""

    world: Name
    host: Name
    path: str
    """CometBFT's home: keys go to `config/`, the signing state to `data/`."""
    kind: Literal["cometbft"]

    @field_validator("path")
    @classmethod
    def _is_on_the_host(cls, path: str, known: ValidationInfo) -> str:
        return _on_host(path, known.data.get("host"))


class GenesisInputs(_Inputs):
    """What a chain begins with, kept as it was first made."""

    world: Name
    document: Annotated[str, StringConstraints(min_length=1, max_length=1 << 20)]


class CertificateInputs(_Inputs):
    """A key made on a host, which never leaves it, and the certificate of it, signed by itself."""

    world: Name
    host: Name
    """Its name is the certificate's."""
    path: str
    """The directory of `key.pem` and `certificate.pem`."""
    address: IPv4Address
    """Where others reach the host."""

    @field_validator("path")
    @classmethod
    def _is_on_the_host(cls, path: str, known: ValidationInfo) -> str:
        return _on_host(path, known.data.get("host"))


class Ready(_Inputs):
    """How to ask a service whether it is ready, from its own host."""

    kind: Literal["http", "tcp", "none"]
    address: Annotated[str, StringConstraints(pattern=r"^[0-9.]+:[0-9]{1,5}$")] | None = None
    path: str = "/"
    seconds_max: Annotated[float, Field(gt=0, le=3600)] = 30.0

    @model_validator(mode="after")
    def _has_address(self) -> Ready:
        if self.kind != "none" and self.address is None:
            raise ValueError(f"kind {self.kind!r} needs an address, such as 127.0.0.1:26657")
        return self


class ServiceInputs(_Inputs):
    """A supervised process on a host, with the files it reads."""

    world: Name
    host: Name
    name: Name
    command: Annotated[tuple[str, ...], Field(min_length=1)]
    files: dict[str, str] = {}
    """Absolute path on the host to content."""
    environment: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], str] = {}
    ready: Ready | None = None
    restart: bool = True
    tags: Tags = {}

    @field_validator("files")
    @classmethod
    def _are_on_the_host(cls, files: dict[str, str], known: ValidationInfo) -> dict[str, str]:
        return {_on_host(path, known.data.get("host")): content for path, content in files.items()}


def problems(error: ValidationError) -> list[tuple[str, str]]:
    """Each wrong property's path and what is wrong with it: the value, and what is allowed."""
    return [(_path(item["loc"]), _reason(dict(item))) for item in error.errors()]


def _path(location: tuple[str | int, ...]) -> str:
    return "".join(_step(part) for part in location if part != "[key]").lstrip(".")


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if part.isidentifier() else f'["{part}"]'


def _reason(item: dict[str, Any]) -> str:
    if item["type"] in ("missing", "extra_forbidden"):
        return {"missing": "is required", "extra_forbidden": "is not a property of this resource"}[item["type"]]
    message = str(item["msg"]).removeprefix("Value error, ")
    given = item["input"]
    return f"is {given!r}: {message}" if isinstance(given, str | int | float | bool) else message
