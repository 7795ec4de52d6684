"""An exported state before the policy pack: what really runs, by the rules for what is declared.

The state is read as the offline runner reads its own; secrets in it are told to nobody but the pack.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

from cli.stacks import PROJECT
from diversite.errors import OfflineError
from offline import PolicyFinding, Preview, Project, Resource, Step
from offline.checkpoint import ResourceState, parse
from offline.policies import PolicyPack
from offline.processes import Nursery
from offline.urns import is_provider, name_of, split_reference

NO_ENGINE = "127.0.0.1:1"
"""A pack wants the engine's address and never calls it; nobody answers there."""


def stack_of(text: str) -> str:
    """The stack whose state it is.

    Raises:
        OfflineError: it is no exported state, or an empty one.
    """
    try:
        urns = [str(entry["urn"]) for entry in json.loads(text)["deployment"]["resources"]]
    except (ValueError, KeyError, TypeError) as error:
        raise OfflineError(
            "--state: that is no state; make one with `pulumi stack export`, or take .state/<stack>.json"
        ) from error
    if not urns:
        raise OfflineError("--state: the state holds no resource, so nothing tells the stack; name it: preview STACK")
    return urns[0].removeprefix("urn:pulumi:").partition("::")[0]


def judged(text: str, stack: str, config: Mapping[str, str], pack: Path) -> Preview:
    """The resources of a state, all as they are, and what the pack says of them.

    Raises:
        OfflineError: the state cannot be read (its secrets are of another manager: export with `--show-secrets`), or
            the pack does not start.
    """
    began = time.monotonic()
    project = Project.load(PROJECT)
    settings = project.configuration(stack, config)
    states = [state for state in parse(text, stack, "the given state", settings.salt).resources if not state.delete]
    environment = {**os.environ, **_settings(project, stack, settings.values)}
    nursery = Nursery(project.directory, environment, lambda line: None)
    try:
        command: list[str | Path] = [project.python, "-u", "-m", "pulumi.policy", NO_ENGINE, pack]
        running = PolicyPack(nursery.start("the policy pack", command, tells_port=True))
        running.configure(project, stack, settings, {}, preview=False)
        findings, names = _findings(running, states), running.policies
        running.close()
    finally:
        nursery.close()
    return Preview(
        project=project.name,
        stack=stack,
        resources=tuple(map(_resource, states)),
        policies=tuple(findings),
        policies_run=names,
        seconds=time.monotonic() - began,
    )


def _findings(pack: PolicyPack, states: list[ResourceState]) -> list[PolicyFinding]:
    providers = {state.urn: state for state in states if is_provider(state.type)}
    shown = [(state, None, providers.get(split_reference(state.provider)[0])) for state in states]
    single = [finding for state, _, provider in shown for finding in pack.analyze(state, None, provider)]
    return [*single, *pack.analyze_stack(shown)]


def _settings(project: Project, stack: str, values: Mapping[str, str]) -> Mapping[str, str]:
    """What the engine tells a pack by its environment."""
    return {
        "PULUMI_PROJECT": project.name,
        "PULUMI_STACK": stack,
        "PULUMI_DRY_RUN": "false",
        "PULUMI_CONFIG": json.dumps(dict(values)),
    }


def _resource(state: ResourceState) -> Resource:
    return Resource(
        urn=state.urn,
        type=state.type,
        name=name_of(state.urn),
        custom=state.custom,
        step=Step.SAME,
        parent=state.parent,
        inputs=state.inputs,
        id=state.id,
        provider=state.provider,
        protect=state.protect,
    )
