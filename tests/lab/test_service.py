"""A service is supervised, awaited, changed only where it differs, and gone with its files."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from diversite.errors import LabError
from lab import control, host, service, supervision
from lab.world import World, wait_until
from tests.lab.builder import answering
from tests.lab.conftest import NAME, machine

pytestmark = pytest.mark.lab

GREETING = "/run/lab/hosts/h1/etc/web/greeting"
RESTARTED_SECONDS_MAX = 10.0


@pytest.fixture
def served(made: World) -> World:
    """A host with a service that answers."""
    host.create(made, machine("h1"))
    service.create(made, answering("h1"))
    return made


def test_a_service_is_ready_when_create_returns(served: World) -> None:
    """What is created answers, from its own host only."""
    assert supervision.status(served, "h1@web")
    fetched = control.run(NAME, "h1", ["python3", "-c", _fetch("http://127.0.0.1:8000/")])
    assert fetched.returncode == 0
    outside = served.run(["ss", "-ltnH"])
    assert outside == ""


def test_files_are_laid_down_with_care(served: World) -> None:
    """A service's files have their content and are not for everyone."""
    written = served.seen(Path(GREETING))
    assert written.read_text() == "hello\n"
    assert stat.S_IMODE(written.stat().st_mode) == 0o640


def test_nothing_changed_restarts_nothing(served: World) -> None:
    """An update that changes only tags leaves the process alone."""
    before = _pid(served)
    service.update(served, answering("h1", tags={"role": "test"}))
    assert _pid(served) == before


def test_a_changed_file_restarts_the_process(served: World) -> None:
    """An update rewrites the file and restarts; a file no longer asked for is removed."""
    before = _pid(served)
    other = "/run/lab/hosts/h1/etc/web/other"
    service.update(served, answering("h1", files={other: "changed\n"}))
    assert _pid(served) != before
    assert served.seen(Path(other)).read_text() == "changed\n"
    assert not served.seen(Path(GREETING)).exists()


def test_a_changed_command_restarts_the_process(served: World) -> None:
    """An update of the command is awaited like a create."""
    service.update(served, answering("h1", port=8001))
    fetched = control.run(NAME, "h1", ["python3", "-c", _fetch("http://127.0.0.1:8001/")])
    assert fetched.returncode == 0


def test_a_file_changed_by_hand_is_found(served: World) -> None:
    """What is read back is what is there, so that a refresh shows the difference."""
    served.seen(Path(GREETING)).write_text("tampered\n")
    found = service.find(served, "h1", "web")
    assert found is not None
    assert found["files"] == {GREETING: "tampered\n"}


def test_a_dead_process_is_started_again(served: World) -> None:
    """The supervisor restarts what dies."""
    before = _pid(served)
    served.run(["kill", "-9", str(before)])
    assert wait_until(lambda: _pid(served) not in (before, 0), RESTARTED_SECONDS_MAX)


def test_a_service_that_is_never_ready_is_told_with_its_log(served: World) -> None:
    """The failure says what was asked, what was answered, and what the service last said; nothing is left."""
    words = ["sh", "-c", "echo I am not a server; sleep 100"]
    ready = {"kind": "tcp", "address": "127.0.0.1:9", "secondsMax": 0.5}
    with pytest.raises(LabError, match=r"not ready within 0\.5 s") as refused:
        service.create(served, answering("h1", name="mute", command=words, ready=ready))
    assert "I am not a server" in str(refused.value)
    assert "Connection refused" in str(refused.value)
    assert service.names(served, "h1") == ["web"]
    assert not supervision.exists(served, "h1@mute")


def test_a_missing_program_is_told_at_once(served: World) -> None:
    """A command that cannot be started is not awaited until the time is over."""
    with pytest.raises(LabError, match="it ended with status 127"):
        service.create(served, answering("h1", port=9, name="missing", command=["no-such-program"]))


def test_a_service_that_runs_once_is_not_restarted(served: World) -> None:
    """With restart off, the end of the process is the end."""
    service.create(served, answering("h1", name="once", command=["true"], ready=None, restart=False))
    ended = served.layout.service_scan("h1", "once") / supervision.ENDED
    assert wait_until(ended.exists, RESTARTED_SECONDS_MAX)
    assert ended.read_text() == "0\n"


def test_delete_takes_a_stubborn_process_away(served: World) -> None:
    """A service is gone with its files, even if it ignores SIGTERM; deleting it again is no failure."""
    words = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]
    service.create(served, answering("h1", name="stubborn", command=words, ready=None))
    service.delete(served, "h1", "stubborn")
    service.delete(served, "h1", "web")
    service.delete(served, "h1", "web")
    assert served.processes("h1") == []
    assert not served.seen(Path(GREETING)).exists()
    assert list(served.layout.staging.iterdir()) == []


def test_a_killed_host_stays_down_until_it_is_started(served: World) -> None:
    """All of a host's processes die at once and none returns by itself."""
    control.kill_host(NAME, "h1")
    assert served.processes("h1") == []
    assert control.status(NAME).hosts["h1"].services["web"].up is False
    control.start_host(NAME, "h1")
    assert wait_until(lambda: control.status(NAME).hosts["h1"].services["web"].up, RESTARTED_SECONDS_MAX)


def test_logs_are_found(served: World) -> None:
    """A service's newest log is a file outside the lab."""
    control.run(NAME, "h1", ["python3", "-c", _fetch("http://127.0.0.1:8000/nothing")])
    log = control.logs(NAME, "h1", "web")["web"]
    assert wait_until(lambda: log.exists() and "GET /nothing" in log.read_text(), RESTARTED_SECONDS_MAX)
    with pytest.raises(LabError, match="has no service 'webb': it has web"):
        control.logs(NAME, "h1", "webb")


def _pid(made: World) -> int:
    status = supervision.status(made, "h1@web")
    return status.pid if status else 0


def _fetch(url: str) -> str:
    return f"import urllib.request; urllib.request.urlopen({url!r}, timeout=5)"
