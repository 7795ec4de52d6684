"""How the lab's supervisor is spoken to: directories of services, their logs, and signals to them.

A service is a directory below `scan/`, made whole beside it and moved in. Its process is restarted at most once a
second; its output goes through s6-log, which rotates it.
"""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from diversite.errors import LabError
from lab import commands
from lab.files import write
from lab.layout import project_directory
from lab.world import World, wait_until

RELAY = "relay"
LOG_FILES = 5
LOG_BYTES = 4_000_000
STOPPING_SECONDS_MAX = 5.0
"""How long a service may take to end after SIGTERM before it is killed."""
SUPERVISED_SECONDS_MAX = 5.0
ENDED = "ended"
"""In a service's directory once it ended for good: its exit status, or 256 for a signal."""
LINES = 15
_FOLLOWED_SECONDS_MAX = 10.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """What the supervisor runs."""

    command: tuple[str, ...]
    """Found on the lab's search path."""
    network_namespace: str | None
    """The host; None for the lab's own namespace."""
    working_directory: str
    environment: dict[str, str]
    log: str
    """The log's directory, as seen inside."""
    restart: bool
    files_open_max: int = 65536
    umask: str = "027"


@dataclass(frozen=True)
class Status:
    """Whether a service runs, by the supervisor's word."""

    up: bool
    pid: int
    """As seen inside the lab; 0 when down."""
    seconds: int
    """How long it has been up, or down."""


def add(world: World, service: str, run: Run, down: bool = False) -> None:
    """Show a service to the supervisor, which starts it unless `down`."""
    staged = world.layout.staging / f"{service}.{time.monotonic_ns()}"
    write_directory(staged, run)
    if down:
        write(staged / "down", "")
    staged.rename(world.layout.scan / service)
    _await_supervised(world, service)


def write_directory(directory: Path, run: Run) -> None:
    """Write a service's scripts; true of a directory that is supervised as well."""
    write(directory / "run", _run_script(run), mode=0o755)
    write(directory / "timeout-kill", f"{int(STOPPING_SECONDS_MAX * 1000)}\n")
    write(directory / "log" / "run", _log_script(run.log), mode=0o755)
    write(directory / "finish", _finish_script(run.restart), mode=0o755)


def remove(world: World, service: str) -> None:
    """Stop a service and take its directory away; what is gone already is no failure."""
    if not exists(world, service):
        return
    _await_supervised(world, service)
    stop(world, service)
    gone = world.layout.staging / f"{service}.{time.monotonic_ns()}.gone"
    (world.layout.scan / service).rename(gone)
    commands.run(["s6-svscanctl", "-an", str(world.layout.scan)])
    wait_until(lambda: not _is_held(gone) and not _is_held(gone / "log"), SUPERVISED_SECONDS_MAX)
    shutil.rmtree(gone, ignore_errors=True)


def stop(world: World, service: str) -> None:
    """End a service (SIGTERM, then SIGKILL) and wait for it."""
    directory = str(world.layout.scan / service)
    bound = str(int((STOPPING_SECONDS_MAX + _FOLLOWED_SECONDS_MAX) * 1000))
    commands.run(["s6-svc", "-wD", "-T", bound, "-d", directory])


def start(world: World, service: str) -> None:
    """Start a service that is down."""
    (world.layout.scan / service / "down").unlink(missing_ok=True)
    control(world, service, "-u")


def control(world: World, service: str, order: str) -> None:
    """Give the supervisor one of s6-svc's orders."""
    commands.run(["s6-svc", order, str(world.layout.scan / service)])


def status(world: World, service: str) -> Status | None:
    """The state of a service; None if it is not supervised."""
    fields = "up,pid,updownfor"
    told = commands.attempt(["s6-svstat", "-o", fields, str(world.layout.scan / service)])
    if told.returncode != 0:
        return None
    up, pid, seconds = told.stdout.split()
    return Status(up == "true", max(int(pid), 0), int(seconds))


def exists(world: World, service: str) -> bool:
    """Whether the supervisor has been shown this service."""
    return (world.layout.scan / service).is_dir()


def rescan(world: World) -> None:
    """Have the supervisor look for new services."""
    commands.run(["s6-svscanctl", "-a", str(world.layout.scan)])


def last_lines(log: Path, lines: int = LINES) -> str:
    """The end of a service's log, or that there is none."""
    current = log / "current"
    text = current.read_text(errors="replace") if current.exists() else ""
    return "\n".join(text.splitlines()[-lines:]) or "nothing was logged"


def start_relay(world: World, seed: int) -> None:
    """Have the relay of the userspace wires supervised."""
    relay = Path(__file__).with_name("relay.py")
    # A hangup before the relay listens for it must not end it: it reads the wires when it starts.
    command = (
        "nohup",
        sys.executable,
        "-I",
        "-S",
        str(relay),
        "/run/lab/wires",
        "/run/lab/relay/statistics.json",
        str(seed),
    )
    run = Run(
        command=command,
        network_namespace=None,
        working_directory="/",
        environment={},
        log="/run/lab/relay/log",
        restart=True,
    )
    add(world, RELAY, run)


def _run_script(run: Run) -> str:
    environment = {"PATH": commands.search_path(), "LC_ALL": "C", "PYTHONPATH": str(project_directory())}
    words = [f"{name}={value}" for name, value in (environment | run.environment).items()]
    entering = ["nsenter", f"--net=/run/netns/{run.network_namespace}"] if run.network_namespace else []
    return "\n".join(
        [
            "#!/bin/sh",
            "exec 2>&1",
            f"rm -f {ENDED}",
            f"umask {run.umask}",
            f"ulimit -n {run.files_open_max} 2>/dev/null",
            "ulimit -c 0",
            f"cd {shlex.quote(run.working_directory)} || exit 1",
            f"exec {shlex.join([*entering, 'env', '-i', *words, *run.command])}",
            "",
        ]
    )


def _finish_script(restart: bool) -> str:
    """Say that it ended for good: it is not to run again, or cannot (126, 127); 125 tells the supervisor so."""
    for_good = "126|127" if restart else "*"
    return f'#!/bin/sh\ncase "$1" in {for_good}) echo "$1" > {ENDED}; exit 125;; esac\nexit 0\n'


def _log_script(log: str) -> str:
    rotation = f"n{LOG_FILES} s{LOG_BYTES}"
    return f"#!/bin/sh\numask 022\nmkdir -p {shlex.quote(log)}\nexec s6-log -b -- {rotation} T {shlex.quote(log)}\n"


def _await_supervised(world: World, service: str) -> None:
    """Have the supervisor take a service up: who showed it may have been killed before saying so."""
    rescan(world)
    if not wait_until(lambda: _is_supervised(world, service), SUPERVISED_SECONDS_MAX):
        raise LabError(f"the supervisor did not take up {service!r} in {SUPERVISED_SECONDS_MAX} s")


def _is_supervised(world: World, service: str) -> bool:
    # Its orders are taken before its first status is written, and s6-svc -w needs that.
    if not (world.layout.scan / service / "supervise" / "status").exists():
        return False
    return commands.attempt(["s6-svok", str(world.layout.scan / service)]).returncode == 0


def _is_held(directory: Path) -> bool:
    return commands.attempt(["s6-svok", str(directory)]).returncode == 0
