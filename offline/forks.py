"""Children forked from this process, which need not import again what it has imported.

Only a process of one thread forks, or a lock could be held in the child for ever; `possible` asks the kernel, which
also counts the threads of libraries. A child has pipes for its output and an empty input, a group of its own, and ends
when the process that it came from does.
"""

from __future__ import annotations

import ctypes
import gc
import io
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Final

_THREADS: Final = Path("/proc/self/task")
_PR_SET_PDEATHSIG: Final = 1
_COLLECTED_AFTER: Final = 50_000
"""New objects until a collection: a child lives for a second or two, and most of what it makes is not garbage."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where children work."""

    directory: Path
    environment: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class PythonProgram:
    """What `python -m module arguments` runs, or `python path arguments`."""

    arguments: tuple[str, ...]
    module: str = ""
    path: Path | None = None

    def run(self) -> None:
        """Run it in this process, as its main program."""
        sys.argv = [self.module or str(self.path), *self.arguments]
        if self.path:
            runpy.run_path(str(self.path), run_name="__main__")
        else:
            sys.path.insert(0, os.getcwd())
            runpy.run_module(self.module, run_name="__main__", alter_sys=True)


class Forked:
    """A forked child, used as a `subprocess.Popen` is."""

    stdin: None = None

    def __init__(self, work: Callable[[], object], where: Surroundings) -> None:
        outputs = os.pipe(), os.pipe()
        self.stdout, self.stderr = (_reader(reading) for reading, _ in outputs)
        writing = tuple(end for _, end in outputs)
        self._process = get_context("fork").Process(target=_begin, args=(work, where, writing, os.getpid()))
        self._process.start()
        for end in writing:
            os.close(end)

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once it ends; TimeoutExpired as of `subprocess`."""
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        return status

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it."""
        self._process.kill()


def possible() -> bool:
    """Whether this process may fork."""
    return _THREADS.is_dir() and len(os.listdir(_THREADS)) == 1


def _reader(descriptor: int) -> IO[str]:
    return os.fdopen(descriptor, encoding="utf-8", errors="replace")


def _begin(work: Callable[[], object], where: Surroundings, outputs: tuple[int, ...], parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return  # it ended before this could be asked
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    sys.stdout, sys.stderr = (_writer(end, target) for target, end in enumerate(outputs, 1))
    os.chdir(where.directory)
    os.environ.clear()
    os.environ.update(where.environment)
    gc.freeze()  # what is here stays, and a collection would copy it page by page
    gc.set_threshold(_COLLECTED_AFTER)
    work()


def _writer(descriptor: int, target: int) -> IO[str]:
    """Nothing is kept back: who reads waits for a line."""
    os.dup2(descriptor, target)
    os.close(descriptor)
    return io.TextIOWrapper(os.fdopen(target, "wb", buffering=0, closefd=False), encoding="utf-8", write_through=True)
