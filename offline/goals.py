"""What the program asks for: one registration, read from the wire, with what is refused refused here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, Final

from diversite.errors import OfflineError
from offline import urns
from offline.checkpoint import ResourceState
from offline.refusals import refusal
from offline.values import Properties, decode, has_asset

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_REFUSED_FIELDS: Final = {
    "importId": "import",
    "remote": "remote component",
    "transforms": "transform",
    "state_migrations": "state migration",
    "packageRef": "package",
    "replace_with": "replace_with",
    "envVarMappings": "environment mapping",
}


@dataclass(frozen=True, kw_only=True)
class Alias:
    """A former name: a whole URN, or what of type, name, parent, project and stack was different."""

    urn: str = ""
    type: str = ""
    name: str = ""
    parent: str = ""
    no_parent: bool = False
    project: str = ""
    stack: str = ""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One resource as declared."""

    type: str
    name: str
    custom: bool
    parent: str = ""
    inputs: Properties = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    provider: str = ""
    providers: dict[str, str] = field(default_factory=dict)
    version: str = ""
    protect: bool | None = None
    retain_on_delete: bool | None = None
    deleted_with: str = ""
    delete_before_replace: bool | None = None
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    aliases: tuple[Alias, ...] = ()
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    refused: OfflineError | None = None
    """Why it is refused by name, if it is."""

    @property
    def subject(self) -> str:
        """How messages name it before it has a URN."""
        return f"{self.type} {self.name!r}"

    def inheriting(self, parent: Goal) -> Goal:
        """With what flows down from a parent: protection, retention, what it is deleted with, a fitting provider."""
        own_package = urns.package_of(self.type)
        fits = bool(parent.provider) and urns.package_of(_provider_type(parent.provider)) == own_package
        return replace(
            self,
            protect=parent.protect if self.protect is None else self.protect,
            retain_on_delete=parent.retain_on_delete if self.retain_on_delete is None else self.retain_on_delete,
            deleted_with=self.deleted_with or parent.deleted_with,
            provider=self.provider or (parent.provider if fits or not self.custom else ""),
            providers={**parent.providers, **self.providers},
        )


def read_goal(request: Any) -> Goal:
    """The goal of a RegisterResourceRequest."""
    goal = _read(request)
    return replace(goal, refused=_refused(goal, request))


def state_of(goal: Goal, urn: str, old: ResourceState | None, inputs: Properties) -> ResourceState:
    """The state that a registration asks for, with these inputs."""
    return ResourceState(
        urn=urn,
        type=goal.type,
        custom=goal.custom,
        parent=goal.parent,
        provider=goal.provider if goal.custom and not urns.is_provider(goal.type) else "",
        inputs=inputs,
        dependencies=list(goal.dependencies),
        property_dependencies={key: list(found) for key, found in goal.property_dependencies.items()},
        protect=bool(goal.protect),
        retain_on_delete=bool(goal.retain_on_delete),
        deleted_with=goal.deleted_with,
        additional_secret_outputs=list(goal.additional_secret_outputs),
        ignore_changes=list(goal.ignore_changes),
        replace_on_changes=list(goal.replace_on_changes),
        custom_timeouts=dict(goal.custom_timeouts),
        created=old.created if old else "",
        modified=old.modified if old else "",
    )


def _read(request: Any) -> Goal:
    return Goal(
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent,
        inputs=decode(request.object),
        dependencies=tuple(sorted(request.dependencies)),
        property_dependencies={
            key: tuple(sorted(item.urns)) for key, item in sorted(request.propertyDependencies.items())
        },
        provider=request.provider,
        providers=dict(request.providers),
        version=request.version,
        protect=request.protect if request.HasField("protect") else None,
        retain_on_delete=request.retainOnDelete if request.HasField("retainOnDelete") else None,
        deleted_with=request.deletedWith,
        delete_before_replace=_delete_before_replace(request),
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        aliases=(*(Alias(urn=urn) for urn in request.aliasURNs), *(_alias(item) for item in request.aliases)),
        custom_timeouts=_timeouts(request),
    )


def _refused(goal: Goal, request: Any) -> OfflineError | None:
    asked = [name for field_name, name in _REFUSED_FIELDS.items() if getattr(request, field_name)]
    if request.HasField("replacement_trigger"):
        asked.append("replacement_trigger")
    if request.hooks.ListFields():
        asked.append("hook")
    if has_asset(goal.inputs):
        asked.append("asset")
    if asked:
        return refusal(asked[0], goal.subject)
    if goal.custom and goal.type.count(":") != 2:
        return OfflineError(f"{goal.subject}: a custom resource's type is package:module:Type.")
    return None


def _delete_before_replace(request: Any) -> bool | None:
    defined = request.deleteBeforeReplaceDefined or request.deleteBeforeReplace
    return bool(request.deleteBeforeReplace) if defined else None


def _alias(item: Any) -> Alias:
    if item.urn:
        return Alias(urn=item.urn)
    spec = item.spec
    return Alias(
        type=spec.type,
        name=spec.name,
        parent=spec.parentUrn,
        no_parent=spec.noParent,
        project=spec.project,
        stack=spec.stack,
    )


def _timeouts(request: Any) -> dict[str, float]:
    if not request.HasField("customTimeouts"):
        return {}
    found = {kind: getattr(request.customTimeouts, kind) for kind in ("create", "update", "delete")}
    return {kind: _seconds(text) for kind, text in found.items() if text}


def _seconds(text: str) -> float:
    matches = _DURATION.findall(text)
    if "".join(f"{number}{unit}" for number, unit in matches) != text:
        raise OfflineError(f"{text!r} is no duration; write it as in 1h, 5m, 30s or 1m30s.")
    return sum(float(number) * _SECONDS[unit] for number, unit in matches)


def _provider_type(reference: str) -> str:
    return urns.type_of(urns.split_reference(reference)[0])
