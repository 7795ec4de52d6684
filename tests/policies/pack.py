"""The pack as its own process, asked over the analyzer protocol as an engine asks it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

import offline
from offline.values import encode

CHECKOUT = Path(__file__).parents[2]
PACK = CHECKOUT / "policies"
STACKS = Path(__file__).parent / "stacks"


@dataclass(frozen=True)
class Finding:
    """What a policy says of a resource, or of the stack where `urn` is empty."""

    policy: str
    message: str
    urn: str
    mandatory: bool

    @property
    def rule(self) -> str:
        """The rule: the policy itself, or the first word of what a subject's policy says."""
        first = self.message.partition(":")[0]
        return first if " " not in first and self.policy in _SUBJECTS else self.policy


_SUBJECTS = {"placement", "latency", "links", "entrance", "monitoring", "security", "keys", "tagging", "size", "advice"}


class Pack:
    """A running pack. `topology` is a stack file's path without its suffix; it need not exist."""

    def __init__(self, topology: Path) -> None:
        environment = {**os.environ, "PULUMI_CONFIG": json.dumps({"diversite:topology": str(topology)})}
        command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(PACK)]
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._channel = grpc.insecure_channel(f"127.0.0.1:{int(self._process.stdout.readline())}")
        self._stub = analyzer_pb2_grpc.AnalyzerStub(self._channel)
        self.information = self._stub.GetAnalyzerInfo(empty_pb2.Empty())

    def configure(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Tell policies their settings, and forget those of before; levels stay what they are."""
        levels = {policy.name: policy.enforcementLevel for policy in self.information.policies}
        told = {
            name: analyzer_pb2.PolicyConfig(enforcementLevel=levels[name], properties=encode(value))
            for name, value in settings.items()
        }
        self._stub.Configure(analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=told))

    def judge(self, resources: Iterable[offline.Resource]) -> list[Finding]:
        """What it says of each resource, and then of all together: a whole run."""
        declared = list(resources)
        single = [finding for resource in declared for finding in self.judge_one(resource)]
        return [*single, *self.judge_stack(declared)]

    def judge_one(self, resource: offline.Resource) -> list[Finding]:
        """What it says of one resource's inputs."""
        request = analyzer_pb2.AnalyzeRequest(
            type=resource.type,
            urn=resource.urn,
            name=resource.name,
            properties=encode(resource.inputs),
            options=_options(resource),
        )
        return [_finding(item, resource.urn) for item in self._stub.Analyze(request).diagnostics]

    def judge_stack(self, resources: Iterable[offline.Resource]) -> list[Finding]:
        """What it says of resources together."""
        request = analyzer_pb2.AnalyzeStackRequest(resources=[_stack_resource(resource) for resource in resources])
        return [_finding(item, "") for item in self._stub.AnalyzeStack(request).diagnostics]

    def cpu_seconds(self) -> float:
        """The processor time that its process has taken."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End the process."""
        self._channel.close()
        self._process.terminate()
        self._process.communicate()


def _finding(item: Any, urn: str) -> Finding:
    return Finding(
        policy=item.policyName,
        message=item.message.removeprefix(f"{item.description}\n"),
        urn=item.urn or urn,
        mandatory=item.enforcementLevel == analyzer_pb2.MANDATORY,
    )


def _options(resource: offline.Resource) -> Any:
    return analyzer_pb2.AnalyzerResourceOptions(
        protect=resource.protect,
        ignoreChanges=resource.ignore_changes,
        deleteBeforeReplace=bool(resource.delete_before_replace),
        deleteBeforeReplaceDefined=resource.delete_before_replace is not None,
        parent=resource.parent,
    )


def _stack_resource(resource: offline.Resource) -> Any:
    return analyzer_pb2.AnalyzerResource(
        type=resource.type,
        urn=resource.urn,
        name=resource.name,
        properties=encode(resource.inputs),
        options=_options(resource),
        parent=resource.parent,
        dependencies=resource.dependencies,
        propertyDependencies={
            key: analyzer_pb2.AnalyzerPropertyDependencies(urns=urns)
            for key, urns in resource.property_dependencies.items()
        },
    )
