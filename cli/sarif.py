"""SARIF 2.1.0: findings in the form that CI systems show beside the changed lines.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html. Every result has a rule, a message and a place in a
stack file; what holds is no result, because consumers take each result for a problem.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cli.stacks import PROJECT

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What can be found."""

    id: str
    says: str
    """What must be true, in a sentence."""
    help: str = ""
    """What to do where it is not."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was found."""

    rule: Rule
    level: Level
    message: str
    file: Path
    line: int = 1
    column: int | None = None
    """From 1, in characters; None where only the line is known."""
    names: tuple[str, ...] = ()
    """What it is about, where that is no line: uniform resource names."""


def log(results: Iterable[Result], *, exit_code: int) -> dict[str, Any]:
    """The SARIF log of one run of the command."""
    found = list(results)
    rules = {result.rule.id: result.rule for result in found}
    places = {id_: position for position, id_ in enumerate(rules)}
    run = {
        "tool": {"driver": {"name": "diversite", **_version(), "rules": [_rule(rule) for rule in rules.values()]}},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The root of the checkout."}}},
        "invocations": [{"executionSuccessful": True, "exitCode": exit_code}],
        "results": [_result(result, places[result.rule.id]) for result in found],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _version() -> dict[str, str]:
    from cli.version import version

    return {"semanticVersion": version()}


def _rule(rule: Rule) -> dict[str, Any]:
    described = {"id": rule.id, "shortDescription": {"text": rule.says}}
    return described | ({"help": {"text": rule.help}} if rule.help else {})


def _result(result: Result, position: int) -> dict[str, Any]:
    region = {"startLine": max(1, result.line)} | ({"startColumn": result.column} if result.column else {})
    place: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": _artifact(result.file), "region": region},
    }
    if result.names:
        place["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "resource"} for name in result.names]
    return {
        "ruleId": result.rule.id,
        "ruleIndex": position,
        "level": result.level,
        "message": {"text": result.message},
        "locations": [place],
        "partialFingerprints": {"diversite/v1": _fingerprint(result)},
    }


def _artifact(file: Path) -> Mapping[str, str]:
    """Relative to the checkout, or to where the command runs; a file elsewhere by its whole address."""
    whole = file.resolve()
    for root in (PROJECT, Path.cwd()):
        if whole.is_relative_to(root):
            return {"uri": whole.relative_to(root).as_posix(), "uriBaseId": "%SRCROOT%"}
    return {"uri": whole.as_uri()}


def _fingerprint(result: Result) -> str:
    """The same for the same problem although its line and its figures change."""
    told = re.sub(r"\d+", "#", result.message)
    return hashlib.sha256("\n".join((result.rule.id, result.file.name, *result.names, told)).encode()).hexdigest()[:32]
