"""The shape of a stack file: pydantic's errors told in the words of the stack file.

`check` gives a topology or findings: the path of each problem, and a predicate whose subject is the value there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from diversite.closest import did_you_mean
from diversite.consistency import Finding, Parts, Steps
from diversite.topology import (
    Consensus,
    Engine,
    Link,
    Monitor,
    Objective,
    OrderEntry,
    Release,
    Site,
    Topology,
    Validator,
    schema,
)

Part = TypeVar("Part", bound=BaseModel)
_Context = Mapping[str, Any]


def check(data: Mapping[str, Any]) -> tuple[Topology | None, list[Finding]]:
    """The topology that `data` is, or what keeps it from being one."""
    try:
        return _whole(Topology, data), []
    except ValidationError as error:
        return None, [_finding(each) for each in error.errors(include_url=False, include_input=False)]


def well_formed(data: Mapping[str, Any]) -> Parts:
    """The parts of `data` that are well-formed, each by itself; a malformed one is there as None."""
    survive = data.get("survive")
    objectives = enumerate(survive) if isinstance(survive, tuple) else ()
    return Parts(
        consensus=_part(Consensus, data.get("consensus", {})),
        survive={index: _part(Objective, each) for index, each in objectives},
        sites=_section(Site, data.get("sites")),
        validators=_section(Validator, data.get("validators")),
        engines=_section(Engine, data.get("engines")),
        links=_section(Link, data.get("links")),
        order_entry=_section(OrderEntry, data.get("order_entry")),
        monitoring=_section(Monitor, data.get("monitoring")),
        releases=_section(Release, data.get("releases")),
    )


def _whole(model: type[Part], data: object) -> Part:
    return model.model_validate(data, strict=True, by_alias=True, by_name=False)


def _part(model: type[Part], data: object) -> Part | None:
    try:
        return _whole(model, data)
    except ValidationError:
        return None


def _section(model: type[Part], data: object) -> dict[str, Part | None]:
    if not isinstance(data, dict):
        return {}
    return {name: _part(model, each) for name, each in data.items()}


def _finding(error: Mapping[str, Any]) -> Finding:
    path: Steps = tuple(step for step in error["loc"] if step != "[key]")
    kind, context = str(error["type"]), error.get("ctx", {})
    if kind == "extra_forbidden":
        return path, _unknown_key(path)
    if kind == "missing":
        return path, f"is missing{_purpose(path)}"
    tell = _SENTENCES.get(kind)
    return path, tell(context) if tell else f"is refused: {error['msg']}"


def _unknown_key(path: Steps) -> str:
    known = list(_schema_at(path[:-1]).get("properties", {}))
    return f"is not a key here{did_you_mean(str(path[-1]), known)}; the keys are {', '.join(known)}"


def _purpose(path: Steps) -> str:
    described = _schema_at(path)
    text = described.get("description", "")
    return f"; write it: {text.splitlines()[0]}" if text else "; write it"


def _literal(context: _Context) -> str:
    return f"is not one of {context['expected']}"


def _pattern(context: _Context) -> str:
    return f"is not {_PATTERNS.get(context['pattern'], 'of the form ' + context['pattern'])}"


def _wrong_type(wanted: str) -> Callable[[_Context], str]:
    return lambda context: f"is not {wanted}"


def _bound(words: str, key: str) -> Callable[[_Context], str]:
    return lambda context: f"is not {words} {context[key]}"


def _too_many(context: _Context) -> str:
    return f"is too much: at most {context['max_length']} are allowed here"


def _too_few(context: _Context) -> str:
    return f"is too little: at least {context['min_length']} must be here"


_PATTERNS: dict[str, str] = {}
_TEXT = _wrong_type("a text; put it in quotes if it is meant as one")
_MAP = _wrong_type("a map; write `key: value` lines under it, or remove the key")
_SENTENCES: dict[str, Callable[[_Context], str]] = {
    "literal_error": _literal,
    "string_pattern_mismatch": _pattern,
    "string_type": _TEXT,
    "int_type": _wrong_type("a whole number"),
    "float_type": _wrong_type("a number"),
    "date_type": _wrong_type("a date; write it as 2026-11-22"),
    "dict_type": _MAP,
    "model_type": _MAP,
    "tuple_type": _wrong_type("a list; write `[a, b]`, or lines that begin with `- `"),
    "greater_than": _bound("more than", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "less_than_equal": _bound("at most", "le"),
    "string_too_long": lambda context: f"is too long: at most {context['max_length']} characters are allowed",
    "string_too_short": lambda context: f"is too short: at least {context['min_length']} characters are wanted",
    "too_long": _too_many,
    "too_short": _too_few,
}


@cache
def _schema() -> dict[str, Any]:
    return schema()


def _schema_at(path: Steps) -> Mapping[str, Any]:
    """JSON schema of the value at `path`; empty where the schema has no such place."""
    here: Mapping[str, Any] = _resolved(_schema())
    for step in path:
        below = here.get("items", {}) if isinstance(step, int) else _member(here, step)
        here = _resolved(below)
    return here


def _member(here: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    if key in here.get("properties", {}):
        return dict(here["properties"][key])
    every = [*here.get("patternProperties", {}).values(), here.get("additionalProperties")]
    return next((dict(each) for each in every if isinstance(each, dict)), {})


def _resolved(here: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in here:
        target = _schema()["$defs"][here["$ref"].rsplit("/", 1)[-1]]
        return {**target, **{key: value for key, value in here.items() if key != "$ref"}}
    return here
