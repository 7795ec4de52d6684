"""Takes the steps that were decided: asks a provider, and keeps the journal true whatever becomes of it.

Steps of different resources run at once; what a killed run left half done is finished here too.
"""

from __future__ import annotations

from diversite.errors import OfflineError
from offline import urns
from offline.account import Account
from offline.checkpoint import ResourceState, now
from offline.decisions import Decision, Decisions
from offline.journal import Journal
from offline.plugins import StepFailedError
from offline.providers import Provider
from offline.results import Step
from offline.values import Properties, keep_secrecy, mark_secret


class Steps:
    """The steps of one run; of a preview, what they would be."""

    def __init__(self, account: Account, journal: Journal, decisions: Decisions, *, preview: bool) -> None:
        self._account = account
        self._journal = journal
        self._decisions = decisions
        self._preview = preview

    def take(self, decision: Decision, old: ResourceState | None, state: ResourceState, provider: Provider) -> None:
        """Take the step to `state`, or pretend to.

        Raises:
            OfflineError: it failed; what of it is done is in the journal.
        """
        if decision.step is Step.SAME and old is not None:
            self._keep(old, state)
        elif self._preview:
            self._pretend(decision, old, state)
        else:
            self._account.timed(decision.step, state, lambda: self._carry_out(decision, old, state, provider))

    def as_it_is(self, old: ResourceState | None) -> ResourceState | None:
        """The old state, or none where an earlier run was killed while it deleted this."""
        if old is None or not self._decisions.was_being_deleted(old) or self._preview:
            return old
        identity, _, _ = self._account.provider_for(old).read(old)
        if identity:
            return old
        self._journal.finish(old=old)
        return None

    def remove(self, state: ResourceState, lost: set[str]) -> None:
        """Delete a resource, while those named `lost` go too.

        Raises:
            OfflineError: it is protected, or its provider could not delete it.
        """
        if state.protect and not state.delete:
            raise OfflineError(
                f"{state.urn} is protected and would be deleted. "
                "Take protect=True from it in the program and run `up` first."
            )
        if self._preview or not state.custom or urns.is_provider(state.type):
            self._journal.finish(old=state)
        else:
            self._account.timed(Step.DELETE, state, lambda: self._delete(state, lost))
            self._journal.finish(old=state)
        if not state.delete:
            self._account.enter_removed(state)

    def adopt(self, state: ResourceState) -> bool:
        """Finish a creation that an earlier run was killed at; whether that went well. It is told where it did not."""
        try:
            self._create(state, None, self._account.provider_for(state))
        except OfflineError as error:
            self._account.diagnose(
                "error", f"a run was killed while it created this, and finishing it failed: {error}", state.urn
            )
            return False
        return True

    def _keep(self, old: ResourceState, state: ResourceState) -> None:
        state.id, state.outputs = old.id, old.outputs
        self._journal.finish(state, old, quiet=not _noteworthy(old, state))

    def _pretend(self, decision: Decision, old: ResourceState | None, state: ResourceState) -> None:
        self._decisions.let_go(decision.condemned)
        state.outputs = dict(state.inputs)
        if old is not None and decision.step is Step.UPDATE:
            state.id = old.id
            stable = decision.difference.stable_keys
            state.outputs |= {key: value for key, value in old.outputs.items() if key in stable}
        self._journal.finish(state, old)

    def _carry_out(
        self, decision: Decision, old: ResourceState | None, state: ResourceState, provider: Provider
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
            self._journal.touch(old)
            self._journal.commit()

    def _create(self, state: ResourceState, old: ResourceState | None, provider: Provider) -> None:
        with self._journal.operation("creating", state):
            try:
                state.id, outputs = provider.create(state)
            except StepFailedError as error:
                self._keep_partial(state, old, error)
                raise
            self._settle(state, outputs, created=True)
            self._record(state, old, None)
        self._journal.commit()

    def _update(self, old: ResourceState, state: ResourceState, provider: Provider) -> None:
        state.id = old.id
        with self._journal.operation("updating", state):
            try:
                outputs = provider.update(old, state)
            except StepFailedError as error:
                self._keep_partial(state, old, error)
                raise
            self._settle(state, outputs, created=False)
            self._record(state, old, old)
        self._journal.commit()

    def _record(self, state: ResourceState, old: ResourceState | None, like: ResourceState | None) -> None:
        """Into the state; what cannot be stored there stays pending, so that the next run does the step again."""
        try:
            self._journal.finish(state, old, quiet=True)
        except OfflineError as error:
            state.id, state.outputs = (like.id, like.outputs) if like else ("", {})
            raise StepFailedError(f"{state.urn}: done, and not to be stored: {error}", lost=True) from error

    def _delete_first(self, condemned: tuple[ResourceState, ...], old: ResourceState) -> None:
        try:
            for state in (*condemned, old):
                if not state.pending_replacement:
                    self._delete(state, {item.urn for item in (*condemned, old)})
                    state.pending_replacement = True
                    self._journal.touch(state)
        finally:
            self._decisions.let_go(condemned)
        self._journal.commit()

    def _delete(self, state: ResourceState, lost: set[str]) -> None:
        if not state.custom or urns.is_provider(state.type) or state.retain_on_delete or state.deleted_with in lost:
            return
        with self._journal.operation("deleting", state):
            self._account.provider_for(state).delete(state)

    def _keep_partial(self, state: ResourceState, old: ResourceState | None, error: StepFailedError) -> None:
        if error.partial is not None:
            state.id, state.init_errors = error.partial.id or state.id, list(error.partial.reasons)
            self._settle(state, error.partial.outputs, created=old is None)
            self._journal.finish(state, old)

    def _settle(self, state: ResourceState, outputs: Properties, *, created: bool) -> None:
        state.outputs = mark_secret(keep_secrecy(outputs, state.inputs), state.additional_secret_outputs)
        state.modified = now()
        state.created = state.modified if created or not state.created else state.created


def _noteworthy(old: ResourceState, new: ResourceState) -> bool:
    """Whether a resource that stays has options that the state must learn of before the run ends."""
    return (old.urn, old.protect, old.provider, old.parent) != (new.urn, new.protect, new.provider, new.parent)
