"""Runs a callable of this process against the strict monitor: what tests of components assert on.

The callable runs in a thread, an event loop and a context of its own, so that the SDK's settings, its root resource
and its configuration do not outlive the call and two recordings do not see each other.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

import pulumi.runtime
from pulumi.runtime.settings import Settings as SdkSettings

from diversite.errors import OfflineError
from offline.checkpoint import Deployment as State
from offline.deployment import Deployment, Settings
from offline.journal import Journal
from offline.monitor import EngineLog, Monitor
from offline.passphrase import Crypter
from offline.project import StackConfiguration
from offline.providers import Answer, Declared, Registry
from offline.results import Diagnostic, Resource
from offline.values import Secret
from offline.wishes import Invoke

Program = Callable[[], Awaitable[None] | None]


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What a program declared, in the order of registration."""

    resources: tuple[Resource, ...]
    outputs: Mapping[str, Any]
    diagnostics: tuple[Diagnostic, ...] = ()
    _by_urn: Mapping[str, Resource] = field(default_factory=dict, repr=False)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.resources)

    def of_type(self, type_: str) -> tuple[Resource, ...]:
        """The resources of a type token."""
        return tuple(resource for resource in self.resources if resource.type == type_)

    def named(self, name: str, type_: str = "") -> Resource:
        """The one resource of a name.

        Raises:
            OfflineError: there is none, or more than one; the message lists the names there are.
        """
        found = [item for item in self.resources if item.name == name and type_ in ("", item.type)]
        if len(found) != 1:
            known = ", ".join(sorted({item.name for item in self.resources}))
            raise OfflineError(f"{len(found)} resources are named {name!r}; recorded are {known}.")
        return found[0]

    def children(self, parent: Resource) -> tuple[Resource, ...]:
        """The resources directly below one."""
        return tuple(resource for resource in self.resources if resource.parent == parent.urn)

    def at(self, urn: str) -> Resource:
        """The resource of a URN; raises KeyError."""
        return self._by_urn[urn]


class Wishes(TypedDict, total=False):
    """What a recording may be told beside the program."""

    project: str
    stack: str
    config: Mapping[str, str | Secret]
    """A key without a namespace is the project's."""
    invokes: Mapping[str, Invoke]
    """Answers to function calls, by token."""
    answer: Answer | None
    """What resources come to have (see `record`)."""


def record(program: Program, **wishes: Unpack[Wishes]) -> Recording:
    """Run a program and give what it declared.

    Without `answer` it is a preview: what a provider would compute is unknown, and an `apply` on it does not run. With
    `answer` it is a simulated `up`: a resource's outputs are its inputs and what `answer(type, name, inputs)` returns.

    Raises:
        OfflineError: the program did what is refused (a duplicate, a custom resource directly under the stack, an
            invoke without an answer, …).
        Exception: whatever the program raised.
    """
    project, stack, answer = wishes.get("project", "project"), wishes.get("stack", "stack"), wishes.get("answer")
    configuration = _configuration(wishes.get("config", {}), project)
    settings = Settings(
        project=project,
        stack=stack,
        configuration=configuration.values,
        preview=answer is None,
    )
    journal = Journal(State(crypter=Crypter(stack)), None)
    deployment = Deployment(settings, journal, Registry(lambda package: Declared(package, answer)))
    monitor = Monitor(deployment, configuration, wishes.get("invokes"))
    _isolated(lambda: _run(program, settings, monitor, EngineLog(deployment.account.diagnose), configuration))
    deployment.finish(succeeded=True)
    resources = tuple(deployment.account.results.values())
    return Recording(
        resources=resources,
        outputs=deployment.outputs,
        diagnostics=tuple(deployment.account.diagnostics),
        _by_urn={resource.urn: resource for resource in resources},
    )


def _configuration(config: Mapping[str, str | Secret], project: str) -> StackConfiguration:
    qualified = {key if ":" in key else f"{project}:{key}": value for key, value in config.items()}
    return StackConfiguration(
        values={key: value.value if isinstance(value, Secret) else value for key, value in qualified.items()},
        secret_keys=frozenset(key for key, value in qualified.items() if isinstance(value, Secret)),
    )


def _isolated(act: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            contextvars.Context().run(act)
        except BaseException as error:  # carried over to the caller's thread
            failures.append(error)

    thread = threading.Thread(target=guarded, name="recording")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def _run(
    program: Program, settings: Settings, monitor: Monitor, log: EngineLog, configuration: StackConfiguration
) -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # One at a time: a registration waits for no other, and so the order is the program's, each time the same.
    executor = ThreadPoolExecutor(max_workers=1)
    loop.set_default_executor(executor)
    # A failed program leaves futures that nobody awaits; they would complain whenever they are collected.
    loop.set_exception_handler(lambda _loop, _context: None)
    try:
        # Made in here: merely making one sets variables of the context that it is made in.
        pulumi.runtime.configure(_sdk_settings(settings, monitor, log))
        pulumi.runtime.set_all_config(dict(configuration.values), sorted(configuration.secret_keys))
        loop.run_until_complete(pulumi.runtime.run_in_stack(program))
    finally:
        executor.shutdown(wait=True)
        loop.close()


def _sdk_settings(settings: Settings, monitor: Monitor, log: EngineLog) -> SdkSettings:
    return SdkSettings(
        project=settings.project,
        stack=settings.stack,
        monitor=monitor,
        engine=log,
        parallel=settings.parallel,
        dry_run=settings.preview,
        organization="organization",
    )
