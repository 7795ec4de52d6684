"""Deletes in reverse order of dependency, as many at a time as the dependencies allow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from diversite.errors import OfflineError
from offline.checkpoint import ResourceState

Failure = tuple[ResourceState, OfflineError]


def remove_all(
    condemned: Iterable[ResourceState],
    act: Callable[[ResourceState], None],
    parallel: int,
    stopping: threading.Event,
) -> list[Failure]:
    """Call `act` on each once everything that needs it is gone; what a failed one needs is left alone.

    Returns the failures. Nothing new is begun once `stopping` is set.
    """
    blockers = _blockers(list(condemned))
    failures: list[Failure] = []
    running: dict[Future[None], ResourceState] = {}
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        while True:
            for state in _ready(blockers, running, stopping):
                running[pool.submit(act, state)] = state
            if not running:
                return failures
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                _conclude(running.pop(future), future, blockers, failures)


def _blockers(condemned: list[ResourceState]) -> dict[ResourceState, set[ResourceState]]:
    """For each resource, those that must be gone first.

    Two entries may share a URN (a replaced one and its successor): a need means the last entry before the one that has
    it, as a state lists each entry after what it needs. So there are no cycles.
    """
    latest: dict[str, ResourceState] = {}
    blockers: dict[ResourceState, set[ResourceState]] = {state: set() for state in condemned}
    for state in condemned:
        for urn in state.needs() & latest.keys():
            blockers[latest[urn]].add(state)
        latest[state.urn] = state
    return blockers


def _ready(
    blockers: dict[ResourceState, set[ResourceState]],
    running: dict[Future[None], ResourceState],
    stopping: threading.Event,
) -> list[ResourceState]:
    if stopping.is_set():
        return []
    busy = set(running.values())
    return [state for state, waiting in blockers.items() if not waiting and state not in busy]


def _conclude(
    state: ResourceState,
    future: Future[None],
    blockers: dict[ResourceState, set[ResourceState]],
    failures: list[Failure],
) -> None:
    blockers.pop(state)
    try:
        future.result()
    except OfflineError as error:
        failures.append((state, error))  # it stays among the blockers of what it needs, so that stays too
    else:
        for waiting in blockers.values():
            waiting.discard(state)
