"""Starts, finds and ends a lab: the process tree, the namespaces, and the directory that says whose it is.

Everything that a lab makes is inside its namespaces or inside its directory. So ending pid 1 and removing the
directory removes the lab whole, however far it was built, and whoever built it may have been killed at any moment.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from diversite.errors import LabError
from lab import commands
from lab.files import JsonObject, locked, read_json, write_json
from lab.layout import INSIDE, Layout, labs_directory
from lab.process import Process, processes_in

RECORD_VERSION = 1
START_SECONDS_MAX = 10.0
END_SECONDS_MAX = 10.0
_GONE = ".gone-"

FileIdentity: TypeAlias = tuple[str, int]
"""A file by its device (`major:minor`) and inode."""


@dataclass(frozen=True)
class World:
    """A running lab."""

    name: str
    layout: Layout
    process: Process
    record: JsonObject

    @property
    def pid(self) -> int:
        """Pid 1 of the lab, as seen from outside."""
        return self.process.pid

    @property
    def wire_kind(self) -> str:
        """How wires are delayed: `netem` by the kernel, or `userspace` by the relay."""
        return str(self.record["wireKind"])

    @property
    def images(self) -> bool:
        """Whether a host's disk can be a filesystem image of its own."""
        return bool(self.record["images"])

    def entering(self, host: str | None = None) -> list[str]:
        """The words before a command that make it run in a host's namespaces (the lab's own if none is named)."""
        network = f"--net=/proc/{self.pid}/root/run/netns/{host}" if host else "--net"
        # Root needs no way into a user's namespace; the user is root in there, and has no groups to set.
        as_user = self.record["userNamespace"] and os.geteuid() != 0
        user = ["--user", "--preserve-credentials"] if as_user else []
        return ["nsenter", f"--target={self.pid}", *user, "--mount", "--pid", network]

    def run(self, arguments: Sequence[str], host: str | None = None, stdin: str | None = None) -> str:
        """Run a program inside and return what it printed."""
        return commands.run([*self.entering(host), *arguments], stdin)

    def has_namespace(self, host: str) -> bool:
        """Whether a host's network namespace is there."""
        return self.namespace(host) is not None

    def namespace(self, host: str) -> int | None:
        """The inode of a host's network namespace; None if it is not there."""
        name = Path("/run/netns") / host
        # Before the namespace is bound onto it, the name is an empty file of the tmpfs.
        return self.seen(name).stat().st_ino if self.is_mounted(name) else None

    def is_mounted(self, inside: Path) -> bool:
        """Whether something is mounted there. `os.path.ismount` would look at this process's own mounts."""
        place = self.seen(inside)
        try:
            return place.stat().st_dev != place.parent.stat().st_dev
        except OSError:
            return False

    def processes(self, host: str) -> list[int]:
        """The pids, as seen from outside, of everything that runs on a host."""
        namespace = self.namespace(host)
        return [] if namespace is None else processes_in(namespace)

    def seen(self, inside: Path) -> Path:
        """A path inside the lab's mounts, as it can be opened from outside."""
        return Path(f"/proc/{self.pid}/root") / inside.relative_to("/")


def create(name: str, owner: str, seed: int = 0) -> World:
    """Start a lab, or find it running; one of another owner is refused, a dead one is cleared away first."""
    commands.require_programs()
    with _labs_locked():
        layout = layout_of(name)
        found = find(name)
        _refuse_other_owner(layout, owner)
        if found and found.record.get("ready"):
            return found
        _remove(layout)
        return _build(name, owner, seed, layout)


def find(name: str) -> World | None:
    """The lab of this name if it runs."""
    layout = layout_of(name)
    record, process = read_json(layout.record), _process(layout)
    if record is None or process is None or not process.alive():
        return None
    return World(name, layout, process, record)


def require(name: str) -> World:
    """The lab of this name; a LabError if it does not run."""
    world = find(name)
    if world is None:
        raise LabError(
            f"no lab {name!r} runs in {labs_directory()}: bring it up, or `diversite lab down {name}` to clear it"
        )
    return world


def down(name: str) -> bool:
    """End a lab and remove all of it; True if there was something. Works however far it was built."""
    with _labs_locked():
        return _remove(layout_of(name))


def names() -> list[str]:
    """Every lab that has a directory: running, dead, or taken down only in part."""
    directories = {path.name for path in labs_directory().glob("*") if path.is_dir()}
    kept = {name for name in directories if name[0] != "."}
    return sorted(kept | {name[len(_GONE) :].rsplit("-", 2)[0] for name in directories if name.startswith(_GONE)})


def layout_of(name: str) -> Layout:
    """The paths of the lab of this name."""
    return Layout(labs_directory() / name)


def wait_until(condition: Callable[[], bool], seconds_max: float, pause_seconds: float = 0.002) -> bool:
    """Ask until a condition holds; False if it did not within the bound."""
    deadline = time.monotonic() + seconds_max
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_seconds)
    return True


def _refuse_other_owner(layout: Layout, owner: str) -> None:
    record = read_json(layout.record)
    if record and record["owner"] != owner:
        raise LabError(
            f"lab {layout.directory.name!r} in {layout.directory.parent} belongs to {record['owner']!r}, not to "
            f"{owner!r}: end it with `diversite lab down {layout.directory.name}`, or take another name"
        )


def _build(name: str, owner: str, seed: int, layout: Layout) -> World:
    try:
        record = _lay_down(name, owner, seed, layout)
        process = _start(layout)
        world = World(name, layout, process, record)
        record |= {"wireKind": _probe_wires(world), "images": _probe_images(world), "ready": True}
        write_json(layout.record, record)
    except BaseException:
        _remove(layout)
        raise
    return world


def _lay_down(name: str, owner: str, seed: int, layout: Layout) -> JsonObject:
    for directory in (layout.scan, layout.staging, layout.wires, layout.relay, layout.hosts, layout.disks):
        directory.mkdir(parents=True)
    layout.directory.chmod(0o755)
    record: JsonObject = {
        "version": RECORD_VERSION,
        "name": name,
        "owner": owner,
        "seed": seed,
        "userNamespace": os.geteuid() != 0,
        "ready": False,
    }
    write_json(layout.record, record)
    return record


def _start(layout: Layout) -> Process:
    """Start pid 1, cut off from this process, and wait until it supervises."""
    with layout.starting.open("a") as lock, layout.log.open("a") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(
            _start_arguments(layout, lock.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(lock.fileno(),),
            cwd="/",
            env=_start_environment(),
            check=True,
        )
    _await_start(layout)
    process = _process(layout)
    control = layout.scan / ".s6-svscan" / "control"
    if process is None or not wait_until(lambda: _is_read(control) or not process.alive(), START_SECONDS_MAX):
        raise LabError(f"the lab's supervisor did not start: {_tail(layout.log)}")
    if not process.alive():
        raise LabError(f"the lab's supervisor ended at once: {_tail(layout.log)}")
    return process


def _start_arguments(layout: Layout, lock: int) -> list[str]:
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    boot = [sys.executable, "-I", "-S", str(Path(__file__).with_name("boot.py")), str(layout.directory), str(lock)]
    # setsid forks and returns, so that no caller is the parent of a lab.
    unshare = ["unshare", *user, "--mount", "--pid", "--net", "--fork", "--kill-child"]
    return ["setsid", "--fork", *unshare, *boot]


def _start_environment() -> dict[str, str]:
    return {"PATH": commands.search_path(), "LC_ALL": "C", "HOME": "/"}


def _is_read(fifo: Path) -> bool:
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def _probe_wires(world: World) -> str:
    probe = "link add name probe type veth peer name eborp\n"
    world.run(["ip", "-batch", "-"], stdin=probe)
    netem = ["tc", "qdisc", "add", "dev", "probe", "root", "netem", "delay", "1ms"]
    found = commands.attempt([*world.entering(), *netem]).returncode == 0
    world.run(["ip", "link", "delete", "probe"])
    return "netem" if found else "userspace"


def _probe_images(world: World) -> bool:
    if world.record["userNamespace"]:
        return False
    place = world.layout.staging / "probe"
    place.mkdir()
    inside = world.layout.inside
    image = world.seen(inside(world.layout.image("probe")))
    make_image(image, mebibytes=1)
    mount = ["mount", "-o", "loop", str(inside(world.layout.image("probe"))), str(inside(place))]
    mounted = commands.attempt([*world.entering(), *mount]).returncode == 0
    if mounted:
        world.run(["umount", str(inside(place))])
    place.rmdir()
    image.unlink()
    return mounted


def make_image(image: Path, mebibytes: int) -> None:
    """Make a sparse file with an empty ext4 filesystem."""
    with image.open("wb") as file:
        file.truncate(mebibytes << 20)
    options = ["-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard"]
    commands.run(["mkfs.ext4", *options, str(image)])


def _process(layout: Layout) -> Process | None:
    record = read_json(layout.process)
    return Process.from_record(record) if record else None


def _remove(layout: Layout) -> bool:
    """Take the lab out of sight first, so that what still builds in it fails, then end it and remove the rest."""
    if layout.directory.exists():
        gone = layout.directory.with_name(f"{_GONE}{layout.directory.name}-{os.getpid()}-{time.monotonic_ns()}")
        layout.directory.rename(gone)
    leftovers = list(layout.directory.parent.glob(f"{_GONE}{layout.directory.name}-*"))
    for leftover in leftovers:
        _end(Layout(leftover))
        shutil.rmtree(leftover)
    return bool(leftovers)


def _end(layout: Layout) -> None:
    _await_start(layout)
    process = _process(layout)
    images = image_files(layout)
    # The process that waits for pid 1 shares its mounts.
    waiting = process.parent() if process else None
    if process and not process.kill(END_SECONDS_MAX):
        raise LabError(
            f"process {process.pid} of the lab in {layout.directory} outlived SIGKILL for {END_SECONDS_MAX} s"
        )
    if waiting:
        wait_until(lambda: not waiting.alive(), END_SECONDS_MAX)
    if not wait_until(lambda: not images & loop_files(), END_SECONDS_MAX, pause_seconds=0.01):
        raise LabError(f"loop devices still hold disks of {layout.directory}; `losetup --list` shows them")


def _await_start(layout: Layout) -> None:
    """Wait for a pid 1 that was started and has not yet said who it is, or has died before."""
    if not layout.starting.exists():
        return
    with layout.starting.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def image_files(layout: Layout) -> set[FileIdentity]:
    """The images of a lab's disks, by what a loop device tells of its file: its path is the lab's own."""
    process = _process(layout)
    running = process and process.alive()
    inside = INSIDE / layout.disks.name
    disks = Path(f"/proc/{process.pid}/root{inside}") if process and running else layout.disks
    try:
        found = [path.stat() for path in disks.glob("*.img")]
    except OSError:  # it ended meanwhile, or is another user's
        return set()
    return {(f"{os.major(it.st_dev)}:{os.minor(it.st_dev)}", it.st_ino) for it in found}


def loop_files() -> set[FileIdentity]:
    """The files that this machine's loop devices hold."""
    if not any(Path("/sys/block").glob("loop*/loop")):
        return set()
    listed = commands.run(["losetup", "--list", "--noheadings", "--raw", "--output", "BACK-MAJ:MIN,BACK-INO"])
    told = (line.split() for line in listed.splitlines())  # a device that this user may not read is a blank line
    return {(words[0], int(words[1])) for words in told if len(words) == 2}


def _tail(path: Path, lines: int = 10) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else "nothing was logged"


@contextlib.contextmanager
def _labs_locked() -> Iterator[None]:
    with locked(labs_directory() / ".lock"):
        yield
