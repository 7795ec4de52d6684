"""The offline runner as a rollout's hands: a lab takes a change site by site, as a cloud does."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import offline
from diversite.errors import RolloutError
from offline import Step
from offline.results import OnEvent
from rollout.course import Operation
from rollout.touched import Foreseen, touched

ROLLING = "diversite:rolling"
"""The setting that lifts the hold on one site's hosts."""
HALT_HEIGHT = "diversite:haltHeight"
"""The setting that makes engines let no block pass beyond a height."""


class Rehearsed:
    """Hands for a stack of the lab."""

    def __init__(
        self,
        project: offline.Project,
        stack: str,
        config: Mapping[str, str],
        hosts: Collection[str],
        on_event: OnEvent | None = None,
    ) -> None:
        self._project = project
        self._stack = stack
        self._config = config
        self._hosts = hosts
        self._on_event = on_event

    def foresee(self, site: str) -> Mapping[str, Operation]:
        """What an `up` for a site would do to each host."""
        found = offline.preview(self._project, self._stack, config=self._with(site))
        if not found.ok:
            raise RolloutError("; ".join(item.message for item in found.errors))
        return touched([_foreseen(resource) for resource in found.resources], self._hosts)

    def take(self, site: str) -> None:
        """Run that `up`."""
        outcome = offline.up(self._project, self._stack, config=self._with(site), on_event=self._on_event)
        if not outcome.ok:
            raise RolloutError("; ".join(item.message for item in outcome.errors) or "it was interrupted")

    def _with(self, site: str) -> Mapping[str, str]:
        return {**self._config, ROLLING: site}


def _foreseen(resource: offline.Resource) -> Foreseen:
    """Components are made of resources: what is said of them alone stops nothing."""
    operation = resource.step.value if resource.custom else Step.SAME.value
    return Foreseen(urn=resource.urn, parent=resource.parent, operation=operation)
