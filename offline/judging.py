"""A given state before a policy pack: what is there, by the rules for what is declared. No program runs."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Unpack

from diversite.errors import OfflineError
from offline import checkpoint, urns
from offline.checkpoint import ResourceState
from offline.commands import PACK_NAME, environment_of, pack_command
from offline.policies import PolicyPack
from offline.processes import Nursery
from offline.project import Project, StackConfiguration
from offline.results import PolicyFinding, Preview, Step, resource_of
from offline.wishes import Order, Wishes

_NO_ENGINE = "127.0.0.1:1"  # a pack wants the engine's address and never calls it; nobody answers there


def judge_state(project: Project, stack: str, text: str, **wishes: Unpack[Wishes]) -> Preview:
    """The resources of an exported state (the text of `pulumi stack export`), all as they are, and what a pack says.

    Secrets in it are told to nobody but the pack, whose directory is `policies`.

    Raises:
        OfflineError: no pack is named; the state cannot be read (its secrets are of another manager than a
            passphrase: export it with `--show-secrets`); or the pack does not start.
    """
    began = time.monotonic()
    order = Order(project, stack, wishes)
    settings = project.configuration(stack, order.config)
    found = checkpoint.parse(text, stack, "the given state", settings.salt).resources
    states = [state for state in found if not state.delete]
    findings, names = _judged(order, settings, states)
    return Preview(
        project=project.name,
        stack=stack,
        resources=tuple(resource_of(state, Step.SAME) for state in states),
        policies=findings,
        policies_run=names,
        seconds=time.monotonic() - began,
    )


def _judged(
    order: Order, settings: StackConfiguration, states: list[ResourceState]
) -> tuple[tuple[PolicyFinding, ...], tuple[str, ...]]:
    """The findings, and the names of the policies that were asked."""
    command = pack_command(order, _NO_ENGINE)
    if not command:
        raise OfflineError("no policy pack is named to judge the state with; give its directory as `policies`.")
    nursery = Nursery(order.project.directory, environment_of(order, settings, preview=False), lambda _line: None)
    try:
        pack = PolicyPack(nursery.start(PACK_NAME, command, tells_port=True))
        pack.configure(order.project, order.stack, settings, order.policy_config, preview=False)
        findings = tuple(_findings(pack, states))
        pack.close()
    finally:
        nursery.close()
    return findings, pack.policies


def _findings(pack: PolicyPack, states: Iterable[ResourceState]) -> list[PolicyFinding]:
    providers = {state.urn: state for state in states if urns.is_provider(state.type)}
    shown = [(state, None, providers.get(urns.split_reference(state.provider)[0])) for state in states]
    single = [finding for state, _, provider in shown for finding in pack.analyze(state, None, provider)]
    return [*single, *pack.analyze_stack(shown)]
