"""One run over a stack: its state, its children and its deployment, set up together and taken down together."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

from offline import checkpoint
from offline.commands import (
    ORGANIZATION,
    PACK_NAME,
    environment_of,
    pack_command,
    plugin_command,
    plugin_name,
)
from offline.deployment import Deployment, Settings
from offline.journal import Journal
from offline.monitor import EngineLog, Monitor, serve
from offline.plugins import Plugin
from offline.policies import Background, PolicyPack
from offline.processes import Child, Nursery
from offline.providers import Declared, Provider, Registry, cloud_refusal
from offline.results import Event, Preview, Severity
from offline.wishes import Order

if TYPE_CHECKING:
    from offline.resident import ResidentPack

_PROGRAM_FILE: Final = Path(__file__).with_name("program.py")


class Session:
    """A run under way. Made by `opened`."""

    def __init__(self, order: Order, *, preview: bool, head_start: HeadStart | None = None) -> None:
        """`head_start`: children that were started before this could be."""
        self.order = order
        self.preview = preview
        self.configuration = order.project.configuration(order.stack, order.config)
        head_start = head_start or HeadStart(nursery=self._nursery())
        self.nursery = head_start.nursery
        self.journal = self._journal()
        self.registry = Registry(self._start_provider)
        self.deployment = Deployment(self._settings(), self.journal, self.registry, order.on_event)
        self.pack: PolicyPack | ResidentPack | None = None
        self._background: Background | None = None
        self.monitor = Monitor(self.deployment, self.configuration, order.invokes, organization=ORGANIZATION)
        self.engine_log = EngineLog(self.log)
        self._server, self.address = serve(self.monitor, self.engine_log, order.parallel, head_start.port)
        self._waiting = dict(head_start.plugins)
        self._waiting_pack = head_start.pack
        self._resident = head_start.resident
        self._program: Child | None = None
        if order.stop is not None:
            self.deployment.stopping = order.stop

    def run_program(self) -> bool:
        """Run the project's program to its end; whether it succeeded."""
        program = self._program = self._start_program()
        self.prepare()
        self._instruct(program)
        return self.ended(program.wait())

    def prepare(self) -> None:
        """Have the pack and the plugins there for a program."""
        self.pack = self.deployment.analyzer = self._resident
        pack = None if self._resident else self._waiting_pack or self._start_pack()
        self._start_plugins()
        if pack is not None:
            self._expect_pack(pack)

    def ended(self, status: int) -> bool:
        """Whether a program that ended with this status succeeded; says so when nobody else did."""
        if status != 0 and not self.deployment.stopping.is_set() and not self._has_errors():
            self.deployment.account.diagnose("error", f"the program ended with status {status}.")
        return status == 0 and not self.deployment.stopping.is_set() and not self._has_errors()

    def judge(self) -> None:
        """What the pack says of the resources one by one, if it was asked meanwhile, and of the stack."""
        if self._background is not None:
            self.pack = self._background.pack()
            for finding in self._background.findings():
                self.deployment.account.report(finding)
        if self.pack is not None:
            deployment = self.deployment
            resources = [
                (
                    state,
                    deployment.account.goals.get(urn),
                    deployment.account.provider_state(state.provider) if state.provider else None,
                )
                for urn, state in deployment.account.states.items()
            ]
            for finding in self.pack.analyze_stack(resources):
                deployment.account.report(finding)

    def told(self, seconds: float) -> Preview:
        """What a preview came to."""
        deployment = self.deployment
        return Preview(
            project=self.order.project.name,
            stack=self.order.stack,
            resources=tuple(deployment.account.results.values()),
            diagnostics=tuple(deployment.account.diagnostics),
            policies=tuple(deployment.account.findings),
            policies_run=self.pack.policies if self.pack else (),
            outputs=deployment.outputs,
            seconds=seconds,
        )

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
            self.log("warning", "interrupted: no new step is taken, running ones are finished.", "")
        else:
            self.log("warning", "interrupted again: the program is ended and the providers are asked to give up.", "")
            if self._program is not None:
                self._program.process.terminate()
            self.registry.cancel()

    def log(self, severity: Severity, message: str, urn: str) -> None:
        """A line of the program or of a plugin; what was said already is not said again."""
        said = any(item.message in message for item in self.deployment.account.diagnostics)
        if severity == "error" and (said or self.deployment.stopping.is_set()):
            return  # the program's traceback of what was said already
        self.deployment.account.diagnose(severity, message, urn)

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

    def _has_errors(self) -> bool:
        return any(item.severity == "error" for item in self.deployment.account.diagnostics)

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
            "organization": ORGANIZATION,
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
        words = pack_command(self.order, self.address)
        return self.nursery.start(PACK_NAME, words, tells_port=True) if words else None

    def _expect_pack(self, child: Child) -> None:
        if self.preview:
            self._background = self.deployment.analyzer = Background(lambda: self._join_pack(child))
        else:
            self.pack = self.deployment.analyzer = self._join_pack(child)

    def _join_pack(self, child: Child) -> PolicyPack:
        pack = PolicyPack(child)
        pack.configure(
            self.order.project, self.order.stack, self.configuration, self.order.policy_config, preview=self.preview
        )
        return pack

    def _start_plugins(self) -> None:
        for package in self.order.project.plugins:
            if package not in self._waiting:
                self._waiting[package] = self._spawn_plugin(package)

    def _spawn_plugin(self, package: str) -> Child:
        words = plugin_command(self.order.project, package, self.address)
        return self.nursery.start(plugin_name(package), words, tells_port=True)

    def _start_provider(self, package: str) -> Provider:
        if package not in self.order.project.plugins:
            if self.preview:
                return Declared(package)
            raise cloud_refusal(package)
        child = self._waiting.pop(package) if package in self._waiting else self._spawn_plugin(package)
        plugin = Plugin(package, child)
        plugin.greet(self.address, self.order.project.plugins[package])
        return plugin

    def _nursery(self) -> Nursery:
        environment = environment_of(self.order, self.configuration, preview=self.preview)
        return Nursery(self.order.project.directory, environment, self._line)

    def _line(self, line: str) -> None:
        if self.order.on_event is not None:
            self.order.on_event(Event(kind="output", message=line))


@dataclass(kw_only=True)
class HeadStart:
    """Children that were started before the session that will talk to them, and the port that they were told."""

    nursery: Nursery
    port: int = 0
    pack: Child | None = None
    resident: ResidentPack | None = None
    """In place of a child."""
    plugins: dict[str, Child] = field(default_factory=dict)


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
