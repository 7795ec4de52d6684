"""Property values: what travels between program, provider and state, in one Python form.

A value is None, bool, int, float, str, list, dict, `Secret` or `UNKNOWN`. The wire (protobuf Struct) knows neither of
the last two and no integers: there a secret is a tagged map, an unknown a fixed text and every number a float.
`decode` and `encode` translate, so that nothing else in this package sees a tag. Assets and resource references stay
tagged maps: the engine stores them in the same form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from google.protobuf import struct_pb2

SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the engine's public tag, not a secret
OUTPUT_SIGNATURE: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
ASSET_SIGNATURES: Final = frozenset({"c44067f5952c0a294b673a41bacd8c17", "0def7320c3a5731c473e5ecbe6d01bc7"})
UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWN_TEXTS: Final = frozenset(
    {
        UNKNOWN_TEXT,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
_INTEGER_LIMIT: Final = 2**53  # beyond it a float no longer holds every integer

Value = Any
Properties = dict[str, Value]


class _Unknown(Enum):
    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown.UNKNOWN
"""A value that only the deployment itself will tell."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that is stored encrypted and never shown; equal to another secret of the same value."""

    value: Value = field(repr=False)

    def __hash__(self) -> int:
        return hash(("secret", repr(self.value)))


def decode(struct: struct_pb2.Struct) -> Properties:
    """Properties of a wire message: keys sorted, integral numbers as int, secrets and unknowns as themselves."""
    fields = struct.fields
    return {key: _decode(fields[key]) for key in sorted(fields)}


def encode(properties: Mapping[str, Value], *, keep_secrets: bool = True) -> struct_pb2.Struct:
    """The wire form; `keep_secrets=False` for a receiver that does not know the secret tag."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _encode(value, struct.fields[key], keep_secrets)
    return struct


def plain(value: Value) -> Value:
    """The value with every secret replaced by what it holds."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def contains(value: Value, wanted: Callable[[Value], bool]) -> bool:
    """Whether the value or anything inside it is wanted."""
    if wanted(value):
        return True
    if isinstance(value, Secret):
        return contains(value.value, wanted)
    if isinstance(value, dict):
        return any(contains(item, wanted) for item in value.values())
    return isinstance(value, list) and any(contains(item, wanted) for item in value)


def has_unknown(value: Value) -> bool:
    """Whether any part of the value is unknown."""
    return contains(value, lambda item: item is UNKNOWN)


def has_secret(value: Value) -> bool:
    """Whether any part of the value is secret."""
    return contains(value, lambda item: isinstance(item, Secret))


def has_asset(value: Value) -> bool:
    """Whether any part of the value is a file or an archive."""
    return contains(value, lambda item: isinstance(item, dict) and item.get(SIGNATURE_KEY) in ASSET_SIGNATURES)


def keep_secrecy(outputs: Properties, inputs: Mapping[str, Value]) -> Properties:
    """Outputs with the secrecy of inputs of the same name, for a provider that was sent no secret tags."""
    return {key: _as_secret_as(value, inputs[key]) if key in inputs else value for key, value in outputs.items()}


def mark_secret(properties: Properties, keys: list[str] | tuple[str, ...]) -> Properties:
    """Properties in which each named key that is there is secret."""
    return {
        key: Secret(value) if key in keys and not isinstance(value, Secret) else value
        for key, value in properties.items()
    }


def _decode(value: struct_pb2.Value) -> Value:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if text in _UNKNOWN_TEXTS else text
    if kind == "number_value":
        return _number(value.number_value)
    if kind == "bool_value":
        return value.bool_value
    if kind == "struct_value":
        return _untag(decode(value.struct_value))
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    return None


def _number(number: float) -> int | float:
    return int(number) if number.is_integer() and abs(number) <= _INTEGER_LIMIT else number


def _untag(fields: Properties) -> Value:
    signature = fields.get(SIGNATURE_KEY)
    if signature == SECRET_SIGNATURE:
        return Secret(fields.get("value"))
    if signature == OUTPUT_SIGNATURE:
        value = fields.get("value", UNKNOWN)
        return Secret(value) if fields.get("secret") else value
    return fields


def _encode(value: Value, target: struct_pb2.Value, keep_secrets: bool) -> None:
    if value is None:
        target.null_value = struct_pb2.NULL_VALUE
    elif value is UNKNOWN:
        target.string_value = UNKNOWN_TEXT
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    else:
        _encode_composite(value, target, keep_secrets)


def _encode_composite(value: Value, target: struct_pb2.Value, keep_secrets: bool) -> None:
    if isinstance(value, Secret):
        _encode_secret(value, target, keep_secrets)
    elif isinstance(value, Mapping):
        fields = target.struct_value.fields
        target.struct_value.SetInParent()
        for key, item in value.items():
            _encode(item, fields[key], keep_secrets)
    elif isinstance(value, list | tuple):
        target.list_value.SetInParent()
        for item in value:
            _encode(item, target.list_value.values.add(), keep_secrets)
    else:
        raise TypeError(f"a property value of type {type(value).__name__} has no wire form: {value!r}")


def _encode_secret(secret: Secret, target: struct_pb2.Value, keep_secrets: bool) -> None:
    if not keep_secrets:
        return _encode(secret.value, target, keep_secrets)
    fields = target.struct_value.fields
    fields[SIGNATURE_KEY].string_value = SECRET_SIGNATURE
    return _encode(secret.value, fields["value"], keep_secrets)


def _as_secret_as(value: Value, model: Value) -> Value:
    if isinstance(value, dict) and isinstance(model, dict):
        return keep_secrecy(value, model)
    return Secret(value) if has_secret(model) and not isinstance(value, Secret) else value
