"""How configuration becomes text: templates for languages of their own, YAML and TOML for data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from io import StringIO
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from ruamel.yaml import YAML

Table = Mapping[str, str | int | bool]


def render(template: str, **values: object) -> str:
    """The text of `services/templates/<template>` with these values; a name that it lacks is an error."""
    return _environment().get_template(template).render(values)


def verbatim(template: str) -> str:
    """The text of `services/templates/<template>` as it stands, for what is no template: shell has braces too."""
    environment = _environment()
    loader = environment.loader
    assert loader is not None  # noqa: S101  it is given below
    return loader.get_source(environment, template)[0]


def yaml(document: Mapping[str, Any]) -> str:
    """A document as YAML, keys in the order given, no line folded."""
    writer = YAML()
    writer.width = 10_000
    writer.indent(mapping=2, sequence=4, offset=2)
    text = StringIO()
    writer.dump(document, text)
    return text.getvalue()


def toml(tables: Mapping[str, Table]) -> str:
    """Tables of plain values as TOML; the table named "" comes first and has no heading. JSON's scalars are TOML's."""
    return "\n".join(_table(name, table) for name, table in tables.items())


def _table(name: str, table: Table) -> str:
    head = [f"[{name}]"] if name else []
    return "\n".join([*head, *(f"{key} = {json.dumps(value)}" for key, value in table.items())]) + "\n"


@cache
def _environment() -> Environment:
    return Environment(  # configuration files, not HTML: escaping would corrupt them
        loader=PackageLoader("services"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701
    )
