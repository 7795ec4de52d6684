"""What the caller gets back, and the events it hears meanwhile: plain frozen data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from offline import urns

if TYPE_CHECKING:
    from offline.checkpoint import ResourceState

Severity = Literal["debug", "info", "warning", "error"]
Enforcement = Literal["advisory", "mandatory", "disabled", "remediate"]


class Step(StrEnum):
    """What happens, or would happen, to one resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    SAME = "same"
    DELETE = "delete"
    READ = "read"


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """A message about a resource (`urn`) or the run (`urn` empty)."""

    severity: Severity
    message: str
    urn: str = ""


@dataclass(frozen=True, kw_only=True)
class PolicyFinding:
    """A violation that a policy of the pack reported."""

    policy: str
    enforcement: Enforcement
    message: str
    urn: str = ""
    """Empty when the policy blames no single resource."""
    severity: str = ""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource that the program declared, or that is about to go."""

    urn: str
    type: str
    name: str
    custom: bool
    step: Step
    parent: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """As declared (and checked by the provider, where one runs): integral numbers as int, secrets as `Secret`."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """What is known: at preview that of unchanged resources and what components registered."""
    id: str = ""
    provider: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    protect: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    delete_before_replace: bool | None = None
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """Paths of the properties that differ from the state, as the provider names them."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that just happened.

    `kind` is "step-started", "step-done" or "step-failed" (with `step`, `urn`; `seconds` once it ended), "diagnostic"
    or "output" (a line that the program or a plugin printed), or "policy".
    """

    kind: Literal["step-started", "step-done", "step-failed", "diagnostic", "output", "policy"]
    urn: str = ""
    type: str = ""
    name: str = ""
    step: Step | None = None
    seconds: float = 0.0
    severity: Severity = "info"
    message: str = ""


OnEvent = Callable[[Event], None]


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What `up` would do, and what the pack says of it. Nothing was changed."""

    project: str
    stack: str
    resources: tuple[Resource, ...]
    """In the order of registration; then those to be deleted, in the order of deletion."""
    diagnostics: tuple[Diagnostic, ...] = ()
    policies: tuple[PolicyFinding, ...] = ()
    policies_run: tuple[str, ...] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def steps(self) -> Mapping[Step, int]:
        """How many resources each step takes."""
        return Counter(resource.step for resource in self.resources)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that make it fail."""
        return tuple(item for item in self.diagnostics if item.severity == "error")

    @property
    def violations(self) -> tuple[PolicyFinding, ...]:
        """The mandatory findings."""
        return tuple(item for item in self.policies if item.enforcement in ("mandatory", "remediate"))

    @property
    def ok(self) -> bool:
        """Whether the program ran and no mandatory policy objects."""
        return not self.errors and not self.violations


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run did."""

    project: str
    stack: str
    resources: tuple[Resource, ...]
    """Every resource that a step was taken for, in the order in which the steps ended."""
    diagnostics: tuple[Diagnostic, ...] = ()
    policies: tuple[PolicyFinding, ...] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    preview: Preview | None = None
    gone: tuple[str, ...] = ()
    """URNs of what a refresh did not find any more."""
    interrupted: bool = False
    seconds: float = 0.0

    @property
    def steps(self) -> Mapping[Step, int]:
        """How many resources each step took."""
        return Counter(resource.step for resource in self.resources)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that make it fail."""
        return tuple(item for item in self.diagnostics if item.severity == "error")

    @property
    def ok(self) -> bool:
        """Whether everything that was asked for was done."""
        return not self.errors and not self.interrupted and (self.preview is None or self.preview.ok)


def resource_of(
    state: ResourceState, step: Step, *, changed: tuple[str, ...] = (), delete_before_replace: bool | None = None
) -> Resource:
    """What a caller sees of an entry of the state."""
    return Resource(
        urn=state.urn,
        type=state.type,
        name=urns.name_of(state.urn),
        custom=state.custom,
        step=step,
        parent=state.parent,
        inputs=state.inputs,
        outputs=state.outputs,
        id=state.id,
        provider=state.provider,
        dependencies=tuple(state.dependencies),
        property_dependencies={key: tuple(found) for key, found in state.property_dependencies.items()},
        protect=state.protect,
        retain_on_delete=state.retain_on_delete,
        deleted_with=state.deleted_with,
        delete_before_replace=delete_before_replace,
        ignore_changes=tuple(state.ignore_changes),
        replace_on_changes=tuple(state.replace_on_changes),
        additional_secret_outputs=tuple(state.additional_secret_outputs),
        changed=changed,
    )
