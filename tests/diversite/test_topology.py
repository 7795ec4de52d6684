"""What the classes of a stack file promise, and that everything generated from them is current."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import TypeAdapter, ValidationError

from diversite import stackfile, topology
from diversite.stackfile import reference
from diversite.topology import Date, Name, Objective, PlaceId, Site, Topology
from tests.support.topologies import topologies

ROOT = Path(__file__).parents[2]
EUROPE = stackfile.load(ROOT / "stacks" / "europe.yaml")


SCHEMA = topology.schema()
FIELDS = [
    pytest.param(value, id=f"{part['title']}.{key}")
    for part in (SCHEMA, *SCHEMA["$defs"].values())
    for key, value in part["properties"].items()
]


def unbounded(value: dict[str, Any]) -> Iterator[str]:
    """What in a value of the schema has no largest size."""
    limits = {"string": ("maxLength", "pattern", "enum", "const", "format"), "array": ("maxItems",)}
    limits |= {"object": ("maxProperties", "propertyNames"), "number": ("maximum",), "integer": ("maximum", "enum")}
    if "$ref" not in value and not any(limit in value for limit in limits[value["type"]]):
        yield value["type"]
    if "items" in value:
        yield from unbounded(value["items"])


@pytest.mark.parametrize("value", FIELDS)
def test_every_field_says_what_it_means(value: dict[str, Any]) -> None:
    """Each field of a stack file has a sentence that editors and the reference show."""
    assert value.get("description") or SCHEMA["$defs"][value["$ref"].rsplit("/", 1)[-1]]["description"]


@pytest.mark.parametrize("value", FIELDS)
def test_every_field_is_bounded(value: dict[str, Any]) -> None:
    """No text, number, list or map of a stack file may be of any size."""
    assert list(unbounded(value)) == []


def test_a_topology_cannot_be_changed() -> None:
    """What was judged stays what was judged."""
    with pytest.raises(ValidationError, match="frozen"):
        EUROPE.sites["par"].at = "aws/eu-west-1/euw1-az1"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["a", "par", "par-2", "abcdefghijklmnop"])
def test_names(name: str) -> None:
    """A name is short, lower case, and begins with a letter."""
    assert TypeAdapter(Name).validate_python(name) == name


@pytest.mark.parametrize("name", ["", "Par", "2par", "-par", "par-", "par_2", "abcdefghijklmnopq", "par\n", "pär"])
def test_names_that_are_none(name: str) -> None:
    """What a provider would refuse in a resource's name is refused in the file."""
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(name)


@pytest.mark.parametrize("place", ["aws/eu-west-3", "aws/eu-west-3/euw3-az1/x", "azure/a/b", "aws//b", "aws/a/b\n"])
def test_places_that_are_none(place: str) -> None:
    """A place has a provider that is known, a region and a zone."""
    with pytest.raises(ValidationError):
        TypeAdapter(PlaceId).validate_python(place)


def test_a_date_may_be_quoted() -> None:
    """YAML 1.2 has no dates, so a text is taken as one; a number never is."""
    adapter = TypeAdapter(Date)
    assert adapter.validate_python("2026-11-22", strict=True).day == 22
    for wrong in ("2026-11-31", 0, "soon"):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong, strict=True)


def test_while_is_spelled_as_in_the_file() -> None:
    """`while` is a word of Python, so the class calls it `while_`; a stack file does not."""
    assert Objective.model_validate({"any": "site", "while": "maintenance"}).while_ == "maintenance"
    assert "while_" not in json.dumps(topology.schema())


def test_unknown_keys_are_refused() -> None:
    """A misspelt key is never silently without effect."""
    with pytest.raises(ValidationError):
        Site.model_validate({"at": "aws/eu-west-3/euw3-az1", "acount": "main"})


@given(topologies())
@settings(max_examples=30, deadline=None)
def test_a_topology_goes_through_json(venue: Topology) -> None:
    """A topology handed on as JSON is the same on the other side."""
    assert Topology.model_validate_json(venue.model_dump_json(by_alias=True)) == venue


def test_generated_files_are_current() -> None:
    """The editors' schema and the reference page say what the classes say; `scripts/schema` writes them."""
    written = json.loads((ROOT / "stacks" / "topology.schema.json").read_text(encoding="utf-8"))
    assert written == topology.schema()
    assert (ROOT / "docs" / "topology.md").read_text(encoding="utf-8") == reference.markdown()


def test_the_script_agrees() -> None:
    """`scripts/schema --check` ends 0 where nothing is stale."""
    ended = subprocess.run([ROOT / "scripts" / "schema", "--check"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_schema_is_closed() -> None:
    """An editor refuses what the reader refuses: unknown keys, names of another form, empty values."""
    for part in (SCHEMA, *SCHEMA["$defs"].values()):
        assert part["additionalProperties"] is False
        for value in part["properties"].values():
            assert value.get("type") != "object" or "propertyNames" in value or value["additionalProperties"] is False
    assert '"null"' not in json.dumps(SCHEMA)
