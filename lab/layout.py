"""Every path of a lab, outside and inside its namespaces.

Outside, a lab is `<project>/.lab/<name>/`; inside, the same directory is `/run/lab`, so what a service sees is the
same in every lab. A file on a host's disk exists only inside, once the disk's image is mounted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

INSIDE = Path("/run/lab")
DIRECTORY_VARIABLE = "DIVERSITE_LAB_DIRECTORY"


def project_directory() -> Path:
    """The checkout that this package belongs to."""
    return Path(__file__).resolve().parent.parent


def labs_directory() -> Path:
    """Where labs are kept: `$DIVERSITE_LAB_DIRECTORY`, or `.lab` in the project."""
    return Path(os.environ.get(DIRECTORY_VARIABLE) or project_directory() / ".lab")


@dataclass(frozen=True)
class Layout:
    """The paths of one lab; `inside` and `outside` translate between the two views."""

    directory: Path

    @property
    def record(self) -> Path:
        """What the lab is: name, owner, capabilities."""
        return self.directory / "world.json"

    @property
    def process(self) -> Path:
        """Which process is the lab's pid 1, as seen from outside."""
        return self.directory / "process.json"

    @property
    def starting(self) -> Path:
        """Locked from before pid 1 is started until it has said who it is."""
        return self.directory / "starting"

    @property
    def log(self) -> Path:
        """What the supervisor itself says."""
        return self.directory / "world.log"

    @property
    def scan(self) -> Path:
        """The supervisor's directory of services."""
        return self.directory / "scan"

    @property
    def staging(self) -> Path:
        """Where a service's directory is made before the supervisor sees it, and goes after."""
        return self.directory / "staging"

    @property
    def wires(self) -> Path:
        """One file a wire, read by the relay."""
        return self.directory / "wires"

    @property
    def relay(self) -> Path:
        """What the relay tells: its counters."""
        return self.directory / "relay"

    @property
    def hosts(self) -> Path:
        """One directory a host."""
        return self.directory / "hosts"

    def host(self, host: str) -> Path:
        """All that belongs to one host."""
        return self.hosts / host

    def wire_record(self, wire: str) -> Path:
        """The inputs of a wire, how it was made, and the faults put on it."""
        return self.wires / f"{wire}.json"

    def host_record(self, host: str) -> Path:
        """The inputs of a host, written once it stands."""
        return self.host(host) / "host.json"

    def service_record(self, host: str, service: str) -> Path:
        """The inputs of a service, written once it is laid down."""
        return self.host(host) / "services" / f"{service}.json"

    def service_scan(self, host: str, service: str) -> Path:
        """The directory of a service that the supervisor watches."""
        return self.scan / f"{host}@{service}"

    def service_log(self, host: str, service: str) -> Path:
        """The directory of a service's rotated logs; `current` is the newest."""
        return self.host(host) / "log" / service

    @property
    def disks(self) -> Path:
        """The images of hosts' disks."""
        return self.directory / "disks"

    def image(self, host: str) -> Path:
        """The file that holds a host's disk; where it is in memory, it exists only inside."""
        return self.disks / f"{host}.img"

    def inside(self, path: Path) -> Path:
        """Where a path of the lab's directory is found inside the namespaces."""
        return INSIDE / path.relative_to(self.directory)
