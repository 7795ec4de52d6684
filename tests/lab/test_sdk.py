"""The classes for Pulumi programs say exactly what the provider takes and gives."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from components.lab import resources as sdk
from lab import inputs
from lab.resources import BY_TOKEN

CLASSES: list[tuple[Any, Any]] = [
    (sdk.World, sdk.WorldArgs),
    (sdk.Host, sdk.HostArgs),
    (sdk.Wire, sdk.WireArgs),
    (sdk.Keys, sdk.KeysArgs),
    (sdk.Service, sdk.ServiceArgs),
]
PARTS: list[tuple[Any, Any]] = [
    (sdk.NetworkAttachment, inputs.Network),
    (sdk.WireEnd, inputs.WireEnd),
    (sdk.ServiceReady, inputs.Ready),
]


@pytest.mark.parametrize(("resource", "args"), CLASSES)
def test_arguments_are_the_providers_inputs(resource: Any, args: Any) -> None:
    """No argument is missing, surplus, or called otherwise; outputs likewise."""
    known = BY_TOKEN[resource.pulumi_type]
    assert _names(args) == {field.alias for field in known.inputs.model_fields.values()}
    assert set(map(sdk.camel, resource.outputs)) == set(known.outputs)


@pytest.mark.parametrize(("given", "taken"), PARTS)
def test_nested_arguments_are_the_providers(given: Any, taken: Any) -> None:
    """The parts of arguments match as well."""
    assert _names(given) == {field.alias for field in taken.model_fields.values()}


def test_paths_and_variables_are_not_translated() -> None:
    """Keys of maps are the user's own words."""
    args = sdk.ServiceArgs(
        world="w", host="h", name="s", command=["true"], files={"/a_b": "x"}, environment={"MY_VAR": "1"}
    )
    sent = sdk.properties_of(args)
    assert sent["files"] == {"/a_b": "x"}
    assert sent["environment"] == {"MY_VAR": "1"}
    assert "ready" not in sent


def _names(args: Any) -> set[str]:
    return {sdk.camel(field.name) for field in dataclasses.fields(args)}
