"""Rules to the SDK's policies: collects what is declared, asks the rules, and tells findings grouped by cause.

A rule about one resource is a policy of its own; rules over the stack share one policy a subject, because the SDK
deserialises every resource again for each, and one more holds all that is only advice. Inputs are collected while
single resources are judged: a provider's outputs differ between a real preview and one without the cloud.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy import Severity as SdkSeverity
from pydantic.alias_generators import to_camel

from diversite.docstrings import describe
from policies.declared import Resource, plain
from policies.expected import expected
from policies.rule import Blocker, ResourceRule, Rule, Settings, StackRule
from policies.venue import Venue

TOLD_MAX: Final = 8
"""How many resources of one cause are told each by itself; the stack's policy counts the others."""
ADVICE: Final = "advice"
Report = Callable[[str, str | None], None]
SUMMARIES: Final = {
    "placement": "The venue survives what its topology says, from where its hosts really stand.",
    "latency": "Quorums, pairs and recoveries keep the topology's bounds in time.",
    "links": "Sites are joined twice, privately, and a dead link is noticed.",
    "entrance": "Orders find an engine that can acknowledge them.",
    "monitoring": "Every node is watched, and people hear of trouble before it is a failure.",
    "security": "Nothing is open, readable or allowed that need not be.",
    "keys": "No two signers ever hold one key.",
    "tagging": "Every taggable resource says what it belongs to.",
    "size": "A mistake cannot make a bill.",
    ADVICE: "What no objective forbids and a person should know.",
}


def policies(rules: Sequence[Rule[Any]]) -> list[Policy]:
    """The SDK's policies of all rules, those about single resources first."""
    collected = Collected()
    single: list[Policy] = [_of_resource(rule, collected) for rule in rules if isinstance(rule, ResourceRule)]
    return [*single, *(_of_stack(name, found, collected) for name, found in by_policy(rules).items())]


def by_policy(rules: Iterable[Rule[Any]]) -> Mapping[str, list[StackRule[Any]]]:
    """The rules over a stack by the policy that holds them; a subject with single rules only has an empty one."""
    found: dict[str, list[StackRule[Any]]] = {}
    for rule in rules:
        if isinstance(rule, StackRule):
            found.setdefault(rule.subject if rule.mandatory else ADVICE, []).append(rule)
        else:
            found.setdefault(rule.subject, [])  # tells what its single rules only counted
    return found


class Collected:
    """What the engine has shown of a stack, and what was told of it. Calls may come from several threads."""

    def __init__(self) -> None:
        self._declared: dict[str, Resource] = {}
        self._told: Counter[tuple[str, str]] = Counter()
        self._more: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        self._guard = threading.Lock()
        self._venue: tuple[object, Venue] | None = None

    def declare(self, resource: Resource) -> None:
        """Keep the inputs of a resource; the first after a whole stack begins another run."""
        if self._venue is not None:
            self._forget()
        self._declared[resource.urn] = resource

    def _forget(self) -> None:
        with self._guard:
            self._venue = None
            self._declared.clear()
            self._told.clear()
            self._more.clear()

    def tells(self, rule: Rule[Any], cause: str, urn: str) -> bool:
        """Whether this cause may still be told of one resource by itself; if not, it is counted."""
        with self._guard:
            self._told[rule.name, cause] += 1
            if self._told[rule.name, cause] <= TOLD_MAX:
                return True
            self._more[rule.subject, rule.name, cause].append(urn)
            return False

    def more(self, subject: str) -> Iterator[tuple[str, Blocker]]:
        """What was only counted of a subject, by rule."""
        for (of, rule, cause), urns in self._more.items():
            if of == subject:
                yield rule, Blocker(cause=f"{cause} (and {TOLD_MAX} resources told by themselves)", urns=tuple(urns))

    def venue(self, resources: Iterable[PolicyResource]) -> Venue:
        """The stack of these resources, read once for all of its policies."""
        shown = sorted(resources, key=lambda resource: resource.urn)  # registered in an order that no run repeats
        key = tuple((it.urn, tuple(it.property_dependencies)) for it in shown)
        if self._venue is None or self._venue[0] != key:
            self._venue = key, Venue(resources={item.urn: self._resource(item) for item in shown}, expected=expected())
        return self._venue[1]

    def _resource(self, shown: PolicyResource) -> Resource:
        known = self._declared.get(shown.urn) or _read(shown)
        uses = {key: tuple(it.urn for it in found) for key, found in shown.property_dependencies.items()}
        return replace(known, uses=uses, parent=shown.parent.urn if shown.parent else "")


def told(rule: Rule[Any], blocker: Blocker) -> str:
    """A finding over a stack in words."""
    names = [urn.rpartition("::")[2] for urn in blocker.urns]
    rest = f" and {len(names) - TOLD_MAX} more" if len(names) > TOLD_MAX else ""
    where = f" [{len(names)} resources: {', '.join(names[:TOLD_MAX])}{rest}]" if len(names) > 1 else ""
    return f"{rule.name}: {blocker.cause}{where}. {rule.remedy}"


def schema(rules: Iterable[Rule[Any]]) -> dict[str, dict[str, Any]]:
    """The JSON schema of what a policy with these rules may be told."""
    found: dict[str, dict[str, Any]] = {}
    models: Mapping[type[Settings], None] = {rule.settings: None for rule in rules}
    for model in models:
        for name, described in _described(model).items():
            found[name] = {key: value for key, value in described.items() if key != "title"}
    return found


@cache
def _described(model: type[Settings]) -> Mapping[str, Mapping[str, Any]]:
    """The JSON schemas of settings, by name; several policies share a model."""
    describe(model)
    properties: Mapping[str, Mapping[str, Any]] = model.model_json_schema(by_alias=True).get("properties", {})
    return properties


def _of_resource(rule: ResourceRule[Any], collected: Collected) -> Policy:
    configuration = _Configuration([rule])

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if not rule.types or args.resource_type in rule.types:
            resource = _read(args)
            if not rule.types:
                collected.declare(resource)
            settings = configuration.read(args.get_config(), report)
            if settings is not None:
                _judge(rule, resource, settings[rule.settings], report, collected)

    return ResourceValidationPolicy(
        name=rule.name,
        description=rule.summary,
        validate=validate,
        enforcement_level=_level(rule.mandatory),
        severity=SdkSeverity(rule.severity),
        config_schema=_schema([rule]),
        remediation_steps=rule.remedy,
        tags=[rule.subject, *rule.benchmarks],
    )


def _judge(
    rule: ResourceRule[Any], resource: Resource, settings: Settings, report: Report, collected: Collected
) -> None:
    if rule.applies(resource):
        for cause in rule.check(resource, settings):
            if collected.tells(rule, cause, resource.urn):
                report(f"{cause}. {rule.remedy}", resource.urn)


def _of_stack(name: str, rules: Sequence[StackRule[Any]], collected: Collected) -> Policy:
    configuration = _Configuration(rules)

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        venue = collected.venue(args.resources)
        settings = configuration.read(args.get_config(), report)
        if settings is not None:
            for rule, blocker in _blockers(rules, venue, settings):
                report(told(rule, blocker), blocker.urns[0] if len(blocker.urns) == 1 else None)
        for rule_name, blocker in collected.more(name):
            report(f"{rule_name}: {blocker.cause} [{len(blocker.urns)} more resources]", None)

    return StackValidationPolicy(
        name=name,
        description=SUMMARIES[name],
        validate=validate,
        enforcement_level=_level(name != ADVICE),
        severity=_worst(rules),
        config_schema=_schema(rules),
        tags=[name],
    )


def _blockers(
    rules: Iterable[StackRule[Any]], venue: Venue, settings: Mapping[type[Settings], Settings]
) -> Iterator[tuple[StackRule[Any], Blocker]]:
    for rule in rules:
        yield from ((rule, blocker) for blocker in rule.check(venue, settings[rule.settings]))


def _read(shown: ResourceValidationArgs | PolicyResource) -> Resource:
    return Resource(
        urn=shown.urn,
        type=shown.resource_type,
        name=shown.name,
        inputs=plain(shown.props),
        protect=shown.opts.protect,
        ignore_changes=tuple(shown.opts.ignore_changes),
        delete_before_replace=bool(shown.opts.delete_before_replace),
    )


class _Configuration:
    """What the rules of one policy are told, checked; read once, because it is asked for each resource."""

    def __init__(self, rules: Sequence[Rule[Any]]) -> None:
        models: dict[type[Settings], None] = {rule.settings: None for rule in rules}
        self._keys = {model: frozenset(map(to_camel, model.model_fields)) for model in models}
        self._defaults: Mapping[type[Settings], Settings] = {model: model() for model in models}

    def read(self, given: Mapping[str, Any] | None, report: Report) -> Mapping[type[Settings], Settings] | None:
        """The settings by their class; None, and a report, where they are not allowed."""
        if not given:
            return self._defaults
        try:
            return self._parsed(plain(dict(given)))
        except ValueError as error:  # pydantic's ValidationError is one
            report(
                f"its configuration is refused, and nothing was judged: {error}. Settings tighten, never loosen.", None
            )
            return None

    def _parsed(self, given: Mapping[str, Any]) -> Mapping[type[Settings], Settings]:
        known = frozenset().union(*self._keys.values())
        if unknown := sorted(given.keys() - known):
            raise ValueError(f"{', '.join(unknown)} is not known; known are {', '.join(sorted(known)) or 'none'}")
        return {
            model: model.model_validate({key: value for key, value in given.items() if key in keys})
            for model, keys in self._keys.items()
        }


class _Schema(PolicyConfigSchema):
    """What rules may be told, described when the engine asks; who asks a pack in place never does."""

    def __init__(self, rules: Sequence[Rule[Any]]) -> None:
        self._rules = rules

    def __getattr__(self, name: str) -> Any:
        if name not in {"properties", "required"}:
            raise AttributeError(name)
        super().__init__(schema(self._rules))
        return self.__dict__[name]


def _schema(rules: Sequence[Rule[Any]]) -> PolicyConfigSchema | None:
    return _Schema(rules) if any(rule.settings.model_fields for rule in rules) else None


def _level(mandatory: bool) -> EnforcementLevel:
    return EnforcementLevel.MANDATORY if mandatory else EnforcementLevel.ADVISORY


_SEVERITIES: Final = tuple(SdkSeverity)


def _worst(rules: Iterable[Rule[Any]]) -> SdkSeverity:
    return max((SdkSeverity(rule.severity) for rule in rules), key=_SEVERITIES.index, default=SdkSeverity.HIGH)
