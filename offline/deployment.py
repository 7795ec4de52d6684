"""The engine's part: a run over a stack, from the first registration to the deletion of what was not registered.

What a registration means is here: its name and its parent's gifts, components, provider objects (the default ones
included), the pack's judgement. `decisions` decides its step, `steps` takes it, `names` finds what it goes on with, and
`account` keeps what is known meanwhile.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from diversite.errors import OfflineError
from offline import paths, urns
from offline.account import Account
from offline.checkpoint import ResourceState
from offline.decisions import Decisions
from offline.goals import Goal, state_of
from offline.journal import Journal
from offline.names import Names
from offline.providers import Provider, Registry
from offline.removal import remove_all
from offline.results import OnEvent, PolicyFinding, Step
from offline.steps import Steps
from offline.values import UNKNOWN_TEXT, Properties, has_unknown
from offline.wishes import PARALLEL_DEFAULT


class InterruptedByUserError(OfflineError):
    """A step that was not begun because the run is to end."""


class ToldBeforeError(OfflineError):
    """A resource that failed for what another was told of already: it gets no diagnostic of its own."""


class Analyzer(Protocol):
    """What judges resources: a policy pack."""

    def analyze(self, state: ResourceState, goal: Goal | None, provider: ResourceState | None) -> list[PolicyFinding]:
        """Findings about one resource's inputs."""


@dataclass(kw_only=True)
class Settings:
    """What one run is."""

    project: str
    stack: str
    configuration: Mapping[str, str] = field(default_factory=dict)
    preview: bool = True
    collects: bool = False
    """Go on after a refused or wrong resource, so that one preview tells all of them."""
    parallel: int = PARALLEL_DEFAULT


@dataclass(frozen=True, kw_only=True)
class Registered:
    """The answer to a registration."""

    urn: str
    id: str = ""
    outputs: Properties = field(default_factory=dict)
    failed: bool = False


class Deployment:
    """One run over a stack. `register` may be called from many threads at once."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        registry: Registry,
        on_event: OnEvent | None = None,
        analyzer: Analyzer | None = None,
    ) -> None:
        self.settings = settings
        self.journal = journal
        self.account = Account(journal, registry, on_event)
        self.analyzer = analyzer
        self.stopping = threading.Event()
        self.outputs: Properties = {}
        self._registry = registry
        self._names = Names(settings.project, settings.stack, self.account, journal)
        self._decisions = Decisions(self.account, journal)
        self._steps = Steps(self.account, journal, self._decisions, preview=settings.preview)
        self._slots = threading.BoundedSemaphore(settings.parallel)
        self._defaults_turn = threading.Lock()
        self._defaults_failed: dict[str, OfflineError] = {}
        self._root = ""
        self._root_outputs: Properties | None = None
        self._active = 0
        self._idle = threading.Condition()

    def register(self, goal: Goal) -> Registered:
        """Take the step that a registration asks for.

        Raises:
            OfflineError: it is refused, its provider finds it wrong, or its step failed.
        """
        if self.stopping.is_set():
            raise InterruptedByUserError(f"{goal.subject}: the run was interrupted; no new step is taken.")
        urn = self._names.of(goal)
        with self._under_way():
            try:
                return self._register(goal, urn)
            except OfflineError as error:
                if not isinstance(error, ToldBeforeError):
                    self.account.diagnose("error", str(error), urn)
                if not self.settings.collects:
                    raise
                return Registered(urn=urn, failed=True)

    def register_outputs(self, urn: str, outputs: Properties) -> None:
        """Record what a component exports."""
        with self.account.guard:
            if urn not in self.account.states:
                raise OfflineError(f"{urn}: its outputs were registered before it was.")
            if urn == self._root:
                self._root_outputs = outputs
                return
            state = self.account.states[urn]
            changed = state.outputs != outputs
            state.outputs = outputs
            self.journal.touch(state)
            self.account.amend(urn, outputs=outputs)
        if changed and not self.settings.preview:
            self.journal.commit()

    def finish(self, *, succeeded: bool) -> None:
        """End the run: the last steps, the stack's outputs, the deletion of what the program no longer declares."""
        with self._idle:
            self._idle.wait_for(lambda: self._active == 0)
        self._finish_root(succeeded=succeeded)
        if succeeded and not self.stopping.is_set():
            self._remove_rest()
        if not self.settings.preview:
            self.journal.commit()

    def adopt_interrupted(self) -> list[ResourceState]:
        """Finish creating what an earlier run was killed at and this one does not declare: then it can be deleted."""
        pending = [state for kind, state in self.journal.interrupted if kind == "creating"]
        if self.settings.preview:
            return [state for state in pending if state.urn not in self.account.states]
        return [state for state in pending if state.urn not in self.account.states and self._steps.adopt(state)]

    def remove(self, condemned: list[ResourceState]) -> None:
        """Delete resources, each after all that need it, as many at a time as that allows."""
        lost = {state.urn for state in condemned if not state.delete}
        failed = remove_all(
            condemned, lambda state: self._steps.remove(state, lost), self.settings.parallel, self.stopping
        )
        for state, error in failed:
            self.account.diagnose("error", str(error), state.urn)

    # Registration.

    @contextlib.contextmanager
    def _under_way(self) -> Iterator[None]:
        with self._idle:
            self._active += 1
        try:
            yield
        finally:
            with self._idle:
                self._active -= 1
                self._idle.notify_all()

    def _register(self, goal: Goal, urn: str) -> Registered:
        goal = self._claim(goal, urn)
        if goal.refused is not None:
            raise goal.refused
        old = self._names.old(goal, urn)
        if urns.is_provider(goal.type):
            return self._register_provider(goal, urn, old)
        return self._register_custom(goal, urn, old) if goal.custom else self._register_component(goal, urn, old)

    def _claim(self, goal: Goal, urn: str) -> Goal:
        with self.account.guard:
            self._names.claim(urn)
            self._check_parent(goal)
            if goal.type == urns.ROOT_TYPE:
                self._root = urn
            goal = goal.inheriting(self.account.goals[goal.parent]) if goal.parent in self.account.goals else goal
            self.account.goals[urn] = goal
            return goal

    def _check_parent(self, goal: Goal) -> None:
        if goal.parent and goal.parent not in self.account.goals:
            raise OfflineError(f"{goal.subject}: its parent {goal.parent} is not registered.")
        if goal.custom and not urns.is_provider(goal.type) and goal.parent in ("", self._root):
            raise OfflineError(
                f"{goal.subject} is a custom resource directly under the stack: nothing owns it there. "
                "Make it in a component, with ResourceOptions(parent=self)."
            )

    def _judge(self, state: ResourceState, goal: Goal) -> None:
        if self.analyzer is None:
            return
        findings = self.analyzer.analyze(state, goal, self.account.provider_state(state.provider))
        for finding in findings:
            self.account.report(finding)
        mandatory = [finding for finding in findings if finding.enforcement in ("mandatory", "remediate")]
        if mandatory and not self.settings.preview:
            raise OfflineError(f"{state.urn}: the policy {mandatory[0].policy} forbids it: {mandatory[0].message}")

    # Components.

    def _register_component(self, goal: Goal, urn: str, old: ResourceState | None) -> Registered:
        state = state_of(goal, urn, old, goal.inputs)
        self._judge(state, goal)
        step = _component_step(old, state)
        state.outputs = dict(old.outputs) if old else {}
        self.journal.finish(state, old, quiet=step is Step.SAME and old is not None and old.urn == urn)
        self.account.enter(state, goal, step)
        return Registered(urn=urn)

    def _finish_root(self, *, succeeded: bool) -> None:
        if not self._root or self._root_outputs is None:
            return
        state = self.account.states[self._root]
        new = self._root_outputs if succeeded else {**state.outputs, **self._root_outputs}
        self.outputs = state.outputs = new
        self.journal.touch(state)
        self.account.amend(self._root, outputs=new)

    # Provider objects.

    def _register_provider(self, goal: Goal, urn: str, old: ResourceState | None) -> Registered:
        provider = self._registry.start(urns.package_of(goal.type))
        inputs = provider.check_configuration(urn, old.inputs if old else {}, goal.inputs)
        state = state_of(goal, urn, old, inputs)
        state.outputs = inputs
        self._judge(state, goal)
        step = self._provider_step(provider, old, inputs)
        state.id = old.id if old else self._new_provider_id()
        self._registry.add(f"{urn}::{state.id}", provider, inputs)
        self.journal.finish(state, old, quiet=step is Step.SAME)
        self.account.enter(state, goal, step)
        return Registered(urn=urn, id="" if state.id == UNKNOWN_TEXT else state.id, outputs=inputs)

    def _new_provider_id(self) -> str:
        return UNKNOWN_TEXT if self.settings.preview else str(uuid.uuid4())

    def _provider_step(self, provider: Provider, old: ResourceState | None, inputs: Properties) -> Step:
        if old is None:
            return Step.CREATE
        difference = provider.differ_configuration(old, inputs)
        if difference.replaces:
            raise OfflineError(
                f"{old.urn}: the provider says that {', '.join(difference.paths)} cannot change while its resources "
                "live. Destroy the stack first, then bring it up with the new configuration."
            )
        changed = difference.changed if difference.known else old.inputs != inputs
        return Step.UPDATE if changed else Step.SAME

    def _reference_for(self, goal: Goal) -> str:
        package = urns.package_of(goal.type)
        return goal.provider or goal.providers.get(package) or self._default_provider(package, goal.version)

    def _default_provider(self, package: str, version: str) -> str:
        name = "default" + "".join(
            f"_{part}" for part in version.replace("-", ".").replace("+", ".").split(".") if part
        )
        urn = urns.make(self.settings.stack, self.settings.project, "", urns.PROVIDER_PREFIX + package, name)
        with self._defaults_turn:
            if urn in self._defaults_failed:
                raise ToldBeforeError(str(self._defaults_failed[urn]))
            if urn not in self.account.states:
                self._register_default(package, name, version, urn)
            return f"{urn}::{self.account.states[urn].id}"

    def _register_default(self, package: str, name: str, version: str, urn: str) -> None:
        prefix = f"{package}:"
        configured = self.settings.configuration.items()
        inputs = {key.removeprefix(prefix): value for key, value in configured if key.startswith(prefix)}
        goal = Goal(
            type=urns.PROVIDER_PREFIX + package,
            name=name,
            custom=True,
            inputs={**inputs, "version": version} if version else inputs,
        )
        try:
            self._register(goal, urn)
        except OfflineError as error:
            self._defaults_failed[urn] = error
            raise

    # Custom resources.

    def _register_custom(self, goal: Goal, urn: str, old: ResourceState | None) -> Registered:
        goal = replace(goal, provider=self._reference_for(goal))
        provider = self._registry.of(goal.provider)
        with self._slots:
            old = self._steps.as_it_is(old)
            state = self._checked(goal, urn, old, provider)
            self._judge(state, goal)
            decision = self._decisions.decide(goal, old, state, provider)
            self._steps.take(decision, old, state, provider)
            self.account.enter(state, goal, decision.step, decision.difference.paths)
        return Registered(urn=urn, id=state.id, outputs=state.outputs)

    def _checked(self, goal: Goal, urn: str, old: ResourceState | None, provider: Provider) -> ResourceState:
        inputs = goal.inputs
        if old is not None:
            for path in goal.ignore_changes:
                inputs = paths.reset(paths.parse(path), old.inputs, inputs)
        inputs = provider.check(urn, old.inputs if old else {}, inputs)
        if not self.settings.preview and has_unknown(inputs):
            raise OfflineError(f"{urn}: an input is not known although everything it depends on is done.")
        return state_of(goal, urn, old, inputs)

    # The end of a run.

    def _remove_rest(self) -> None:
        condemned = [state for state in self.journal.untouched() if not state.pending_replacement or state.delete]
        for state in self.journal.untouched():
            if state.pending_replacement and not state.delete:
                self.journal.finish(old=state)  # deleted for a replacement that the program no longer asks for
        self.remove([*condemned, *self.adopt_interrupted()])


def _component_step(old: ResourceState | None, new: ResourceState) -> Step:
    if old is None:
        return Step.CREATE
    return Step.SAME if old.inputs == new.inputs else Step.UPDATE
