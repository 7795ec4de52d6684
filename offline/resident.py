"""A policy pack asked in this very process: no wire, and each resource is translated once, not once a policy.

What the SDK's own server does with a request is done here with the SDK's own parts, so that a policy cannot tell the
difference: values go through the wire's form (numbers are floats, an unknown raises where it is touched), and an
unknown that a policy touches is told as advice. A pack can be asked so if it is a package with a module `pack`, which
has `NAME`, `POLICIES` and `LEVEL`, and if its policies are not configured.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

from google.protobuf import json_format
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyCustomTimeouts,
    PolicyProviderResource,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.deserialize import deserialize_properties
from pulumi_policy.policy import _NotApplicableError
from pulumi_policy.proxy import UnknownValueError, unknown_checking_proxy

from diversite.errors import OfflineError
from offline import urns
from offline.checkpoint import ResourceState
from offline.goals import Goal
from offline.results import Enforcement, PolicyFinding
from offline.values import Properties, encode

MODULE: Final = "pack"
_TAGS: Final[Mapping[str, str]] = MappingProxyType({})
_DURATIONS: Final = ("create", "update", "delete")


class ResidentPack:
    """A pack in this process; has what `policies.PolicyPack` has of a running one."""

    def __init__(self, name: str, policies: Iterable[Policy], level: EnforcementLevel) -> None:
        self._name = name
        self._levels = {policy: policy.enforcement_level or level for policy in policies}

    @classmethod
    def load(cls, directory: Path) -> ResidentPack:
        """The pack in a directory, imported; OfflineError with what keeps it from being."""
        sys.path.append(str(directory.parent))
        try:
            module = importlib.import_module(f"{directory.name}.{MODULE}")
        except Exception as error:
            said = "".join(traceback.format_exception_only(error)).strip()
            raise OfflineError(f"{directory} cannot be imported as a policy pack: {said}") from error
        return cls(module.NAME, module.POLICIES, module.LEVEL)

    @property
    def policies(self) -> tuple[str, ...]:
        """The names of the policies that it holds."""
        return tuple(policy.name for policy in self._levels)

    def analyze(self, state: ResourceState, goal: Goal | None, provider: ResourceState | None) -> list[PolicyFinding]:
        """Findings about one resource's inputs."""
        shown = (state.type, _shown(state.inputs), state.urn, urns.name_of(state.urn), _options(state, goal))
        args = ResourceValidationArgs(*shown, _provider(provider), None, _TAGS)
        asked = [policy for policy in self._levels if isinstance(policy, ResourceValidationPolicy)]
        return [it for policy in asked if policy.has_validation() for it in self._ask(policy, args, state.urn)]

    def analyze_stack(
        self, resources: Iterable[tuple[ResourceState, Goal | None, ResourceState | None]]
    ) -> list[PolicyFinding]:
        """Findings about all resources together."""
        args = StackValidationArgs(_related(list(resources)), None, _TAGS)
        asked = [policy for policy in self._levels if isinstance(policy, StackValidationPolicy)]
        return [it for policy in asked for it in self._ask(policy, args, "")]

    def close(self) -> None:
        """Nothing to let go of."""

    def _ask(self, policy: Any, args: Any, urn: str) -> list[PolicyFinding]:
        level = _LEVELS[self._levels[policy]]
        if level == "disabled":
            return []
        found: list[PolicyFinding] = []

        def report(message: str, of: str | None = None) -> None:
            found.append(
                PolicyFinding(
                    policy=policy.name,
                    enforcement=level,
                    message=message or policy.description,
                    urn=of or urn,
                    severity=policy.severity.value if policy.severity else "",
                )
            )

        try:
            _wait(policy.validate(args, report))
        except UnknownValueError as error:
            found.append(self._undecided(policy, error, urn))
        except _NotApplicableError:
            pass
        except Exception as error:
            raise OfflineError(f"the policy pack failed on {urn or 'the stack'}: {policy.name}: {error}") from error
        return found

    def _undecided(self, policy: Policy, error: UnknownValueError, urn: str) -> PolicyFinding:
        """As the SDK says it."""
        who = f"can't run policy '{policy.name}' from policy pack '{self._name}@v{_VERSION}' during preview"
        return PolicyFinding(policy=policy.name, enforcement="advisory", message=f"{who}: {error.message}", urn=urn)


_VERSION: Final = "0.0.1"
"""What the SDK calls a pack."""
_LEVELS: Final[Mapping[EnforcementLevel, Enforcement]] = {
    EnforcementLevel.ADVISORY: "advisory",
    EnforcementLevel.MANDATORY: "mandatory",
    EnforcementLevel.REMEDIATE: "mandatory",  # nothing is remediated here
    EnforcementLevel.DISABLED: "disabled",
}


def _wait(result: Any) -> None:
    """A validation may be a coroutine."""
    if result is not None:
        asyncio.new_event_loop().run_until_complete(result)


def _shown(properties: Properties) -> dict[str, Any]:
    deserialized = deserialize_properties(json_format.MessageToDict(encode(properties)))
    return unknown_checking_proxy(deserialized)


def _options(state: ResourceState, goal: Goal | None) -> PolicyResourceOptions:
    timeouts = PolicyCustomTimeouts(*(state.custom_timeouts.get(kind, 0.0) for kind in _DURATIONS))
    return PolicyResourceOptions(
        state.protect,
        state.ignore_changes,
        cast(bool, goal.delete_before_replace if goal else None),  # None where nobody said, as the SDK has it
        [],
        timeouts,
        state.additional_secret_outputs,
        state.parent or None,
    )


def _provider(state: ResourceState | None) -> PolicyProviderResource | None:
    if state is None:
        return None
    return PolicyProviderResource(state.type, _shown(state.inputs), state.urn, urns.name_of(state.urn))


def _related(
    resources: list[tuple[ResourceState, Goal | None, ResourceState | None]],
) -> list[PolicyResource]:
    """The resources of a stack, each with those that it refers to."""
    known = {state.urn: _resource(*item) for item in resources for state in item[:1]}
    for state, _, _ in resources:
        resource = known[state.urn]
        resource.parent = known.get(state.parent)
        resource.dependencies = [known[urn] for urn in state.dependencies if urn in known]
        resource.property_dependencies = {
            key: [known[urn] for urn in found if urn in known] for key, found in state.property_dependencies.items()
        }
    return list(known.values())


def _resource(state: ResourceState, goal: Goal | None, provider: ResourceState | None) -> PolicyResource:
    shown = (state.type, _shown(state.outputs), state.urn, urns.name_of(state.urn), _options(state, goal))
    return PolicyResource(*shown, _provider(provider), None, [], {})
