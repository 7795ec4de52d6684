"""Single servers on loopback: PostgreSQL, etcd and NATS, each as the lab runs it, each ended with the tests.

A single PostgreSQL has no standby. It is told of one, so that the ledger writes at all, and confirms without it; a test
that wants a COMMIT to hang turns that off by `confirm_alone`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

BINARIES = "/usr/lib/postgresql/15/bin"
PROJECT = Path(__file__).parents[3]
STARTED_SECONDS_MAX = 60.0


@dataclass(frozen=True)
class Servers:
    """Where they listen."""

    store: str
    """What libpq takes, as role `engine`."""
    administration: str
    """The same as superuser."""
    etcd: str
    queue: str

    def administer(self, query: Any, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement as superuser; the rows that it gives."""
        with psycopg.connect(self.administration, autocommit=True) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def confirm_alone(self, alone: bool) -> None:
        """Whether a COMMIT is confirmed without the standby that is not there."""
        self.set("synchronous_commit", "local" if alone else "on")

    def set(self, name: str, value: str) -> None:
        """Change a setting, and wait until it holds."""
        self.administer(f"ALTER SYSTEM SET {name} = '{value}'")
        self.administer("SELECT pg_reload_conf()")
        await_true(lambda: self.administer(f"SHOW {name}") == [(value,)], what=f"{name} = {value}")


def free_port() -> int:
    """A port of loopback that nobody has at this moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def require(*commands: str) -> None:
    """Fail where one is not installed, with what installs it."""
    for command in commands:
        if shutil.which(command, path=search_path()) is None:
            pytest.fail(f"{command} is not installed; `scripts/setup state` installs it")


def search_path() -> str:
    """The project's own tools first."""
    return f"{PROJECT}/.tools/bin:{PROJECT}/.venv/bin:{os.environ['PATH']}:/usr/sbin:/sbin"


def as_account(*command: str) -> Sequence[str]:
    """The command as somebody who is not root, which PostgreSQL insists on, whoever runs the tests."""
    return ("unshare", "--user", "--map-user=postgres", *command)


def start(*command: str, log: Path) -> subprocess.Popen[bytes]:
    """A server in the background."""
    with log.open("wb") as out:
        return subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, "PATH": search_path()}, cwd=PROJECT
        )


def end(server: subprocess.Popen[bytes]) -> None:
    """End a server and wait for it."""
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def postgresql(directory: Path, port: int) -> subprocess.Popen[bytes]:
    """A primary that was told of a standby, with the engines' role and database."""
    data = directory / "database"
    subprocess.run(
        as_account(f"{BINARIES}/initdb", "-D", str(data), "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8"),
        check=True,
        capture_output=True,
    )
    settings = {
        "port": str(port),
        "listen_addresses": "'127.0.0.1'",
        "unix_socket_directories": f"'{directory}'",
        "synchronous_standby_names": "'elsewhere'",
        "synchronous_commit": "local",
        "fsync": "off",  # a test does not cut the power
    }
    with (data / "postgresql.auto.conf").open("a") as file:
        file.writelines(f"{name} = {value}\n" for name, value in settings.items())
    return start(*as_account(f"{BINARIES}/postgres", "-D", str(data)), log=directory / "postgres.log")


def etcd(directory: Path, port: int) -> subprocess.Popen[bytes]:
    """One member, its own majority."""
    here, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
    named = {"listen-client-urls": here, "advertise-client-urls": here, "listen-peer-urls": peer}
    named |= {"initial-advertise-peer-urls": peer, "initial-cluster": f"default={peer}", "log-level": "error"}
    flags = [f"--{name}={value}" for name, value in named.items()]
    return start("etcd", "--data-dir", str(directory / "etcd"), "--unsafe-no-fsync", *flags, log=directory / "etcd.log")


def nats(directory: Path, port: int) -> subprocess.Popen[bytes]:
    """One server with JetStream."""
    flags = ("-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(directory / "nats"))
    return start("nats-server", *flags, log=directory / "nats.log")


def await_true(condition: Callable[[], bool], seconds_max: float = STARTED_SECONDS_MAX, what: str = "it") -> None:
    """Wait until a condition holds; the test fails where it does not."""
    until = time.monotonic() + seconds_max
    while time.monotonic() < until:
        with suppress(psycopg.OperationalError, OSError, urllib.error.URLError):
            if condition():
                return
        time.sleep(0.02)
    pytest.fail(f"{what} did not come true within {seconds_max:.0f} s")


def listens(port: int) -> bool:
    """Whether something answers there."""
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def is_healthy(address: str) -> bool:
    """Whether a member of etcd is one of a majority."""
    with urllib.request.urlopen(f"http://{address}/health", timeout=1) as answer:
        return b'"true"' in answer.read()
