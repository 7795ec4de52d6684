"""Which resource of the state a registration goes on with: the one of its name, or of a name that it had before."""

from __future__ import annotations

from diversite.errors import OfflineError
from offline import urns
from offline.account import Account
from offline.checkpoint import ResourceState
from offline.goals import Alias, Goal
from offline.journal import Journal


class Names:
    """The names that a run's registrations have taken."""

    def __init__(self, project: str, stack: str, account: Account, journal: Journal) -> None:
        self._project = project
        self._stack = stack
        self._account = account
        self._journal = journal
        self._claimed: set[str] = set()
        self._aliased: dict[str, str] = {}

    def of(self, goal: Goal) -> str:
        """The uniform resource name of what is asked for."""
        return urns.make(self._stack, self._project, goal.parent, goal.type, goal.name)

    def claim(self, urn: str) -> None:
        """Take a name.

        Raises:
            OfflineError: another registration of this run has it.
        """
        if urn in self._claimed:
            raise OfflineError(
                f"{urn} is registered twice: type and name must be unique below one parent. Give one another name."
            )
        self._claimed.add(urn)

    def old(self, goal: Goal, urn: str) -> ResourceState | None:
        """What there was of it before this run; None where it is new.

        Raises:
            OfflineError: an alias names what is something else in this run.
        """
        if urn in self._account.olds:
            return self._account.olds[urn]
        with self._account.guard:
            for alias in self._alias_urns(goal):
                if alias in self._account.olds:
                    return self._follow_alias(alias, urn)
        return None

    def _follow_alias(self, alias: str, urn: str) -> ResourceState:
        if alias in self._claimed or alias in self._aliased:
            taken = self._aliased.get(alias, alias)
            raise OfflineError(f"{urn} is aliased to {alias}, which is {taken} in this run.")
        self._aliased[alias] = urn
        self._journal.rename(alias, urn)
        return self._account.olds[alias]

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
            alias.stack or self._stack,
            alias.project or self._project,
            former.get(parent, parent) if alias.parent else parent,
            alias.type or goal.type,
            alias.name or goal.name,
        )

    def _inherited_alias(self, goal: Goal, former_parent: str, type_: str, name: str) -> str:
        parent_name = urns.name_of(goal.parent)
        if name.startswith(parent_name):
            name = urns.name_of(former_parent) + name.removeprefix(parent_name)
        return urns.make(self._stack, self._project, former_parent, type_, name)
