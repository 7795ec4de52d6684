"""What a rule is: one property of a resource or of a stack, with what to do where it does not hold.

A rule's name is its function's, its summary the first line of its docstring. `resource_rule` makes one about a single
resource of some types, `stack_rule` one about everything together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from policies.declared import Resource
from policies.venue import Venue

Subject = Literal["placement", "latency", "links", "entrance", "monitoring", "security", "keys", "tagging", "size"]
Severity = Literal["low", "medium", "high", "critical"]


class Settings(BaseModel):
    """What a policy may be told, with defaults. A bound may be tightened, never loosened."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
    )


def at_most(default: float) -> Any:
    """A limit that may be lowered."""
    return Field(default=default, le=default, gt=0)


def at_least(default: float) -> Any:
    """A limit that may be raised."""
    return Field(default=default, ge=default)


@dataclass(frozen=True, kw_only=True)
class Blocker:
    """One cause, and every resource that it concerns; none where the stack as a whole is concerned."""

    cause: str
    urns: tuple[str, ...] = ()


S = TypeVar("S", bound=Settings)
CheckOfResource = Callable[[Resource, S], Iterable[str]]
CheckOfStack = Callable[[Venue, S], Iterable[Blocker]]


@dataclass(frozen=True, kw_only=True)
class Rule(Generic[S]):
    """What every rule has."""

    name: str
    summary: str
    """What must be true, in a sentence."""
    why: str
    """What goes wrong where it is not."""
    subject: Subject
    severity: Severity
    remedy: str
    """What to do."""
    mandatory: bool
    settings: type[S]
    benchmarks: tuple[str, ...]
    """Ids of the public benchmarks that it covers, such as `FSBP EC2.8`."""


@dataclass(frozen=True, kw_only=True)
class ResourceRule(Rule[S]):
    """A rule about one resource."""

    types: frozenset[str]
    """Type tokens of the resources that it is about; empty: all custom resources."""
    check: CheckOfResource[S]

    def applies(self, resource: Resource) -> bool:
        """Whether it is about this resource."""
        return resource.type in self.types if self.types else not is_component(resource.type)


@dataclass(frozen=True, kw_only=True)
class StackRule(Rule[S]):
    """A rule about a whole stack."""

    check: CheckOfStack[S]


def is_component(type_: str) -> bool:
    """Whether a type is one of this project's components, or the engine's own."""
    return type_.startswith(("diversite:", "pulumi:"))


def resource_rule(  # noqa: PLR0913  all of them by name, as a form to fill in
    *,
    types: Iterable[str],
    subject: Subject,
    severity: Severity,
    remedy: str,
    settings: type[S],
    benchmarks: tuple[str, ...] = (),
) -> Callable[[CheckOfResource[S]], ResourceRule[S]]:
    """Make a rule of a function that yields, for a resource, each cause that breaks it."""

    def made(check: CheckOfResource[S]) -> ResourceRule[S]:
        summary, why = _told(check)
        return ResourceRule(
            name=_name(check),
            summary=summary,
            why=why,
            subject=subject,
            severity=severity,
            remedy=remedy,
            mandatory=True,
            settings=settings,
            benchmarks=benchmarks,
            types=frozenset(types),
            check=check,
        )

    return made


def stack_rule(  # noqa: PLR0913  all of them by name, as a form to fill in
    *,
    subject: Subject,
    severity: Severity,
    remedy: str,
    settings: type[S],
    mandatory: bool = True,
    benchmarks: tuple[str, ...] = (),
) -> Callable[[CheckOfStack[S]], StackRule[S]]:
    """Make a rule of a function that yields, for a stack, each blocker."""

    def made(check: CheckOfStack[S]) -> StackRule[S]:
        summary, why = _told(check)
        return StackRule(
            name=_name(check),
            summary=summary,
            why=why,
            subject=subject,
            severity=severity,
            remedy=remedy,
            mandatory=mandatory,
            settings=settings,
            benchmarks=benchmarks,
            check=check,
        )

    return made


def grouped(causes: Iterable[tuple[str, str]]) -> Iterator[Blocker]:
    """One blocker a cause, from pairs of cause and URN (empty for none)."""
    urns: dict[str, list[str]] = {}
    for cause, urn in causes:
        urns.setdefault(cause, []).extend([urn] if urn else [])
    for cause, found in urns.items():
        yield Blocker(cause=cause, urns=tuple(dict.fromkeys(found)))


def _name(check: Callable[..., Any]) -> str:
    return check.__name__.replace("_", "-")


def _told(check: Callable[..., Any]) -> tuple[str, str]:
    summary, _, why = (check.__doc__ or "").strip().partition("\n\n")
    return " ".join(summary.split()), " ".join(why.split())
