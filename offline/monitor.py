"""The engine's side of the protocol: what a program's SDK, and a plugin's log lines, talk to.

`Monitor` and `EngineLog` have the methods of the gRPC services and can be handed to the SDK as they are (`record` does
so); `serve` puts both on a port, for a program in a process of its own. What is refused is refused here or in `goals`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any, Final, cast

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, resource_pb2, resource_pb2_grpc

from diversite.errors import OfflineError
from offline.deployment import Deployment
from offline.goals import read_goal
from offline.project import StackConfiguration
from offline.refusals import refusal
from offline.results import Severity
from offline.values import Properties, decode, encode, plain
from offline.wishes import Invoke

# Claimed although it is refused: the SDK then sends the request, and the refusal can name what was asked for.
_CLAIMED: Final = (
    "SECRETS",
    "RESOURCE_REFERENCES",
    "OUTPUT_VALUES",
    "ALIAS_SPECS",
    "DELETED_WITH",
    "REPLACE_WITH",
    "REPLACEMENT_TRIGGER",
    "TRANSFORMS",
    "INVOKE_TRANSFORMS",
    "PARAMETERIZATION",
    "RESOURCE_HOOKS",
    "ERROR_HOOKS",
    "STATE_MIGRATIONS",
)
_FEATURES: Final = [resource_pb2.ResourceMonitorFeature.Value(f"RESOURCE_MONITOR_FEATURE_{name}") for name in _CLAIMED]
_SEVERITIES: Final[dict[int, Severity]] = {
    engine_pb2.DEBUG: "debug",
    engine_pb2.INFO: "info",
    engine_pb2.WARNING: "warning",
    engine_pb2.ERROR: "error",
}
_GET_RESOURCE: Final = "pulumi:pulumi:getResource"


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """The resource monitor of one run."""

    def __init__(
        self,
        deployment: Deployment,
        configuration: StackConfiguration,
        invokes: Mapping[str, Invoke] | None = None,
        *,
        organization: str = "organization",
    ) -> None:
        self._deployment = deployment
        self._configuration = configuration
        self._invokes = invokes or {}
        self._organization = organization
        self.closing = threading.Event()

    def GetDeploymentInfo(self, request: Any, context: Any = None) -> Any:  # noqa: N802 - the protocol's name
        """What this run is, and what it understands."""
        settings = self._deployment.settings
        return resource_pb2.DeploymentInfo(
            project=settings.project,
            stack=settings.stack,
            organization=self._organization,
            config=self._configuration.values,
            configSecretKeys=sorted(self._configuration.secret_keys),
            dryRun=settings.preview,
            parallel=settings.parallel,
            supportedFeatures=_FEATURES,
        )

    def SupportsFeature(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """The same question as older SDKs ask it."""
        names = {name.replace("_", "").lower() for name in _CLAIMED}
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id.lower() in names)

    def RegisterResource(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Take the step of one resource."""
        registered = self._deployment.register(read_goal(request))
        return resource_pb2.RegisterResourceResponse(
            urn=registered.urn,
            id=registered.id,
            object=encode(registered.outputs),
            result=resource_pb2.Result.FAIL if registered.failed else resource_pb2.Result.SUCCESS,
        )

    def RegisterResourceOutputs(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Record a component's outputs."""
        self._deployment.register_outputs(request.urn, decode(request.outputs))
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Answer a function call from what the caller supplied.

        Raises:
            OfflineError: nothing was supplied for it; the message has the token and the arguments.
        """
        arguments = plain(decode(request.args))
        answer = self._known(arguments) if request.tok == _GET_RESOURCE else self._answer(request.tok, arguments)
        response = resource_pb2.ResourceInvokeResponse()
        getattr(response, "return").CopyFrom(encode(answer))  # a keyword, so not to be written as an attribute
        return response

    def SignalAndWaitForShutdown(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """The program has nothing more to say. It is kept waiting for nothing: no callbacks are served."""
        self.closing.set()
        return empty_pb2.Empty()

    def ReadResource(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Refused."""
        raise refusal("read", f"{request.type} {request.name!r} (id {request.id!r})")

    def ExistsResource(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Refused."""
        raise refusal("exists", f"{request.type} (id {request.id!r})")

    def Call(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Refused."""
        raise refusal("call", request.tok)

    def RegisterStackTransform(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Refused."""
        raise refusal("transform", "the stack")

    def RegisterStackInvokeTransform(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Refused."""
        raise refusal("transform", "the stack's invokes")

    def RegisterResourceHook(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Refused."""
        raise refusal("hook", request.name)

    def RegisterErrorHook(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Refused."""
        raise refusal("hook", request.name)

    def RegisterPackage(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Refused."""
        raise refusal("package", request.name)

    def _answer(self, token: str, arguments: Properties) -> Mapping[str, Any]:
        if token not in self._invokes:
            raise OfflineError(
                f"the function {token} was called with {json.dumps(arguments, default=str)}, and no answer was "
                "supplied for it: declare the fact in the catalogue instead, or supply an answer (`invokes`)."
            )
        answer = self._invokes[token]
        return answer(arguments) if callable(answer) else answer

    def _known(self, arguments: Properties) -> Mapping[str, Any]:
        state = self._deployment.account.states.get(arguments["urn"])
        if state is None:
            raise OfflineError(f"{arguments['urn']} was asked for and is not registered in this run.")
        return {"urn": state.urn, "id": state.id, "state": state.outputs}


class EngineLog(engine_pb2_grpc.EngineServicer):
    """The engine service: log lines and the root resource."""

    def __init__(self, say: Callable[[Severity, str, str], None]) -> None:
        self._say = say
        self._root = ""

    def Log(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """A line of a program or a plugin; debug lines are dropped."""
        severity = _SEVERITIES.get(request.severity, "info")
        if severity != "debug":
            self._say(severity, request.message, request.urn)
        return empty_pb2.Empty()

    def GetRootResource(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """The stack's URN, once it is set."""
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Remember the stack's URN."""
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def RequirePulumiVersion(self, request: Any, context: Any = None) -> Any:  # noqa: N802
        """Any version is right: this is none."""
        return engine_pb2.RequirePulumiVersionResponse()


def serve(monitor: Monitor, log: EngineLog, parallel: int, port: int = 0) -> tuple[grpc.Server, str]:
    """A server for both services on the loopback, and its address; `port` 0 takes a free one."""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=2 * parallel + 4, thread_name_prefix="monitor"),
        options=_GRPC_CHANNEL_OPTIONS,
    )
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(cast(Any, _Guarded(monitor)), server)
    engine_pb2_grpc.add_EngineServicer_to_server(cast(Any, _Guarded(log)), server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, f"127.0.0.1:{port}"


class _Guarded:
    """A service whose refusals become the protocol's errors."""

    def __init__(self, service: object) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Callable[[Any, Any], Any]:
        method = getattr(self._service, name)

        def guarded(request: Any, context: Any) -> Any:
            try:
                return method(request, context)
            except OfflineError as error:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

        return guarded
