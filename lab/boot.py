"""What pid 1 of a lab does before it becomes the supervisor.

Runs as a plain script (no package, no site-packages), so that it starts in milliseconds:
`boot.py <lab directory> <descriptor of the starting lock>`. It says who it is as seen from outside while the outer
/proc is still there, releases the lock, makes the mounts, and becomes s6-svscan.
"""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

SERVICES_MAX = 4000
DISKS = Path("/run/lab/disks")
MEMORY_BYTES_MIN = 4 << 30
"""With less of it available, the hosts' disks are files of this machine's disk."""
SETTINGS = {
    # The lab's root namespace only carries wires: silence on them is what a quiet wire is.
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv6/conf/default/disable_ipv6": "1",
}


def main() -> None:
    """Become the lab's supervisor."""
    directory, lock = Path(sys.argv[1]), int(sys.argv[2])
    say_who(directory)
    fcntl.flock(lock, fcntl.LOCK_UN)
    os.close(lock)
    make_mounts(directory)
    keep_disks_in_memory()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    write_settings()
    os.chdir("/")
    os.execvp("s6-svscan", ["s6-svscan", "-c", str(SERVICES_MAX), "-t", "0", "/run/lab/scan"])  # noqa: S606 - becomes it


def say_who(directory: Path) -> None:
    """Record this process by its outer pid, its start and the boot."""
    pid = int(os.readlink("/proc/self"))
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    beside = directory / ".process.json"
    beside.write_text(json.dumps({"pid": pid, "startTicks": ticks, "bootId": boot}))
    beside.replace(directory / "process.json")


def make_mounts(directory: Path) -> None:
    """A fresh /run with the lab's directory and a place for network namespaces, and a /proc of this process space."""
    mount("-t", "tmpfs", "-o", "mode=755,nosuid,nodev", "lab", "/run")
    for made in ("/run/lab", "/run/netns", "/run/lock"):
        os.mkdir(made)
    mount("--bind", str(directory), "/run/lab")
    mount("-t", "proc", "proc", "/proc")


def keep_disks_in_memory() -> None:
    """Hold the images of hosts' disks in memory where there is enough of it.

    A validator syncs nine times a block. Two dozen hosts that share one real disk would wait for each other there, as
    hosts with disks of their own never do. What a filesystem in such an image has not synced is lost all the same when
    the image is taken away: a power cut stays one.
    """
    if memory_available_bytes() >= MEMORY_BYTES_MIN:
        mount("-t", "tmpfs", "-o", "mode=700,nosuid,nodev", "disks", str(DISKS))


def memory_available_bytes() -> int:
    """What this machine can give to new users of memory."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def mount(*arguments: str) -> None:
    """Mount, or end with the reason on the lab's log."""
    subprocess.run(["mount", *arguments], check=True)


def write_settings() -> None:
    """Write kernel settings of this network namespace; a kernel without one of them has nothing to silence."""
    for name, value in SETTINGS.items():
        path = Path("/proc/sys", name)
        if path.exists():
            path.write_text(value)


if __name__ == "__main__":
    main()
