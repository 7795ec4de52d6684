"""The engine's part: decides a step for each registration, takes it, and at the end deletes what was not registered.

The rules are the engine's (`pkg/resource/deploy` of Pulumi): what inherits from a parent, when a difference is an
update and when a replacement, which dependents are deleted before a resource that must be deleted before it is
replaced. Deciding takes turns, taking steps does not.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from diversite.errors import OfflineError
from offline import paths, urns
from offline.checkpoint import ResourceState, now
from offline.goals import Alias, Goal
from offline.journal import Journal
from offline.plugins import Difference, StepFailedError, compare
from offline.providers import Provider, Registry
from offline.removal import remove_all
from offline.results import Diagnostic, Event, OnEvent, PolicyFinding, Resource, Severity, Step
from offline.values import UNKNOWN, UNKNOWN_TEXT, Properties, has_unknown, keep_secrecy, mark_secret
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


@dataclass(frozen=True, kw_only=True)
class _Decision:
    step: Step
    difference: Difference
    delete_first: bool = False
    condemned: tuple[ResourceState, ...] = ()
    """Dependents to be deleted before it, in the order of deletion."""
    gone: bool = False
    """The old one is deleted already."""


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
        self.registry = registry
        self.analyzer = analyzer
        self.stopping = threading.Event()
        self.diagnostics: list[Diagnostic] = []
        self.findings: list[PolicyFinding] = []
        self.results: dict[str, Resource] = {}
        self.goals: dict[str, Goal] = {}
        self.states: dict[str, ResourceState] = {}
        self.outputs: Properties = {}
        self.root = ""
        self._on_event = on_event or (lambda _event: None)
        self._guard = threading.RLock()
        self._deciding = threading.RLock()
        self._defaults_turn = threading.Lock()
        self._defaults_failed: dict[str, OfflineError] = {}
        self._slots = threading.BoundedSemaphore(settings.parallel)
        self._olds = {state.urn: state for state in journal.base if not state.delete}
        self._interrupted = {state.urn: kind for kind, state in journal.interrupted if kind != "creating"}
        self._claimed: set[str] = set()
        self._decided: set[str] = set()
        self._aliased: dict[str, str] = {}
        self._deleted_first: dict[str, threading.Event] = {}
        self._root_outputs: Properties | None = None
        self._active = 0
        self._idle = threading.Condition()

    # What the monitor calls.

    def register(self, goal: Goal) -> Registered:
        """Take the step that a registration asks for.

        Raises:
            OfflineError: it is refused, its provider finds it wrong, or its step failed.
        """
        if self.stopping.is_set():
            raise InterruptedByUserError(f"{goal.subject}: the run was interrupted; no new step is taken.")
        urn = self._urn_of(goal)
        with self._under_way():
            try:
                return self._register(goal, urn)
            except OfflineError as error:
                if not isinstance(error, ToldBeforeError):
                    self.diagnose("error", str(error), urn)
                if not self.settings.collects:
                    raise
                return Registered(urn=urn, failed=True)

    def register_outputs(self, urn: str, outputs: Properties) -> None:
        """Record what a component exports."""
        with self._guard:
            if urn not in self.states:
                raise OfflineError(f"{urn}: its outputs were registered before it was.")
            if urn == self.root:
                self._root_outputs = outputs
                return
            state = self.states[urn]
            changed = state.outputs != outputs
            state.outputs = outputs
            self.journal.touch(state)
            self._amend(urn, outputs=outputs)
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

    def diagnose(self, severity: Severity, message: str, urn: str = "") -> None:
        """Say something of a resource or of the run."""
        with self._guard:
            self.diagnostics.append(Diagnostic(severity=severity, message=message, urn=urn))
        self._on_event(Event(kind="diagnostic", severity=severity, message=message, urn=urn))

    def report(self, finding: PolicyFinding) -> None:
        """Say what a policy found."""
        with self._guard:
            self.findings.append(finding)
        self._on_event(Event(kind="policy", urn=finding.urn, message=f"{finding.policy}: {finding.message}"))

    def provider_state(self, reference: str) -> ResourceState | None:
        """The state of the provider object that a resource names."""
        urn, _ = urns.split_reference(reference)
        with self._guard:
            return self.states.get(urn) or self._olds.get(urn)

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
        old = self._old_of(goal, urn)
        if urns.is_provider(goal.type):
            return self._register_provider(goal, urn, old)
        return self._register_custom(goal, urn, old) if goal.custom else self._register_component(goal, urn, old)

    def _urn_of(self, goal: Goal) -> str:
        return urns.make(self.settings.stack, self.settings.project, goal.parent, goal.type, goal.name)

    def _claim(self, goal: Goal, urn: str) -> Goal:
        with self._guard:
            if urn in self._claimed:
                raise OfflineError(
                    f"{urn} is registered twice: type and name must be unique below one parent. Give one another name."
                )
            self._claimed.add(urn)
            self._check_parent(goal)
            if goal.type == urns.ROOT_TYPE:
                self.root = urn
            goal = goal.inheriting(self.goals[goal.parent]) if goal.parent in self.goals else goal
            self.goals[urn] = goal
            return goal

    def _check_parent(self, goal: Goal) -> None:
        if goal.parent and goal.parent not in self.goals:
            raise OfflineError(f"{goal.subject}: its parent {goal.parent} is not registered.")
        if goal.custom and not urns.is_provider(goal.type) and goal.parent in ("", self.root):
            raise OfflineError(
                f"{goal.subject} is a custom resource directly under the stack: nothing owns it there. "
                "Make it in a component, with ResourceOptions(parent=self)."
            )

    def _old_of(self, goal: Goal, urn: str) -> ResourceState | None:
        if urn in self._olds:
            return self._olds[urn]
        with self._guard:
            for alias in self._alias_urns(goal):
                if alias in self._olds:
                    return self._follow_alias(alias, urn)
        return None

    def _follow_alias(self, alias: str, urn: str) -> ResourceState:
        if alias in self._claimed or alias in self._aliased:
            taken = self._aliased.get(alias, alias)
            raise OfflineError(f"{urn} is aliased to {alias}, which is {taken} in this run.")
        self._aliased[alias] = urn
        self.journal.rename(alias, urn)
        return self._olds[alias]

    def _alias_urns(self, goal: Goal) -> list[str]:
        own = [self._alias_urn(goal, alias) for alias in goal.aliases]
        former_parents = [old for old, new in self._aliased.items() if new == goal.parent]
        names = [(goal.type, goal.name), *((urns.type_of(urn), urns.name_of(urn)) for urn in own)]
        inherited = [self._inherited_alias(goal, parent, *known) for parent in former_parents for known in names]
        return [*own, *inherited]

    def _alias_urn(self, goal: Goal, alias: Alias) -> str:
        if alias.urn:
            return alias.urn
        parent = "" if alias.no_parent else alias.parent or goal.parent
        former = {new: old for old, new in self._aliased.items()}
        return urns.make(
            alias.stack or self.settings.stack,
            alias.project or self.settings.project,
            former.get(parent, parent) if alias.parent else parent,
            alias.type or goal.type,
            alias.name or goal.name,
        )

    def _inherited_alias(self, goal: Goal, former_parent: str, type_: str, name: str) -> str:
        parent_name = urns.name_of(goal.parent)
        if name.startswith(parent_name):
            name = urns.name_of(former_parent) + name.removeprefix(parent_name)
        return urns.make(self.settings.stack, self.settings.project, former_parent, type_, name)

    # Components.

    def _register_component(self, goal: Goal, urn: str, old: ResourceState | None) -> Registered:
        state = _state_of(goal, urn, old, goal.inputs)
        self._judge(state, goal)
        step = _component_step(old, state)
        state.outputs = dict(old.outputs) if old else {}
        self.journal.finish(state, old, quiet=step is Step.SAME and old is not None and old.urn == urn)
        self._enter(state, goal, step)
        return Registered(urn=urn)

    def _finish_root(self, *, succeeded: bool) -> None:
        if not self.root or self._root_outputs is None:
            return
        state = self.states[self.root]
        new = self._root_outputs if succeeded else {**state.outputs, **self._root_outputs}
        self.outputs = state.outputs = new
        self.journal.touch(state)
        self._amend(self.root, outputs=new)

    # Provider objects.

    def _register_provider(self, goal: Goal, urn: str, old: ResourceState | None) -> Registered:
        provider = self.registry.start(urns.package_of(goal.type))
        inputs = provider.check_configuration(urn, old.inputs if old else {}, goal.inputs)
        state = _state_of(goal, urn, old, inputs)
        state.outputs = inputs
        self._judge(state, goal)
        step = self._provider_step(provider, old, inputs)
        state.id = old.id if old else self._new_provider_id()
        self.registry.add(f"{urn}::{state.id}", provider, inputs)
        self.journal.finish(state, old, quiet=step is Step.SAME)
        self._enter(state, goal, step)
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
            if urn not in self.states:
                self._register_default(package, name, version, urn)
            return f"{urn}::{self.states[urn].id}"

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
        provider = self.registry.of(goal.provider)
        with self._slots:
            old = self._as_it_is(old)
            state = self._checked(goal, urn, old, provider)
            self._judge(state, goal)
            decision = self._decide(goal, old, state, provider)
            self._decided.add(urn)
            self._take(decision, goal, old, state, provider)
        return Registered(urn=urn, id=state.id, outputs=state.outputs)

    def _checked(self, goal: Goal, urn: str, old: ResourceState | None, provider: Provider) -> ResourceState:
        inputs = goal.inputs
        if old is not None:
            for path in goal.ignore_changes:
                inputs = paths.reset(paths.parse(path), old.inputs, inputs)
        inputs = provider.check(urn, old.inputs if old else {}, inputs)
        if not self.settings.preview and has_unknown(inputs):
            raise OfflineError(f"{urn}: an input is not known although everything it depends on is done.")
        return _state_of(goal, urn, old, inputs)

    def _judge(self, state: ResourceState, goal: Goal) -> None:
        if self.analyzer is None:
            return
        findings = self.analyzer.analyze(state, goal, self.provider_state(state.provider))
        for finding in findings:
            self.report(finding)
        mandatory = [finding for finding in findings if finding.enforcement in ("mandatory", "remediate")]
        if mandatory and not self.settings.preview:
            raise OfflineError(f"{state.urn}: the policy {mandatory[0].policy} forbids it: {mandatory[0].message}")

    def _as_it_is(self, old: ResourceState | None) -> ResourceState | None:
        """The old state, or none where an earlier run was killed while it deleted this."""
        if old is None or self._interrupted.get(old.urn) != "deleting" or self.settings.preview:
            return old
        identity, _, _ = self.provider_for(old).read(old)
        if identity:
            return old
        self.journal.finish(old=old)
        return None

    # Decisions.

    def _decide(self, goal: Goal, old: ResourceState | None, new: ResourceState, provider: Provider) -> _Decision:
        if old is None:
            return _Decision(step=Step.CREATE, difference=Difference(changed=True))
        with self._deciding:
            condemned_already = self._deleted_first.get(old.urn)
        if condemned_already is not None:
            condemned_already.wait()
            return _Decision(step=Step.REPLACE, difference=Difference(changed=True), gone=True)
        with self._deciding:
            return self._decide_old(goal, old, new, provider)

    def _decide_old(self, goal: Goal, old: ResourceState, new: ResourceState, provider: Provider) -> _Decision:
        difference = _with_replace_on_changes(self._difference(goal, old, new, provider), goal.replace_on_changes)
        if old.pending_replacement:
            return _Decision(step=Step.REPLACE, difference=difference, gone=True)
        if difference.changed and difference.replaces:
            return self._decide_replacement(goal, old, new, difference, provider)
        again = bool(old.init_errors) or self._interrupted.get(old.urn) == "updating"
        return _Decision(step=Step.UPDATE if difference.changed or again else Step.SAME, difference=difference)

    def _decide_replacement(
        self, goal: Goal, old: ResourceState, new: ResourceState, difference: Difference, provider: Provider
    ) -> _Decision:
        if old.protect and new.protect:
            raise OfflineError(
                f"{old.urn} is protected, and {', '.join(difference.paths)} cannot change without replacing it. "
                "Take protect=True from it in the program and run `up`, then make the change."
            )
        new.inputs = provider.check(new.urn, {}, goal.inputs)
        first = difference.delete_before_replace if goal.delete_before_replace is None else goal.delete_before_replace
        condemned = self._condemned_with(old) if first else ()
        for state in condemned:
            self._deleted_first[state.urn] = threading.Event()
        return _Decision(step=Step.REPLACE, difference=difference, delete_first=first, condemned=condemned)

    def _difference(self, goal: Goal, old: ResourceState, new: ResourceState, provider: Provider) -> Difference:
        if new.deleted_with and self._step_of(new.deleted_with) is Step.REPLACE:
            return Difference(changed=True, replace_keys=("deletedWith",))
        if self._provider_changed(old, new, provider):
            return Difference(changed=True, replace_keys=("provider",))
        difference = provider.differ(old, new.inputs, list(goal.ignore_changes))
        return difference if difference.known else compare(old.inputs, new.inputs)

    def _provider_changed(self, old: ResourceState, new: ResourceState, provider: Provider) -> bool:
        if old.provider == new.provider or not old.provider:
            return old.provider != new.provider
        before, after = self.provider_state(old.provider), self.provider_state(new.provider)
        if before is None or after is None:
            return True
        return provider.differ_configuration(before, after.inputs).replaces

    def _condemned_with(self, root: ResourceState) -> tuple[ResourceState, ...]:
        """Dependents that cannot outlive `root`, the last in the order of dependency first."""
        lost, found = {root.urn}, []
        for state in self.journal.untouched():
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
        difference = self.provider_for(state).differ(state, inputs, state.ignore_changes)
        difference = difference if difference.known else compare(state.inputs, inputs)
        return _with_replace_on_changes(difference, tuple(state.replace_on_changes)).replaces

    def provider_for(self, state: ResourceState) -> Provider:
        """What serves a resource of the state, started if it is not yet."""
        entry = self.provider_state(state.provider)
        if entry is None:
            raise OfflineError(f"{state.urn}: its provider {state.provider} is not in the state.")
        _, identity = urns.split_reference(state.provider)
        return self.registry.of(state.provider) if entry.id != identity else self.registry.ensure(entry)

    # Steps.

    def _take(
        self, decision: _Decision, goal: Goal, old: ResourceState | None, state: ResourceState, provider: Provider
    ) -> None:
        if decision.step is Step.SAME and old is not None:
            self._keep(old, state)
        elif self.settings.preview:
            self._pretend(decision, old, state)
        else:
            self._timed(decision.step, state, lambda: self._carry_out(decision, old, state, provider))
        self._enter(state, goal, decision.step, decision.difference.paths)

    def _keep(self, old: ResourceState, state: ResourceState) -> None:
        state.id, state.outputs = old.id, old.outputs
        self.journal.finish(state, old, quiet=not _noteworthy(old, state))

    def _pretend(self, decision: _Decision, old: ResourceState | None, state: ResourceState) -> None:
        for condemned in decision.condemned:
            self._deleted_first[condemned.urn].set()
        state.outputs = dict(state.inputs)
        if old is not None and decision.step is Step.UPDATE:
            state.id = old.id
            stable = decision.difference.stable_keys
            state.outputs |= {key: value for key, value in old.outputs.items() if key in stable}
        self.journal.finish(state, old)

    def _carry_out(
        self, decision: _Decision, old: ResourceState | None, state: ResourceState, provider: Provider
    ) -> None:
        if old is None or decision.step is Step.CREATE:
            self._create(state, None, provider)
        elif decision.step is Step.UPDATE:
            self._update(old, state, provider)
        elif decision.gone:
            self._create(state, old, provider)
        elif decision.delete_first:
            self._delete_first(decision.condemned, old)
            self._create(state, old, provider)
        else:
            self._create(state, None, provider)
            old.delete = True
            self.journal.touch(old)
            self.journal.commit()

    def _create(self, state: ResourceState, old: ResourceState | None, provider: Provider) -> None:
        with self.journal.operation("creating", state):
            try:
                state.id, outputs = provider.create(state)
            except StepFailedError as error:
                self._keep_partial(state, old, error)
                raise
            self._settle(state, outputs, created=True)
            self._record(state, old, None)
        self.journal.commit()

    def _update(self, old: ResourceState, state: ResourceState, provider: Provider) -> None:
        state.id = old.id
        with self.journal.operation("updating", state):
            try:
                outputs = provider.update(old, state)
            except StepFailedError as error:
                self._keep_partial(state, old, error)
                raise
            self._settle(state, outputs, created=False)
            self._record(state, old, old)
        self.journal.commit()

    def _record(self, state: ResourceState, old: ResourceState | None, like: ResourceState | None) -> None:
        """Into the state; what cannot be stored there stays pending, so that the next run does the step again."""
        try:
            self.journal.finish(state, old, quiet=True)
        except OfflineError as error:
            state.id, state.outputs = (like.id, like.outputs) if like else ("", {})
            raise StepFailedError(f"{state.urn}: done, and not to be stored: {error}", lost=True) from error

    def _delete_first(self, condemned: tuple[ResourceState, ...], old: ResourceState) -> None:
        try:
            for state in (*condemned, old):
                if not state.pending_replacement:
                    self._delete(state, {item.urn for item in (*condemned, old)})
                    state.pending_replacement = True
                    self.journal.touch(state)
        finally:
            for state in condemned:
                self._deleted_first[state.urn].set()
        self.journal.commit()

    def _delete(self, state: ResourceState, lost: set[str]) -> None:
        if not state.custom or urns.is_provider(state.type) or state.retain_on_delete or state.deleted_with in lost:
            return
        with self.journal.operation("deleting", state):
            self.provider_for(state).delete(state)

    def _keep_partial(self, state: ResourceState, old: ResourceState | None, error: StepFailedError) -> None:
        if error.partial is not None:
            state.id, state.init_errors = error.partial.id or state.id, list(error.partial.reasons)
            self._settle(state, error.partial.outputs, created=old is None)
            self.journal.finish(state, old)

    def _settle(self, state: ResourceState, outputs: Properties, *, created: bool) -> None:
        state.outputs = mark_secret(keep_secrecy(outputs, state.inputs), state.additional_secret_outputs)
        state.modified = now()
        state.created = state.modified if created or not state.created else state.created

    def _timed(self, step: Step, state: ResourceState, act: Callable[[], None]) -> None:
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

    # The end of a run.

    def _remove_rest(self) -> None:
        condemned = [state for state in self.journal.untouched() if not state.pending_replacement or state.delete]
        for state in self.journal.untouched():
            if state.pending_replacement and not state.delete:
                self.journal.finish(old=state)  # deleted for a replacement that the program no longer asks for
        self.remove([*condemned, *self.adopt_interrupted()])

    def adopt_interrupted(self) -> list[ResourceState]:
        """Finish creating what an earlier run was killed at and this one does not declare: then it can be deleted."""
        pending = [state for kind, state in self.journal.interrupted if kind == "creating"]
        if self.settings.preview:
            return [state for state in pending if state.urn not in self.states]
        return [state for state in pending if state.urn not in self.states and self._adopted(state)]

    def _adopted(self, state: ResourceState) -> bool:
        try:
            self._create(state, None, self.provider_for(state))
        except OfflineError as error:
            self.diagnose(
                "error", f"a run was killed while it created this, and finishing it failed: {error}", state.urn
            )
            return False
        return True

    def remove(self, condemned: list[ResourceState]) -> None:
        """Delete resources, each after all that need it, as many at a time as that allows."""
        lost = {state.urn for state in condemned if not state.delete}
        failed = remove_all(condemned, lambda state: self._remove(state, lost), self.settings.parallel, self.stopping)
        for state, error in failed:
            self.diagnose("error", str(error), state.urn)

    def _remove(self, state: ResourceState, lost: set[str]) -> None:
        if state.protect and not state.delete:
            raise OfflineError(
                f"{state.urn} is protected and would be deleted. "
                "Take protect=True from it in the program and run `up` first."
            )
        if self.settings.preview or not state.custom or urns.is_provider(state.type):
            self.journal.finish(old=state)
        else:
            self._timed(Step.DELETE, state, lambda: self._delete(state, lost))
            self.journal.finish(old=state)
        if not state.delete:
            self._enter_removed(state)

    # Results.

    def _enter(self, state: ResourceState, goal: Goal, step: Step, changed: tuple[str, ...] = ()) -> None:
        with self._guard:
            self.states[state.urn] = state
            if not _is_default_provider(state):
                self.results[state.urn] = _resource(state, step, goal.delete_before_replace, changed)

    def _enter_removed(self, state: ResourceState) -> None:
        with self._guard:
            if not _is_default_provider(state):
                self.results[state.urn] = _resource(state, Step.DELETE, None, ())

    def _amend(self, urn: str, **changes: Any) -> None:
        self.results[urn] = replace(self.results[urn], **changes)

    def _step_of(self, urn: str) -> Step | None:
        with self._guard:
            return self.results[urn].step if urn in self.results else None


def _state_of(goal: Goal, urn: str, old: ResourceState | None, inputs: Properties) -> ResourceState:
    return ResourceState(
        urn=urn,
        type=goal.type,
        custom=goal.custom,
        parent=goal.parent,
        provider=goal.provider if goal.custom and not urns.is_provider(goal.type) else "",
        inputs=inputs,
        dependencies=list(goal.dependencies),
        property_dependencies={key: list(found) for key, found in goal.property_dependencies.items()},
        protect=bool(goal.protect),
        retain_on_delete=bool(goal.retain_on_delete),
        deleted_with=goal.deleted_with,
        additional_secret_outputs=list(goal.additional_secret_outputs),
        ignore_changes=list(goal.ignore_changes),
        replace_on_changes=list(goal.replace_on_changes),
        custom_timeouts=dict(goal.custom_timeouts),
        created=old.created if old else "",
        modified=old.modified if old else "",
    )


def _component_step(old: ResourceState | None, new: ResourceState) -> Step:
    if old is None:
        return Step.CREATE
    return Step.SAME if old.inputs == new.inputs else Step.UPDATE


def _noteworthy(old: ResourceState, new: ResourceState) -> bool:
    """Whether a resource that stays has options that the state must learn of before the run ends."""
    return (old.urn, old.protect, old.provider, old.parent) != (new.urn, new.protect, new.provider, new.parent)


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


def _is_default_provider(state: ResourceState) -> bool:
    return urns.is_provider(state.type) and not state.parent and urns.name_of(state.urn).startswith("default")


def _resource(
    state: ResourceState, step: Step, delete_before_replace: bool | None, changed: tuple[str, ...]
) -> Resource:
    return Resource(
        urn=state.urn,
        type=state.type,
        name=urns.name_of(state.urn),
        custom=state.custom,
        step=step,
        parent=state.parent,
        inputs=state.inputs,
        outputs=state.outputs,
        id=state.id,
        provider=state.provider,
        dependencies=tuple(state.dependencies),
        property_dependencies={key: tuple(found) for key, found in state.property_dependencies.items()},
        protect=state.protect,
        retain_on_delete=state.retain_on_delete,
        deleted_with=state.deleted_with,
        delete_before_replace=delete_before_replace,
        ignore_changes=tuple(state.ignore_changes),
        replace_on_changes=tuple(state.replace_on_changes),
        additional_secret_outputs=tuple(state.additional_secret_outputs),
        changed=changed,
    )
