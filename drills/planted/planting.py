"""Puts another command or another file under a service of a running lab, and takes it out again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from diversite.plan import Host
from lab import service, world
from lab.inputs import ServiceInputs

Change = Callable[[ServiceInputs], ServiceInputs]
ENGINE = "engine"
"""The service of the matching engine."""
ENGINE_MODULE = "workloads.engine"
PLANTED_ENGINE = "drills.planted.engine"
UNSYNCED = ("python", "-m", "drills.planted.unsynced")


def exchange(lab: str, hosts: Iterable[Host], name: str, change: Change) -> tuple[ServiceInputs, ...]:
    """Have a service of these hosts run changed, all at once; what each was, for `restore`."""
    found = world.require(lab)
    before = [ServiceInputs.model_validate(service.require(found, host.name, name)) for host in hosts]
    _update(lab, map(change, before))
    return tuple(before)


def restore(lab: str, before: Iterable[ServiceInputs]) -> None:
    """Have services run as they did."""
    _update(lab, before)


def engine(variant: str) -> Change:
    """The matching engine with one mistake, by its name in `drills.planted.engine`."""

    def change(inputs: ServiceInputs) -> ServiceInputs:
        at = inputs.command.index(ENGINE_MODULE)
        command = (*inputs.command[:at], PLANTED_ENGINE, variant, *inputs.command[at + 1 :])
        return inputs.model_copy(update={"command": command})

    return change


def ending(height: int) -> str:
    """What an engine says that ends at a height."""
    return f"planted: ends at height {height}"


def unsynced(inputs: ServiceInputs) -> ServiceInputs:
    """The same program, whose synced writes are not."""
    return inputs.model_copy(update={"command": (*UNSYNCED, *inputs.command)})


def rewritten(file_name: str, rewrite: Callable[[str], str]) -> Change:
    """The same program with another text in one of its files."""

    def change(inputs: ServiceInputs) -> ServiceInputs:
        files = {path: rewrite(text) if path.endswith(file_name) else text for path, text in inputs.files.items()}
        return inputs.model_copy(update={"files": files})

    return change


def _update(lab: str, changed: Iterable[ServiceInputs]) -> None:
    found, wanted = world.require(lab), list(changed)
    with ThreadPoolExecutor(max(1, len(wanted))) as threads:
        list(threads.map(lambda inputs: service.update(found, inputs), wanted))
