"""One run over a stack: its state, its children and its deployment, set up together and taken down together."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypedDict

from diversite.errors import OfflineError
from offline import checkpoint, policies
from offline.deployment import PARALLEL_DEFAULT, Deployment, Settings
from offline.journal import Journal
from offline.monitor import EngineLog, Invoke, Monitor, serve
from offline.plugins import Plugin
from offline.policies import Background, PolicyConfiguration, PolicyPack
from offline.processes import Child, Nursery
from offline.project import Project
from offline.providers import Declared, Provider, Registry, cloud_refusal
from offline.results import Event, OnEvent, Severity

_PROGRAM_FILE: Final = Path(__file__).with_name("program.py")
_ORGANIZATION: Final = "organization"


class Wishes(TypedDict, total=False):
    """What a caller may ask for beside project and stack."""

    config: Mapping[str, Any] | None
    """Goes over the stack's file; a key without a namespace is the project's; a `Secret` is kept secret."""
    policies: Path | str | None
    """The directory of a policy pack."""
    policy_config: PolicyConfiguration | None
    invokes: Mapping[str, Invoke] | None
    """Answers to function calls, by token. A call without an answer is an error."""
    on_event: OnEvent | None
    """Called from several threads."""
    parallel: int
    """Steps under way at once."""
    stop: threading.Event | None
    """Setting it ends the run as an interrupt does."""


class Order:
    """What one run is to do."""

    def __init__(self, project: Project, stack: str, wishes: Wishes) -> None:
        self.project = project
        self.stack = stack
        pack = wishes.get("policies")
        self.config = wishes.get("config") or {}
        self.policies = None if pack is None else Path(pack).resolve()
        self.policy_config = wishes.get("policy_config") or {}
        self.invokes = wishes.get("invokes") or {}
        self.on_event = wishes.get("on_event")
        self.parallel = wishes.get("parallel", PARALLEL_DEFAULT)
        self.stop = wishes.get("stop")


class Session:
    """A run under way. Made by `opened`."""

    def __init__(self, order: Order, *, preview: bool) -> None:
        self.order = order
        self.preview = preview
        self.configuration = order.project.configuration(order.stack, order.config)
        self.nursery = Nursery(order.project.directory, self._environment(), self._line)
        self.journal = self._journal()
        self.registry = Registry(self._start_provider)
        self.deployment = Deployment(self._settings(), self.journal, self.registry, order.on_event)
        self.pack: PolicyPack | None = None
        self._background: Background | None = None
        self._monitor = Monitor(self.deployment, self.configuration, order.invokes, organization=_ORGANIZATION)
        self._server, self.address = serve(self._monitor, EngineLog(self._log), order.parallel)
        self._waiting: dict[str, Child] = {}
        self._program: Child | None = None
        if order.stop is not None:
            self.deployment.stopping = order.stop

    def run_program(self) -> bool:
        """Run the project's program to its end; whether it succeeded."""
        program = self._program = self._start_program()
        pack = self._start_pack()
        self._start_plugins()
        if pack is not None:
            self._join_pack(pack)
        self._instruct(program)
        status = program.wait()
        if status != 0 and not self.deployment.stopping.is_set() and not self._has_errors():
            self.deployment.diagnose("error", f"the program ended with status {status}.")
        return status == 0 and not self.deployment.stopping.is_set() and not self._has_errors()

    def judge(self) -> None:
        """What the pack says of the resources one by one, if it was asked meanwhile, and of the stack."""
        if self._background is not None:
            for finding in self._background.findings():
                self.deployment.report(finding)
        if self.pack is not None:
            deployment = self.deployment
            resources = [
                (
                    state,
                    deployment.goals.get(urn),
                    deployment.provider_state(state.provider) if state.provider else None,
                )
                for urn, state in deployment.states.items()
            ]
            for finding in self.pack.analyze_stack(resources):
                deployment.report(finding)

    def close(self) -> None:
        """End everything that was started."""
        if self.pack is not None:
            self.pack.close()
        self.registry.close()
        self.nursery.close()
        self._server.stop(0)

    def interrupt(self, times: int) -> None:
        """The user wants it to end: first no new steps, then ask the providers to give up."""
        self.deployment.stopping.set()
        if times == 1:
            self._log("warning", "interrupted: no new step is taken, running ones are finished.", "")
        else:
            self._log("warning", "interrupted again: the program is ended and the providers are asked to give up.", "")
            if self._program is not None:
                self._program.process.terminate()
            self.registry.cancel()

    def _journal(self) -> Journal:
        path = self.order.project.state_file(self.order.stack)
        state = checkpoint.load(path, self.order.stack, self.configuration.salt)
        return Journal(state, None if self.preview else path)

    def _settings(self) -> Settings:
        return Settings(
            project=self.order.project.name,
            stack=self.order.stack,
            configuration=self.configuration.values,
            preview=self.preview,
            collects=self.preview,
            parallel=self.order.parallel,
        )

    def _log(self, severity: Severity, message: str, urn: str) -> None:
        said = any(item.message in message for item in self.deployment.diagnostics)
        if severity == "error" and (said or self.deployment.stopping.is_set()):
            return  # the program's traceback of what was said already
        self.deployment.diagnose(severity, message, urn)

    def _has_errors(self) -> bool:
        return any(item.severity == "error" for item in self.deployment.diagnostics)

    # Children.

    def _start_program(self) -> Child:
        return self.nursery.start(
            "the program",
            [self.order.project.python, "-u", _PROGRAM_FILE],
        )

    def _instruct(self, program: Child) -> None:
        order = {
            "monitor": self.address,
            "project": self.order.project.name,
            "stack": self.order.stack,
            "organization": _ORGANIZATION,
            "program": str(self.order.project.program),
            "directory": str(self.order.project.directory),
            "config": dict(self.configuration.values),
            "secret_keys": sorted(self.configuration.secret_keys),
            "preview": self.preview,
            "parallel": self.order.parallel,
        }
        with contextlib.suppress(BrokenPipeError):
            assert program.process.stdin is not None  # noqa: S101 - a pipe, as the nursery makes it
            program.process.stdin.write(json.dumps(order) + "\n")
            program.process.stdin.close()

    def _start_pack(self) -> Child | None:
        if self.order.policies is None:
            return None
        return self.nursery.start(
            "the policy pack",
            policies.command(self.order.project.python, self.address, self.order.policies),
            tells_port=True,
        )

    def _join_pack(self, child: Child) -> None:
        self.pack = PolicyPack(child)
        self.pack.configure(
            self.order.project, self.order.stack, self.configuration, self.order.policy_config, preview=self.preview
        )
        self._background = Background(self.pack) if self.preview else None
        self.deployment.analyzer = self._background or self.pack

    def _start_plugins(self) -> None:
        for package in self.order.project.plugins:
            self._waiting[package] = self._spawn_plugin(package)

    def _spawn_plugin(self, package: str) -> Child:
        executable = self.order.project.plugins[package]
        if not executable.exists():
            raise OfflineError(f"{executable}, which Pulumi.yaml names as the plugin {package}, is not there.")
        return self.nursery.start(f"the plugin {package}", [executable, self.address], tells_port=True)

    def _start_provider(self, package: str) -> Provider:
        if package not in self.order.project.plugins:
            if self.preview:
                return Declared(package)
            raise cloud_refusal(package)
        child = self._waiting.pop(package) if package in self._waiting else self._spawn_plugin(package)
        plugin = Plugin(package, child)
        plugin.greet(self.address, self.order.project.plugins[package])
        return plugin

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PULUMI_PROJECT": self.order.project.name,
            "PULUMI_STACK": self.order.stack,
            "PULUMI_ORGANIZATION": _ORGANIZATION,
            "PULUMI_DRY_RUN": "true" if self.preview else "false",
            "PULUMI_CONFIG": json.dumps(dict(self.configuration.values)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(sorted(self.configuration.secret_keys)),
        }

    def _line(self, line: str) -> None:
        if self.order.on_event is not None:
            self.order.on_event(Event(kind="output", message=line))


@contextlib.contextmanager
def opened(order: Order, *, preview: bool) -> Iterator[Session]:
    """A session that ends with the block; meanwhile an interrupt ends the run in order instead of at once."""
    session = Session(order, preview=preview)
    try:
        with _interruptible(session.interrupt):
            yield session
    finally:
        session.close()


@contextlib.contextmanager
def _interruptible(interrupt: Callable[[int], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    count = 0

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count > 2:
            raise KeyboardInterrupt
        interrupt(count)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
