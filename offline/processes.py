"""Child processes: a program, a provider's plugin, a policy pack. Each ends when this process does, however it ends.

A plugin says its port on the first line of its output; what it prints after that, and all of a program's output, goes
to a callback line by line. Children get a process group of their own, so that an interrupt from the terminal reaches
this process alone, which then decides what to finish.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Final, Protocol

from diversite.errors import OfflineError

PORT_SECONDS_MAX: Final = 60.0
_STOP_SECONDS_MAX: Final = 5.0
_LINES_KEPT: Final = 20

OnLine = Callable[[str], None]


class Process(Protocol):
    """What a child is, started or forked: of `subprocess.Popen`, what is used of it."""

    @property
    def stdin(self) -> IO[str] | None:
        """A pipe, if it has one."""

    @property
    def stdout(self) -> IO[str] | None:
        """A pipe."""

    @property
    def stderr(self) -> IO[str] | None:
        """A pipe."""

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once it ends."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""


class Child:
    """A running child and its output."""

    def __init__(self, name: str, process: Process, on_line: OnLine, *, tells_port: bool) -> None:
        self.name = name
        self.process = process
        self._on_line = on_line
        self._port: Future[int] = Future()
        self._last: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream, tells_port and stream is process.stdout), daemon=True)
            for stream in (process.stdout, process.stderr)
            if stream
        ]
        for reader in self._readers:
            reader.start()

    def port(self) -> int:
        """The port that it listens on.

        Raises:
            OfflineError: it ended, or said something else, or nothing for a minute.
        """
        try:
            return self._port.result(PORT_SECONDS_MAX)
        except (TimeoutError, ValueError) as error:
            said = "\n".join(self._last)
            raise OfflineError(
                f"{self.name} did not say its port on its first line of output. It said:\n{said}"
            ) from error

    def wait(self, seconds: float | None = None) -> int:
        """Its exit status, once its output is read to the end."""
        status = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(_STOP_SECONDS_MAX)
        return status

    def stop(self) -> None:
        """End it: politely, then not."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.wait(_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()

    def _read(self, stream: IO[str], first_is_port: bool) -> None:
        with stream:
            if first_is_port:
                self._take_port(stream.readline())
            for line in stream:
                self._last = [*self._last, line.rstrip()][-_LINES_KEPT:]
                self._on_line(line.rstrip("\n"))

    def _take_port(self, line: str) -> None:
        try:
            self._port.set_result(int(line))
        except ValueError as error:
            self._last.append(line.rstrip())
            self._port.set_exception(error)


class Nursery:
    """Starts children from one thread that lives as long as the run: a child ends with the thread it came from."""

    def __init__(self, directory: Path, environment: Mapping[str, str], on_line: OnLine) -> None:
        """The directory and environment of every child, and what hears its output."""
        self._directory = directory
        self._environment = environment
        self._on_line = on_line
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="nursery")
        self._children: list[Child] = []

    def start(
        self, name: str, command: Sequence[str | Path], *, tells_port: bool = False, pass_fds: tuple[int, ...] = ()
    ) -> Child:
        """A new child; with `tells_port` its first line of output is kept for `Child.port`."""
        words = [str(word) for word in command]
        process = self._thread.submit(self._spawn, name, words, pass_fds).result()
        return self.adopt(name, process, tells_port=tells_port)

    def adopt(self, name: str, process: Process, *, tells_port: bool = False) -> Child:
        """A child that was started or forked elsewhere."""
        child = Child(name, process, self._on_line, tells_port=tells_port)
        self._children.append(child)
        return child

    def close(self) -> None:
        """End every child that still runs."""
        for child in self._children:
            child.stop()
        self._thread.shutdown()

    def _spawn(self, name: str, command: list[str], pass_fds: tuple[int, ...]) -> subprocess.Popen[str]:
        try:
            return subprocess.Popen(
                [*_dies_with_parent(), *command],
                cwd=self._directory,
                env=dict(self._environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                process_group=0,
                pass_fds=pass_fds,
            )
        except OSError as error:
            raise OfflineError(f"{name} cannot be started: {error}") from error


def _dies_with_parent() -> list[str]:
    wrapper = shutil.which("setpriv")
    return [wrapper, "--pdeathsig", "KILL", "--"] if wrapper else []
