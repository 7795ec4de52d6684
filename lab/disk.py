"""A host's disk: a filesystem in an image of its own, and what can become of one.

It is mounted from a loop device, which tells of its bytes by device number. A disk can lose its power, fill, grow slow,
and be put back as it was some time ago. Where the lab has no images (an ordinary user's), a host's data is a plain
directory, and each of these is refused.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

from diversite.errors import LabError
from lab import commands
from lab.layout import INSIDE
from lab.world import World, make_image, wait_until

FILLER = ".filler"
"""What takes the room on a disk that was filled."""
CLOSED_SECONDS_MAX = 5.0
_FILL_STEP_BYTES_MIN = 4096
_OPTIONS = "loop,noatime"


def mount(world: World, host: str, mebibytes: int) -> None:
    """Give a host an empty disk."""
    make_image(world.seen(_image(world, host)), mebibytes)
    _mount(world, host)


def unmount(world: World, host: str) -> None:
    """Take a host's disk away with all that is on it; what is gone already is no failure."""
    if world.is_mounted(place(host)):
        world.run(["umount", "--lazy", str(place(host))])
    for image in (_image(world, host), _kept(world, host), _captured(world, host)):
        with suppress(OSError):  # a host without a disk
            world.seen(image).unlink()


def place(host: str) -> Path:
    """Where a host's disk is mounted, as seen inside."""
    return INSIDE / "hosts" / host / "data"


def sync(world: World, host: str) -> None:
    """Write a host's disk down, so that what was just laid there survives a power cut; a plain directory needs none."""
    if world.is_mounted(place(host)):
        descriptor = os.open(world.seen(place(host)), os.O_RDONLY)
        ctypes.CDLL(None).syncfs(descriptor)
        os.close(descriptor)


def capture(world: World, host: str) -> None:
    """Note what is on a disk's device at this instant, before its filesystem writes more to it; for `cut_power`."""
    require(world, host)
    world.run(["cp", "--sparse=always", str(_image(world, host)), str(_captured(world, host))])


def cut_power(world: World, host: str) -> int:
    """Leave of a disk what was captured; how many bytes were not. Nothing may run on the host."""
    image, captured = _image(world, host), _captured(world, host)
    _unmount(world, host)
    lost = _bytes_that_differ(world.seen(image), world.seen(captured))
    world.run(["mv", str(captured), str(image)])
    _mount(world, host)
    return lost


def available_bytes(world: World, host: str) -> int:
    """How much can still be written to a host's disk."""
    require(world, host)
    told = os.statvfs(world.seen(place(host)))
    return told.f_bavail * told.f_frsize


def fill(world: World, host: str, leave_bytes: int = 0) -> int:
    """Take the room on a host's disk but for so much, at once; how many bytes are left."""
    require(world, host)
    descriptor = os.open(world.seen(place(host) / FILLER), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        step = available_bytes(world, host) - leave_bytes
        while step >= _FILL_STEP_BYTES_MIN:
            with suppress(OSError):  # the filesystem's own bookkeeping needs some of it: try with half
                os.posix_fallocate(descriptor, os.fstat(descriptor).st_size, step)
            step = min(step // 2, available_bytes(world, host) - leave_bytes)
    finally:
        os.close(descriptor)
    return available_bytes(world, host)


def drain(world: World, host: str) -> None:
    """Give back the room that `fill` took."""
    world.seen(place(host) / FILLER).unlink(missing_ok=True)


def slow(world: World, host: str, writes_per_second: int) -> None:
    """Let a host's disk take only so many writes a second; 0 takes the limit off.

    LabError where the kernel has no control group that could: cgroup 1 with `blkio` (cgroup 2 limits all but its root,
    where the filesystem's journal is written).
    """
    require(world, host)
    _throttle(_device(world, host), writes_per_second)


def keep(world: World, host: str) -> None:
    """Keep a copy of a host's disk as it is now; the one kept before goes. Nothing may write to it meanwhile."""
    require(world, host)
    sync(world, host)
    world.run(["cp", "--sparse=always", str(_image(world, host)), str(_kept(world, host))])


def swap(world: World, host: str) -> None:
    """Exchange a host's disk for the copy that was kept, and the other way round. Nothing may run on the host."""
    require(world, host)
    image, kept = _image(world, host), _kept(world, host)
    if not world.seen(kept).exists():
        raise LabError(f"no copy of the disk of host {host!r} of lab {world.name!r} was kept: keep one first")
    _unmount(world, host)
    aside = image.with_suffix(".aside")
    for source, target in ((image, aside), (kept, image), (aside, kept)):
        world.run(["mv", str(source), str(target)])
    _mount(world, host)


def require(world: World, host: str) -> None:
    """LabError for a host without a disk of its own."""
    if not world.is_mounted(place(host)):
        raise LabError(
            f"host {host!r} of lab {world.name!r} has no disk of its own: a lab has them for hosts that keep data, "
            "and only where root made it"
        )


def _mount(world: World, host: str) -> None:
    world.run(["mount", "-o", _OPTIONS, str(_image(world, host)), str(place(host))])
    with suppress(LabError):  # nothing could have slowed it
        _throttle(_device(world, host), 0)  # a loop device keeps the limit that a killed drill left on it


def _unmount(world: World, host: str) -> None:
    """A process that was killed closes its last files a moment after it is gone from its network."""
    command = [*world.entering(), "umount", str(place(host))]
    if not wait_until(lambda: commands.attempt(command).returncode == 0, CLOSED_SECONDS_MAX, 0.02):
        raise LabError(
            f"the disk of host {host!r} of lab {world.name!r} is still in use: {commands.attempt(command).stderr}"
        )


def _image(world: World, host: str) -> Path:
    return world.layout.inside(world.layout.image(host))


def _captured(world: World, host: str) -> Path:
    return _image(world, host).with_suffix(".cut")


def _kept(world: World, host: str) -> Path:
    return _image(world, host).with_suffix(".kept")


def _device(world: World, host: str) -> str:
    number = world.seen(place(host)).stat().st_dev
    return f"{os.major(number)}:{os.minor(number)}"


def _throttle(device: str, writes_per_second: int) -> None:
    limits = _limits()
    if limits is None:
        raise LabError("this kernel limits no disk: slowing one needs the control group blkio of cgroup 1")
    limits.write_text(f"{device} {writes_per_second}\n")


def _limits() -> Path | None:
    """Where the kernel takes limits on writes of all processes together, its own journal's included."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup ") and "blkio" in after.rpartition(" ")[2].split(","):
            path = Path(before.split()[4]) / "blkio.throttle.write_iops_device"
            return path if path.exists() else None
    return None


def _bytes_that_differ(a: Path, b: Path, block_bytes: int = 16384) -> int:
    """How much of two files of one size differs, counted in blocks."""
    with a.open("rb") as first, b.open("rb") as second:
        count = -(-a.stat().st_size // block_bytes)
        return block_bytes * sum(first.read(block_bytes) != second.read(block_bytes) for _ in range(count))
