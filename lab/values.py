"""Between Pulumi's property values and plain JSON, with what is not known yet kept apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import rpc

from lab.files import JsonObject


class Unknown:
    """A value that only the real run will know."""

    def __repr__(self) -> str:
        """As it is told to a person."""
        return "a value not known yet"


UNKNOWN = Unknown()


def plain_map(values: Mapping[str, PropertyValue]) -> JsonObject:
    """Properties as JSON: absent where null, `UNKNOWN` where not known, whole numbers as integers, secrets opened."""
    return {key: plain(value) for key, value in values.items() if value.value is not None and key[:2] != "__"}


def plain(value: PropertyValue) -> Any:
    """One property as JSON."""
    content = value.value
    # The SDK (3.272) hands an unknown over as its marker text, and cannot marshal its own Computed.
    if content == rpc.UNKNOWN:
        return UNKNOWN
    if isinstance(content, Mapping):
        return plain_map(content)
    if isinstance(content, Sequence) and not isinstance(content, str):
        return [plain(item) for item in content]
    # Numbers travel as floats.
    return int(content) if isinstance(content, float) and content.is_integer() else content


def property_map(values: JsonObject) -> dict[str, PropertyValue]:
    """JSON as properties."""
    return {key: property_of(value) for key, value in values.items()}


def property_of(value: Any) -> PropertyValue:
    """One JSON value as a property."""
    if isinstance(value, Unknown):
        return PropertyValue(rpc.UNKNOWN)
    if isinstance(value, Mapping):
        return PropertyValue(property_map(dict(value)))
    if isinstance(value, list | tuple):
        return PropertyValue([property_of(item) for item in value])
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value))
    return PropertyValue(value)


def holds_unknown(value: Any) -> bool:
    """Whether anything within is not known yet."""
    if isinstance(value, Mapping):
        return any(holds_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(holds_unknown(item) for item in value)
    return isinstance(value, Unknown)
