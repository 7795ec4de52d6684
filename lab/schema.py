"""The Pulumi package schema of the lab, made from its typed inputs."""

from __future__ import annotations

import inspect
from typing import Any

from lab.files import JsonObject
from lab.resources import PACKAGE, RESOURCES, Resource


def schema(version: str) -> JsonObject:
    """The package: every resource with its inputs and outputs, and the types they are made of."""
    types: JsonObject = {}
    resources = {resource.token: _resource(resource, types) for resource in RESOURCES}
    return {
        "name": PACKAGE,
        "version": version,
        "description": "One Linux machine as the world: hosts, wires and services in network namespaces.",
        "types": types,
        "resources": resources,
    }


def _resource(resource: Resource[Any], types: JsonObject) -> JsonObject:
    described = resource.inputs.model_json_schema(by_alias=True)
    for name, definition in described.get("$defs", {}).items():
        types[_type_token(name)] = _object(definition)
    inputs = _object(described)
    computed = {name: _output(kind) for name, kind in resource.outputs.items()}
    return {
        "description": inspect.getdoc(resource.inputs) or "",
        "inputProperties": inputs["properties"],
        "requiredInputs": inputs["required"],
        "properties": inputs["properties"] | computed,
        "required": [*inputs["required"], *computed],
    }


def _object(described: JsonObject) -> JsonObject:
    properties = {name: _property(value) for name, value in described.get("properties", {}).items()}
    return {"type": "object", "properties": properties, "required": described.get("required", [])}


def _property(described: JsonObject) -> JsonObject:
    if "$ref" in described:
        return {"$ref": f"#/types/{_type_token(described['$ref'].rpartition('/')[2])}"}
    options = [option for option in described.get("anyOf", []) if option.get("type") != "null"]
    if options:
        return _property(options[0])
    kind = described["type"]
    if kind == "array":
        return {"type": "array", "items": _property(described["items"])}
    if kind == "object":
        values = described.get("additionalProperties") or next(iter(described["patternProperties"].values()))
        return {"type": "object", "additionalProperties": _property(values)}
    return {"type": kind}


def _output(kind: str) -> JsonObject:
    return {"type": "array", "items": {"type": "string"}} if kind == "array" else {"type": kind}


def _type_token(name: str) -> str:
    return f"{PACKAGE}:index:{name}"
