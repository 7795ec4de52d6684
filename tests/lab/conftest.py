"""Labs in a directory of the test's own, taken down afterwards, with a check that nothing of them is left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import world
from lab.inputs import HostInputs, WireInputs
from lab.layout import DIRECTORY_VARIABLE, Layout
from lab.process import start_ticks
from lab.world import FileIdentity, World

NAME = "tested"
OWNER = "tests/tested"


@pytest.fixture
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory for labs; whatever is in it at the end is taken down, and must leave nothing behind."""
    directory = tmp_path / "labs"
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(directory))
    links = set(os.listdir("/sys/class/net"))
    yield directory
    images = image_files(directory)
    for name in world.names():
        world.down(name)
    assert residue(directory, images) == []
    assert set(os.listdir("/sys/class/net")) == links


@pytest.fixture
def made(labs: Path) -> World:
    """A running lab with nothing in it."""
    return world.create(NAME, OWNER)


def image_files(directory: Path) -> set[FileIdentity]:
    """The disks of all labs of a directory."""
    return {file for lab in directory.glob("*") if lab.is_dir() for file in world.image_files(Layout(lab))}


def residue(directory: Path, images: set[FileIdentity]) -> list[str]:
    """What is left of the labs of a directory: processes in their mounts, loop devices on their images, files."""
    processes = [f"process {pid}" for pid in _pids() if str(directory) in _mounts(pid)]
    loops = [f"loop device on {file}" for file in images & world.loop_files()]
    files = [str(path) for path in directory.glob("*") if path.name != ".lock"]
    return processes + loops + files


def router(name: str, world_name: str = NAME, **changes: object) -> HostInputs:
    """A site's router with a LAN `10.<site>.0.0/24`; its name ends with the site's number."""
    site = int(name[1:])
    networks = [{"name": "lan", "interface": "lan0", "address": f"10.{site}.0.1/24"}]
    given = {"world": world_name, "name": name, "site": f"s{site}", "kind": "router", "networks": networks}
    return HostInputs.model_validate({**given, **changes})


def machine(name: str, world_name: str = NAME, **changes: object) -> HostInputs:
    """A host `<letter><site>` on its site's LAN."""
    site = int(name[1:])
    networks = [{"name": "lan", "interface": "eth0", "address": f"10.{site}.0.{ord(name[0])}/24"}]
    given = {"world": world_name, "name": name, "site": f"s{site}", "kind": "host", "networks": networks}
    return HostInputs.model_validate({**given, "gateway": f"10.{site}.0.1", **changes})


def wire_between(a: str, b: str, delay_microseconds: int = 0, number: int = 0, **changes: object) -> WireInputs:
    """A wire between two routers, named after them."""
    ends = {
        "a": {"host": a, "interface": f"to-{b}", "address": f"172.16.{number}.1/30"},
        "b": {"host": b, "interface": f"to-{a}", "address": f"172.16.{number}.2/30"},
    }
    given = {"world": NAME, "name": f"{a}-{b}", "delayMicroseconds": delay_microseconds}
    return WireInputs.model_validate({**given, **ends, **changes})


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and start_ticks(int(entry)) is not None]


def _mounts(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/mountinfo").read_text()
    except OSError:
        return ""
