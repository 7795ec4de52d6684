"""How configuration becomes text: templates for languages of their own, YAML and TOML for data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml as pyyaml  # type: ignore[import-untyped]  # its stubs are a separate package
from jinja2 import Environment, PackageLoader, StrictUndefined

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
    """A document as YAML, keys in the order given, no line folded. Texts are quoted that YAML 1.1 or 1.2 could misread.

    By libyaml: a writer in Python takes longer than all else that a preview renders.
    """
    return str(pyyaml.dump(document, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=-1))


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


class _Writer(pyyaml.CSafeDumper):  # type: ignore[misc]  # the package is not typed
    """Lists are written where they are used: an anchor would puzzle who reads the file."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(writer: _Writer, text: str) -> Any:
    style = "|" if "\n" in text else "'" if text[:1] in "0123456789.+-" else None
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Writer.add_representer(str, _text)
