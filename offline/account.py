"""What is known of a stack while a run changes it: as it was, as it is by now, and what is to be told of it.

Every method may be called from any thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from diversite.errors import OfflineError
from offline import urns
from offline.checkpoint import ResourceState
from offline.goals import Goal
from offline.journal import Journal
from offline.providers import Provider, Registry
from offline.results import Diagnostic, Event, OnEvent, PolicyFinding, Resource, Severity, Step, resource_of


class Account:
    """The account of one run."""

    def __init__(self, journal: Journal, registry: Registry, on_event: OnEvent | None) -> None:
        self.olds = {state.urn: state for state in journal.base if not state.delete}
        self.goals: dict[str, Goal] = {}
        self.states: dict[str, ResourceState] = {}
        self.results: dict[str, Resource] = {}
        self.diagnostics: list[Diagnostic] = []
        self.findings: list[PolicyFinding] = []
        self.guard = threading.RLock()
        self._registry = registry
        self._on_event = on_event or (lambda _event: None)

    def diagnose(self, severity: Severity, message: str, urn: str = "") -> None:
        """Say something of a resource or of the run."""
        with self.guard:
            self.diagnostics.append(Diagnostic(severity=severity, message=message, urn=urn))
        self._on_event(Event(kind="diagnostic", severity=severity, message=message, urn=urn))

    def report(self, finding: PolicyFinding) -> None:
        """Say what a policy found."""
        with self.guard:
            self.findings.append(finding)
        self._on_event(Event(kind="policy", urn=finding.urn, message=f"{finding.policy}: {finding.message}"))

    def provider_state(self, reference: str) -> ResourceState | None:
        """The state of the provider object that a resource names."""
        urn, _ = urns.split_reference(reference)
        with self.guard:
            return self.states.get(urn) or self.olds.get(urn)

    def provider_for(self, state: ResourceState) -> Provider:
        """What serves a resource of the state, started if it is not yet."""
        entry = self.provider_state(state.provider)
        if entry is None:
            raise OfflineError(f"{state.urn}: its provider {state.provider} is not in the state.")
        _, identity = urns.split_reference(state.provider)
        return self._registry.of(state.provider) if entry.id != identity else self._registry.ensure(entry)

    def enter(self, state: ResourceState, goal: Goal, step: Step, changed: tuple[str, ...] = ()) -> None:
        """A resource is now as the program declares it."""
        with self.guard:
            self.states[state.urn] = state
            if not _is_default_provider(state):
                before = goal.delete_before_replace
                self.results[state.urn] = resource_of(state, step, changed=changed, delete_before_replace=before)

    def enter_removed(self, state: ResourceState) -> None:
        """A resource is gone."""
        with self.guard:
            if not _is_default_provider(state):
                self.results[state.urn] = resource_of(state, Step.DELETE)

    def amend(self, urn: str, **changes: Any) -> None:
        """Tell a resource with something else."""
        self.results[urn] = replace(self.results[urn], **changes)

    def step_of(self, urn: str) -> Step | None:
        """The step that was taken for a resource; None where none was yet."""
        with self.guard:
            return self.results[urn].step if urn in self.results else None

    def timed(self, step: Step, state: ResourceState, act: Callable[[], None]) -> None:
        """Take a step, telling when it begins and how it ends."""
        event = Event(kind="step-started", urn=state.urn, type=state.type, name=urns.name_of(state.urn), step=step)
        self._on_event(event)
        began = time.monotonic()
        try:
            act()
        except OfflineError as error:
            elapsed = time.monotonic() - began
            self._on_event(replace(event, kind="step-failed", seconds=elapsed, message=str(error), severity="error"))
            raise
        self._on_event(replace(event, kind="step-done", seconds=time.monotonic() - began))


def _is_default_provider(state: ResourceState) -> bool:
    return urns.is_provider(state.type) and not state.parent and urns.name_of(state.urn).startswith("default")
