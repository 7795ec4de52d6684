"""What the published schema of SARIF 2.1.0 demands of the parts that we write.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json: which properties an object
may have, which it must have, and the values that are closed sets. No validator of JSON schema is installed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAY = {
    "log": {"$schema", "version", "runs", "properties"},
    "run": {"tool", "invocations", "originalUriBaseIds", "columnKind", "results", "artifacts"},
    "driver": {"name", "semanticVersion", "version", "informationUri", "rules"},
    "rule": {"id", "shortDescription", "fullDescription", "help", "helpUri", "defaultConfiguration"},
    "invocation": {"executionSuccessful", "exitCode"},
    "result": {"ruleId", "ruleIndex", "level", "message", "locations", "partialFingerprints", "kind"},
    "location": {"physicalLocation", "logicalLocations"},
    "physicalLocation": {"artifactLocation", "region"},
    "artifactLocation": {"uri", "uriBaseId"},
    "region": {"startLine", "startColumn", "endLine", "endColumn"},
    "logicalLocation": {"fullyQualifiedName", "name", "kind"},
}
MUST = {
    "log": {"version", "runs"},
    "run": {"tool"},
    "driver": {"name"},
    "rule": {"id"},
    "invocation": {"executionSuccessful"},
    "result": {"message"},
    "physicalLocation": {"artifactLocation"},
    "region": {"startLine"},
}
LEVELS = {"none", "note", "warning", "error"}


def assert_valid(log: Mapping[str, Any]) -> None:
    """Fail where the schema would."""
    _assert_shape("log", log)
    assert log["version"] == "2.1.0"
    for run in log["runs"]:
        _assert_run(run)


def _assert_run(run: Mapping[str, Any]) -> None:
    _assert_shape("run", run)
    assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
    driver = run["tool"]["driver"]
    _assert_shape("driver", driver)
    rules = [rule["id"] for rule in driver["rules"]]
    assert len(rules) == len(set(rules))
    for rule in driver["rules"]:
        _assert_shape("rule", rule)
        assert rule["shortDescription"]["text"]
    for invocation in run["invocations"]:
        _assert_shape("invocation", invocation)
    for result in run["results"]:
        _assert_result(result, rules)


def _assert_result(result: Mapping[str, Any], rules: list[str]) -> None:
    _assert_shape("result", result)
    assert rules[result["ruleIndex"]] == result["ruleId"]
    assert result["level"] in LEVELS
    assert result["message"]["text"]
    assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
    for location in result["locations"]:
        _assert_shape("location", location)
        physical = location["physicalLocation"]
        _assert_shape("physicalLocation", physical)
        _assert_shape("artifactLocation", physical["artifactLocation"])
        _assert_shape("region", physical["region"])
        assert physical["region"]["startLine"] >= 1
        assert not physical["artifactLocation"]["uri"].startswith("/")
        for logical in location.get("logicalLocations", ()):
            _assert_shape("logicalLocation", logical)


def _assert_shape(kind: str, found: Mapping[str, Any]) -> None:
    assert found.keys() <= MAY[kind], f"{kind} has {sorted(found.keys() - MAY[kind])}"
    assert found.keys() >= MUST.get(kind, set()), f"{kind} lacks {sorted(MUST[kind] - found.keys())}"
