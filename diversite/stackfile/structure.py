"""The shape of a stack file: pydantic's errors told in the words of the stack file.

`check` gives a topology or findings: the place of each problem, and a predicate whose subject is the value there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from diversite.stackfile.closest import did_you_mean
from diversite.stackfile.parts import NO_MAP, Finding, Parts, Steps
from diversite.topology import (
    ADDRESS_PATTERN,
    DOMAIN_PATTERN,
    IMAGE_PATTERN,
    IMAGE_PLACE_PATTERN,
    MACHINE_PATTERN,
    MARKET_PATTERN,
    NAME_LENGTH_MAX,
    NAME_PATTERN,
    OPERATOR_PATTERN,
    PLACE_PATTERN,
    SHA256_PATTERN,
    ZONE_ID_PATTERN,
    Consensus,
    Engine,
    Link,
    Monitor,
    Objective,
    OrderEntry,
    PassiveEngine,
    Queue,
    Release,
    Site,
    Store,
    Topology,
    Validator,
    schema,
)

FINDINGS_MAX = 200
Part = TypeVar("Part", bound=BaseModel)
_Schema = Mapping[str, Any]


def check(data: Mapping[str, Any]) -> tuple[Topology | None, list[Finding]]:
    """The topology that `data` is, or what keeps it from being one."""
    try:
        return _whole(Topology, data), []
    except ValidationError as error:
        told = (_finding(each) for each in error.errors(include_url=False) if not _is_echo(each))
        return None, list(islice(told, FINDINGS_MAX))


def well_formed(data: Mapping[str, Any]) -> Parts:
    """The parts of `data` that are well-formed, each by itself; a malformed one is there as None."""
    survive = data.get("survive")
    objectives = enumerate(survive) if isinstance(survive, tuple) else ()
    engines = data.get("engines")
    engines = engines if isinstance(engines, dict) else {NO_MAP: None}
    return Parts(
        consensus=_part(Consensus, data.get("consensus", {})),
        survive={index: _part(Objective, each) for index, each in objectives},
        sites=_section(Site, data.get("sites", {})),
        validators=_section(Validator, data.get("validators", {})),
        engines=_section(Engine, {name: each for name, each in engines.items() if not _is_passive(each)}),
        passive=_section(PassiveEngine, {name: each for name, each in engines.items() if _is_passive(each)}),
        stores=_section(Store, data.get("stores", {})),
        queues=_section(Queue, data.get("queues", {})),
        links=_section(Link, data.get("links", {})),
        order_entry=_section(OrderEntry, data.get("order_entry", {})),
        monitoring=_section(Monitor, data.get("monitoring", {})),
        releases=_section(Release, data.get("releases", {})),
        software=_texts(data.get("software", {})),
    )


def _whole(model: type[Part], data: object) -> Part:
    return model.model_validate(data, strict=True, by_alias=True, by_name=False)


def _part(model: type[Part], data: object) -> Part | None:
    try:
        return _whole(model, data)
    except ValidationError:
        return None


def _section(model: type[Part], data: object) -> dict[str, Part | None]:
    return {name: _part(model, each) for name, each in data.items()} if isinstance(data, dict) else {NO_MAP: None}


def _is_passive(data: object) -> bool:
    return isinstance(data, dict) and "mode" in data


def _texts(data: object) -> dict[str, str]:
    items = data.items() if isinstance(data, dict) else ()
    return {str(name): each for name, each in items if isinstance(each, str)}


def _is_echo(error: Mapping[str, Any]) -> bool:
    """Pydantic counts only the well-formed entries of a list: too short then repeats what is wrong with the others."""
    return bool(error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"])


def _finding(error: Mapping[str, Any]) -> Finding:
    steps: Steps = tuple(step for step in error["loc"] if step not in _NO_STEPS)
    kind = str(error["type"])
    of_key = "[key]" in error["loc"] or kind in {"extra_forbidden", "missing"}
    return Finding(steps, _SENTENCES.get(kind, _refused)(steps, error), of_key)


def _unknown_key(steps: Steps, _error: Mapping[str, Any]) -> str:
    known = list(_schema_at(steps[:-1]).get("properties", {}))
    return f"is not a key here{did_you_mean(str(steps[-1]), known)}; the keys are {', '.join(known)}"


def _missing(steps: Steps, _error: Mapping[str, Any]) -> str:
    purpose = str(_schema_at(steps).get("description", "")).partition(". ")[0].replace("\n", " ").rstrip(".")
    return f"is missing; write it ({purpose})"


def _literal(_steps: Steps, error: Mapping[str, Any]) -> str:
    expected = str(error["ctx"]["expected"])
    allowed = re.findall("'([^']*)'", expected) or re.findall(r"\d+", expected)
    near = did_you_mean(str(error["input"]), allowed)
    return f"is not allowed{near}; allowed: {', '.join(allowed)}"


def _pattern(_steps: Steps, error: Mapping[str, Any]) -> str:
    pattern = error["ctx"]["pattern"]
    return f"is not {_PATTERNS.get(pattern, 'of the form ' + pattern)}"


def _number(wanted: str) -> Callable[[Steps, Mapping[str, Any]], str]:
    return lambda steps, _error: f"is not {wanted}; write one {_range(steps)}, without quotes"


def _out_of_range(steps: Steps, _error: Mapping[str, Any]) -> str:
    return f"is out of range; it must be {_range(steps)}"


def _range(steps: Steps) -> str:
    here = _schema_at(steps)
    words = {"exclusiveMinimum": "above", "minimum": "at least", "maximum": "at most"}
    return " and ".join(f"{word} {here[key]}" for key, word in words.items() if key in here)


def _length(_steps: Steps, error: Mapping[str, Any]) -> str:
    unit = "characters" if "string" in error["type"] else "entries"
    if "max_length" in error["ctx"]:
        return f"has too many {unit}; at most {error['ctx']['max_length']} are allowed"
    return f"has too few {unit}; at least {error['ctx']['min_length']} must be there"


def _refused(_steps: Steps, error: Mapping[str, Any]) -> str:
    return f"is refused: {error['msg']}"


def _says(text: str) -> Callable[[Steps, Mapping[str, Any]], str]:
    return lambda _steps, _error: text


_NO_STEPS = ("[key]", "active_active", "active_passive")
"""What pydantic puts between the steps of a place: that a key is meant, and which of several classes."""
_PATTERNS = {
    NAME_PATTERN: f"a name: 1 to {NAME_LENGTH_MAX} of a-z, 0-9 and -, a letter first and no - at the end",
    PLACE_PATTERN: "a place: write provider/region/zone, the provider aws, gcp or hetzner: aws/eu-west-3/euw3-az1",
    MACHINE_PATTERN: "a machine type; write the provider's name for it, such as c7i.xlarge",
    MARKET_PATTERN: "a market: 1 to 16 of A-Z, 0-9 and -, such as BTC-PERP",
    ADDRESS_PATTERN: "an address that begins with https:// and has no spaces",
    OPERATOR_PATTERN: "an operator's key: write the base64 of an ed25519 public key, 32 bytes",
    SHA256_PATTERN: "a SHA-256: write 64 of 0-9 and a-f, in quotes",
    IMAGE_PLACE_PATTERN: "where an image is: write aws/<region>, such as aws/eu-west-3, or gcp or hetzner",
    IMAGE_PATTERN: "an image: write the provider's id of it, such as ami-0123456789abcdef0",
    DOMAIN_PATTERN: "a domain name: write it in lower case, such as venue.example",
    ZONE_ID_PATTERN: "the id of a hosted zone, such as Z0123456789ABCDEFGHIJ",
}
_TEXT = _says("is not a text; if it is meant as one, put it in quotes")
_MAP = _says("is not a map; write `key: value` under it")
_SENTENCES: dict[str, Callable[[Steps, Mapping[str, Any]], str]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "literal_error": _literal,
    "string_pattern_mismatch": _pattern,
    "string_type": _TEXT,
    "int_type": _number("a whole number"),
    "float_type": _number("a number"),
    "date_type": _says("is not a date; write it as 2026-11-22"),
    "dict_type": _MAP,
    "model_type": _MAP,
    "tuple_type": _says("is not a list; write `[a, b]`, or lines that begin with `- `"),
    "greater_than": _out_of_range,
    "greater_than_equal": _out_of_range,
    "less_than_equal": _out_of_range,
    "string_too_long": _length,
    "string_too_short": _length,
    "too_long": _length,
    "too_short": _length,
}


@cache
def _whole_schema() -> _Schema:
    return schema()


def _schema_at(steps: Steps) -> _Schema:
    """JSON schema of the value at `steps`; empty where the schema has no such place."""
    here = _whole_schema()
    for step in steps:
        here = _resolved(here.get("items", {}) if isinstance(step, int) else _member(here, step))
    return here


def _member(here: _Schema, key: str) -> _Schema:
    for choice in here.get("oneOf", [here]):
        if key in (properties := _resolved(choice).get("properties", {})):
            return dict(properties[key])
    every = [*here.get("patternProperties", {}).values(), here.get("additionalProperties")]
    return next((each for each in every if isinstance(each, dict)), {})


def _resolved(here: _Schema) -> _Schema:
    if "$ref" not in here:
        return here
    target = _whole_schema()["$defs"][here["$ref"].rsplit("/", 1)[-1]]
    return {**target, **here}
