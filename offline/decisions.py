"""Decides the step of one registration: create, update, replace in which order and together with what, or nothing.

The rules are the engine's (`pkg/resource/deploy` of Pulumi): when a difference is an update and when a replacement, and
which dependents are deleted before a resource that must be deleted before it is replaced. Deciding takes turns.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

from diversite.errors import OfflineError
from offline import paths, urns
from offline.account import Account
from offline.checkpoint import ResourceState
from offline.goals import Goal
from offline.journal import Journal
from offline.plugins import Difference, compare
from offline.providers import Provider
from offline.results import Step
from offline.values import UNKNOWN


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is to be done."""

    step: Step
    difference: Difference
    delete_first: bool = False
    condemned: tuple[ResourceState, ...] = ()
    """Dependents to be deleted before it, in the order of deletion."""
    gone: bool = False
    """The old one is deleted already."""


class Decisions:
    """The decisions of one run."""

    def __init__(self, account: Account, journal: Journal) -> None:
        self._account = account
        self._journal = journal
        self._interrupted = {state.urn: kind for kind, state in journal.interrupted if kind != "creating"}
        self._turn = threading.RLock()
        self._decided: set[str] = set()
        self._condemned: dict[str, threading.Event] = {}

    def decide(self, goal: Goal, old: ResourceState | None, new: ResourceState, provider: Provider) -> Decision:
        """The step from `old` to `new`; waits while a dependency's replacement deletes `old`.

        Raises:
            OfflineError: it is protected, and cannot become `new` without being deleted.
        """
        decision = self._decide(goal, old, new, provider)
        self._decided.add(new.urn)
        return decision

    def let_go(self, condemned: Iterable[ResourceState]) -> None:
        """These are deleted (or would be): their own registrations may go on."""
        for state in condemned:
            self._condemned[state.urn].set()

    def was_being_deleted(self, old: ResourceState) -> bool:
        """Whether an earlier run was killed while it deleted this."""
        return self._interrupted.get(old.urn) == "deleting"

    def _decide(self, goal: Goal, old: ResourceState | None, new: ResourceState, provider: Provider) -> Decision:
        if old is None:
            return Decision(step=Step.CREATE, difference=Difference(changed=True))
        with self._turn:
            condemned_already = self._condemned.get(old.urn)
        if condemned_already is not None:
            condemned_already.wait()
            return Decision(step=Step.REPLACE, difference=Difference(changed=True), gone=True)
        with self._turn:
            return self._decide_old(goal, old, new, provider)

    def _decide_old(self, goal: Goal, old: ResourceState, new: ResourceState, provider: Provider) -> Decision:
        difference = _with_replace_on_changes(self._difference(goal, old, new, provider), goal.replace_on_changes)
        if old.pending_replacement:
            return Decision(step=Step.REPLACE, difference=difference, gone=True)
        if difference.changed and difference.replaces:
            return self._decide_replacement(goal, old, new, difference, provider)
        again = bool(old.init_errors) or self._interrupted.get(old.urn) == "updating"
        return Decision(step=Step.UPDATE if difference.changed or again else Step.SAME, difference=difference)

    def _decide_replacement(
        self, goal: Goal, old: ResourceState, new: ResourceState, difference: Difference, provider: Provider
    ) -> Decision:
        if old.protect and new.protect:
            raise OfflineError(
                f"{old.urn} is protected, and {', '.join(difference.paths)} cannot change without replacing it. "
                "Take protect=True from it in the program and run `up`, then make the change."
            )
        new.inputs = provider.check(new.urn, {}, goal.inputs)
        first = difference.delete_before_replace if goal.delete_before_replace is None else goal.delete_before_replace
        condemned = self._condemned_with(old) if first else ()
        for state in condemned:
            self._condemned[state.urn] = threading.Event()
        return Decision(step=Step.REPLACE, difference=difference, delete_first=first, condemned=condemned)

    def _difference(self, goal: Goal, old: ResourceState, new: ResourceState, provider: Provider) -> Difference:
        if new.deleted_with and self._account.step_of(new.deleted_with) is Step.REPLACE:
            return Difference(changed=True, replace_keys=("deletedWith",))
        if self._provider_changed(old, new, provider):
            return Difference(changed=True, replace_keys=("provider",))
        difference = provider.differ(old, new.inputs, list(goal.ignore_changes))
        return difference if difference.known else compare(old.inputs, new.inputs)

    def _provider_changed(self, old: ResourceState, new: ResourceState, provider: Provider) -> bool:
        if old.provider == new.provider or not old.provider:
            return old.provider != new.provider
        before, after = self._account.provider_state(old.provider), self._account.provider_state(new.provider)
        if before is None or after is None:
            return True
        return provider.differ_configuration(before, after.inputs).replaces

    def _condemned_with(self, root: ResourceState) -> tuple[ResourceState, ...]:
        """Dependents that cannot outlive `root`, the last in the order of dependency first."""
        lost, found = {root.urn}, []
        for state in self._journal.untouched():
            if state is root or state.delete or state.urn in self._decided or not state.custom:
                continue
            if self._cannot_outlive(state, lost):
                if state.protect:
                    raise OfflineError(
                        f"{root.urn} can only be replaced together with {state.urn}, which is protected. "
                        "Take protect=True from it in the program and run `up` first."
                    )
                lost.add(state.urn)
                found.append(state)
        return tuple(reversed(found))

    def _cannot_outlive(self, state: ResourceState, lost: set[str]) -> bool:
        if urns.split_reference(state.provider)[0] in lost or state.deleted_with in lost:
            return True
        inputs = {
            key: UNKNOWN if lost.intersection(state.property_dependencies.get(key, ())) else value
            for key, value in state.inputs.items()
        }
        if inputs == state.inputs:
            return False
        difference = self._account.provider_for(state).differ(state, inputs, state.ignore_changes)
        difference = difference if difference.known else compare(state.inputs, inputs)
        return _with_replace_on_changes(difference, tuple(state.replace_on_changes)).replaces


def _with_replace_on_changes(difference: Difference, selectors: tuple[str, ...]) -> Difference:
    if not difference.changed or not selectors:
        return difference
    wanted = [paths.parse(selector) for selector in selectors]

    def replaces(path: str) -> bool:
        return any(paths.covers(selector, paths.parse(path)) for selector in wanted)

    return replace(
        difference,
        details={path: known or replaces(path) for path, known in difference.details.items()},
        replace_keys=(*difference.replace_keys, *(key for key in difference.changed_keys if replaces(key))),
    )
