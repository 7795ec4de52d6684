"""A policy pack in its own process, spoken to over the analyzer protocol as the engine does.

The pack is started with `python -u -m pulumi.policy <engine> <pack>`, says its port on its first line, is configured
once, sees each resource's inputs (`Analyze`) and at the end all resources (`AnalyzeStack`). Remediation is not done:
it would rewrite what the program declared, and a policy that asks for it counts as mandatory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from diversite.errors import OfflineError
from offline import urns
from offline.checkpoint import ResourceState
from offline.goals import Goal
from offline.processes import Child
from offline.project import Project, StackConfiguration
from offline.results import Enforcement, PolicyFinding
from offline.values import encode
from offline.wishes import PolicyConfiguration

_AT_ONCE: Final = 4  # the pack's server has four threads
_LEVELS: Final[dict[int, Enforcement]] = {
    analyzer_pb2.ADVISORY: "advisory",
    analyzer_pb2.MANDATORY: "mandatory",
    analyzer_pb2.DISABLED: "disabled",
    analyzer_pb2.REMEDIATE: "remediate",
}
_LEVEL_NUMBERS: Final = {name: number for number, name in _LEVELS.items()}
_SEVERITY_PREFIX: Final = "POLICY_SEVERITY_"


class PolicyPack:
    """A running pack."""

    def __init__(self, child: Child) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{child.port()}", options=_GRPC_CHANNEL_OPTIONS)
        self._stub = analyzer_pb2_grpc.AnalyzerStub(self._channel)
        self._information = self._call("information", self._stub.GetAnalyzerInfo, empty_pb2.Empty())

    @property
    def policies(self) -> tuple[str, ...]:
        """The names of the policies that it holds."""
        return tuple(policy.name for policy in self._information.policies)

    def configure(
        self,
        project: Project,
        stack: str,
        configuration: StackConfiguration,
        wanted: PolicyConfiguration,
        *,
        preview: bool,
    ) -> None:
        """Tell it the stack and what its policies are set to.

        Raises:
            OfflineError: `wanted` names a policy that the pack does not hold, or a level that there is not.
        """
        request = analyzer_pb2.AnalyzerStackConfigureRequest(
            stack=stack,
            project=project.name,
            organization="organization",
            dry_run=preview,
            config=configuration.values,
            config_secret_keys=sorted(configuration.secret_keys),
        )
        self._call("stack", self._stub.ConfigureStack, request)
        if wanted:
            settings = {name: self._setting(name, value) for name, value in wanted.items()}
            self._call(
                "configuration", self._stub.Configure, analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=settings)
            )

    def analyze(self, state: ResourceState, goal: Goal | None, provider: ResourceState | None) -> list[PolicyFinding]:
        """Findings about one resource's inputs."""
        request = analyzer_pb2.AnalyzeRequest(
            type=state.type,
            urn=state.urn,
            name=urns.name_of(state.urn),
            properties=encode(state.inputs),
            options=_options(state, goal),
            provider=_provider(provider),
        )
        answer = self._call(state.urn, self._stub.Analyze, request)
        return [self._finding(item, state.urn) for item in answer.diagnostics]

    def analyze_stack(
        self, resources: Iterable[tuple[ResourceState, Goal | None, ResourceState | None]]
    ) -> list[PolicyFinding]:
        """Findings about all resources together."""
        request = analyzer_pb2.AnalyzeStackRequest(resources=[_stack_resource(*item) for item in resources])
        answer = self._call("the stack", self._stub.AnalyzeStack, request)
        return [self._finding(item, "") for item in answer.diagnostics]

    def close(self) -> None:
        """Let go of it."""
        self._channel.close()

    def _setting(self, name: str, value: str | Mapping[str, Any]) -> Any:
        policies = {policy.name: policy for policy in self._information.policies}
        if name not in policies:
            known = ", ".join(sorted(policies))
            raise OfflineError(f"the pack {self._information.name} has no policy {name!r}; it has {known}.")
        properties = {} if isinstance(value, str) else dict(value)
        level = value if isinstance(value, str) else properties.pop("enforcementLevel", None)
        if level is not None and level not in _LEVEL_NUMBERS:
            raise OfflineError(
                f"policy {name}: {level!r} is no enforcement level; allowed are {', '.join(_LEVEL_NUMBERS)}."
            )
        number: Any = policies[name].enforcementLevel if level is None else _LEVEL_NUMBERS[level]
        return analyzer_pb2.PolicyConfig(enforcementLevel=number, properties=encode(properties))

    def _finding(self, item: Any, urn: str) -> PolicyFinding:
        severity = analyzer_pb2.PolicySeverity.Name(item.severity).removeprefix(_SEVERITY_PREFIX).lower()
        return PolicyFinding(
            policy=item.policyName,
            enforcement=_LEVELS[item.enforcementLevel],
            message=item.message.removeprefix(f"{item.description}\n"),
            urn=item.urn or urn,
            severity="" if severity == "unspecified" else severity,
        )

    def _call(self, what: str, method: Any, request: Any) -> Any:
        try:
            return method(request)
        except grpc.RpcError as error:
            details = error.details() if isinstance(error, grpc.Call) else str(error)
            raise OfflineError(f"the policy pack failed on {what}: {details}") from error


class Background:
    """A pack that is asked while a preview goes on, which waits neither for its start nor for its answers."""

    def __init__(self, join: Callable[[], PolicyPack]) -> None:
        """`join` gives the pack once it is ready."""
        self._pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="policies")
        self._pack = self._pool.submit(join)
        self._asked: list[Future[list[PolicyFinding]]] = []

    def analyze(self, state: ResourceState, goal: Goal | None, provider: ResourceState | None) -> list[PolicyFinding]:
        """Nothing yet."""
        self._asked.append(self._pool.submit(lambda: self._pack.result().analyze(state, goal, provider)))
        return []

    def pack(self) -> PolicyPack:
        """The pack, once it is ready; raises what kept it from being."""
        return self._pack.result()

    def findings(self) -> list[PolicyFinding]:
        """All findings, in the order of asking, once the last is there."""
        self._pool.shutdown(wait=True)
        return [finding for future in self._asked for finding in future.result()]


def _options(state: ResourceState, goal: Goal | None) -> Any:
    before = goal.delete_before_replace if goal else None
    timeouts = analyzer_pb2.AnalyzerResourceOptions.CustomTimeouts(**state.custom_timeouts)
    return analyzer_pb2.AnalyzerResourceOptions(
        protect=state.protect,
        ignoreChanges=state.ignore_changes,
        deleteBeforeReplace=bool(before),
        deleteBeforeReplaceDefined=before is not None,
        additionalSecretOutputs=state.additional_secret_outputs,
        customTimeouts=timeouts,
        parent=state.parent,
    )


def _provider(state: ResourceState | None) -> Any:
    if state is None:
        return None
    return analyzer_pb2.AnalyzerProviderResource(
        type=state.type, properties=encode(state.inputs), urn=state.urn, name=urns.name_of(state.urn)
    )


def _stack_resource(state: ResourceState, goal: Goal | None, provider: ResourceState | None) -> Any:
    return analyzer_pb2.AnalyzerResource(
        type=state.type,
        properties=encode(state.outputs),
        urn=state.urn,
        name=urns.name_of(state.urn),
        options=_options(state, goal),
        provider=_provider(provider),
        parent=state.parent,
        dependencies=state.dependencies,
        propertyDependencies={
            key: analyzer_pb2.AnalyzerPropertyDependencies(urns=found)
            for key, found in state.property_dependencies.items()
        },
    )
