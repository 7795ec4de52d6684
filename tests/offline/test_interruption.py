"""A run that is interrupted, killed, or met by another run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import offline
from diversite.errors import OfflineError
from offline import checkpoint
from offline.journal import locked
from tests.support.toy_project import ToyProject, toy_project

_CHECKOUT = Path(__file__).parents[2]
_SECONDS_MAX = 60.0

SLOW = """
group = Group("group")
before = None
for index in range(6):
    depends_on = [before] if before is not None and index % 3 else []
    before = Thing(f"t{index}", pulumi.ResourceOptions(parent=group, depends_on=depends_on), seconds=0.3)
"""

_RUN = """
import json, sys, offline
result = offline.up(offline.Project.load(sys.argv[1]), "dev")
print(json.dumps({"interrupted": result.interrupted, "ok": result.ok, "steps": result.steps}))
"""


def _start(project: ToyProject) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(_CHECKOUT)}
    return subprocess.Popen(
        [sys.executable, "-c", _RUN, str(project.directory)], stdout=subprocess.PIPE, text=True, env=environment
    )


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def _begun(project: ToyProject, count: int) -> bool:
    begun = [item for item in project.log() if item["operation"] == "create-begun"]
    return len(begun) >= count


@pytest.fixture
def slow(tmp_path: Path) -> ToyProject:
    return toy_project(tmp_path, SLOW)


def _plugin_processes(project: ToyProject) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            world = f"TOY_WORLD={project.world}".encode()
            if entry.name.isdigit() and world in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue  # it ended meanwhile, or is another user's
    return found


def test_an_interrupt_finishes_what_runs_and_begins_nothing_more(slow: ToyProject) -> None:
    """After an interrupt the state is what is there, and the next run makes the rest."""
    run = _start(slow)
    _until(lambda: _begun(slow, 1), "the first step")
    run.send_signal(signal.SIGINT)
    told = json.loads(run.communicate(timeout=_SECONDS_MAX)[0].splitlines()[-1])
    assert told["interrupted"]
    assert not told["ok"]
    made = slow.things()
    assert 0 < sum(made.values()) < 6
    state = offline.state(slow.project, "dev")
    assert not state.pending
    assert {item.name for item in state.resources if item.type == "toy:index:Thing"} == set(made)
    assert offline.up(slow.project, "dev").ok
    assert slow.things() == {f"t{index}": 1 for index in range(6)}


@pytest.mark.parametrize("begun", [1, 3, 6])
def test_a_killed_run_is_continued(slow: ToyProject, begun: int) -> None:
    """Killed with steps under way: they are pending in the file, the plugin is gone, and the next run continues."""
    run = _start(slow)
    _until(lambda: _begun(slow, begun), f"{begun} steps")
    run.kill()
    run.wait(_SECONDS_MAX)
    _until(lambda: not _plugin_processes(slow), "the plugin's end")
    state = offline.state(slow.project, "dev")
    assert state.pending
    assert {kind for kind, _ in state.pending} == {"creating"}
    assert offline.up(slow.project, "dev").ok
    assert slow.things() == {f"t{index}": 1 for index in range(6)}
    assert not offline.state(slow.project, "dev").pending


def test_a_killed_run_can_be_destroyed(slow: ToyProject) -> None:
    """A destroy after a kill leaves nothing, not even what was being created."""
    run = _start(slow)
    _until(lambda: _begun(slow, 2), "two steps")
    run.kill()
    run.wait(_SECONDS_MAX)
    assert offline.destroy(slow.project, "dev").ok
    assert not slow.things()
    assert offline.state(slow.project, "dev") == offline.StackState(resources=(), outputs={}, pending=())


def test_a_plugin_that_dies_leaves_its_step_pending(slow: ToyProject) -> None:
    """Nobody knows what a dead plugin did: its step stays pending, and the next run does it again."""
    run = _start(slow)
    _until(lambda: _begun(slow, 1), "the first step")
    for process in _plugin_processes(slow):
        if b"toy_provider" in Path(f"/proc/{process}/cmdline").read_bytes():
            os.kill(process, signal.SIGKILL)
    told = json.loads(run.communicate(timeout=_SECONDS_MAX)[0].splitlines()[-1])
    assert not told["ok"]
    assert offline.state(slow.project, "dev").pending
    assert offline.up(slow.project, "dev").ok
    assert slow.things() == {f"t{index}": 1 for index in range(6)}


def test_two_runs_do_not_interleave(slow: ToyProject) -> None:
    """While one run holds a stack another is refused, and told who holds it."""
    with locked(slow.project.lock_file("dev")), pytest.raises(OfflineError, match=f"process {os.getpid()} on"):
        offline.up(slow.project, "dev")
    assert not slow.things()


def test_the_lock_of_a_dead_run_holds_nobody_up(slow: ToyProject) -> None:
    """What a killed run left of its lock is taken over."""
    path = slow.project.lock_file("dev")
    path.parent.mkdir()
    path.write_text(json.dumps({"pid": 1, "host": "gone", "since": checkpoint.now()}))
    with locked(path):
        assert f'"pid": {os.getpid()}' in path.read_text()


def test_independent_things_are_made_and_unmade_at_once(tmp_path: Path) -> None:
    """Eight things that need each other not take the time of few, at up and at destroy."""
    project = toy_project(
        tmp_path,
        'group = Group("group")\n'
        'for n in range(8):\n    Thing(f"t{n}", pulumi.ResourceOptions(parent=group), seconds=0.2)',
    )
    offline.up(project.project, "dev")
    begun = [item["at"] for item in project.log() if item["operation"] == "create-begun"]
    made = [item["at"] for item in project.log() if item["operation"] == "create"]
    assert max(begun) < min(made)
    offline.destroy(project.project, "dev")
    unmade = [item["at"] for item in project.log() if item["operation"] == "delete"]
    assert max(unmade) - min(unmade) < 8 * 0.2
