"""Faults of disks: what was not written down lost, no room, slow, put back from an old copy. All of them need root."""

from __future__ import annotations

import errno
import time
from collections.abc import Sequence
from typing import ClassVar

from diversite.domains import Domain
from diversite.errors import DiversiteError, LabError
from diversite.outcome import Outcome, predict
from diversite.plan import Host, Plan
from drills import asking
from drills.faults.fault import Evidence, HostFault, class_alone
from drills.faults.processes import Kill
from lab import control

WRITES_PER_SECOND = 10
"""Of a slow disk: one that is rebuilding, or a volume that has used up its credit."""
SYNCS = 4
COMMITS_MAX = 30
"""How many of the newest commits are looked into for a signature that must not be there."""
_SYNC = """
import os, sys, time
began = time.monotonic()
try:
    for _ in range(int(sys.argv[2])):
        with open(sys.argv[1], "wb") as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
    os.unlink(sys.argv[1])
except OSError as error:
    sys.exit(error.errno)
print(time.monotonic() - began)
"""


class DiskFault(HostFault):
    """What strikes the disks of hosts."""

    roles: ClassVar[frozenset[str]] = frozenset({"validator", "engine", "monitor"})
    """Whose disks it strikes; other hosts of its domains stay as they are."""

    @property
    def disks(self) -> tuple[Host, ...]:
        """The hosts whose disks it strikes."""
        return tuple(host for host in self.hosts if host.data_gib and host.role in self.roles)

    def require_targets(self) -> None:
        """At least one disk."""
        super().require_targets()
        if not self.disks:
            raise DiversiteError(
                f"{self.name}: none of {', '.join(self.names)} keeps on a disk what {self.word} strikes; kill it"
            )

    def _validators_down(self) -> Outcome:
        """A validator that cannot write cannot vote; an engine serves from memory and keeps its state later."""
        return predict(self.plan, [], down=[host.name for host in self.disks if host.role == "validator"])


class PowerCut(DiskFault):
    """The hosts without power: processes ended, and of each disk only what had been written down. Needs root."""

    word = "power-cut"

    def __init__(self, lab: str, plan: Plan, *domains: Domain) -> None:
        super().__init__(lab, plan, *domains)
        self._kill = Kill(lab, plan, *domains)

    def inject(self) -> float:
        """End all at once, then take from all disks what they had not written."""
        instant = self._kill.inject()
        self._lost = control.power_cut_hosts(self.lab, [host.name for host in self.disks])
        return instant

    def evidence(self) -> Sequence[Evidence]:
        """Of the killing, and that bytes were lost."""
        lost = [
            Evidence(what=f"{name}: {count} bytes of its disk lost", bit=True) for name, count in self._lost.items()
        ]
        whole = Evidence(what=f"{sum(self._lost.values())} bytes lost on all disks", bit=sum(self._lost.values()) > 0)
        return [*self._kill.evidence(), *lost, whole]

    def heal(self) -> float:
        """Power again."""
        return self._kill.heal()


class DiskFull(DiskFault):
    """No room on the disks of the hosts. Needs root."""

    word = "disk-full"

    def inject(self) -> float:
        """Take all the room that is left."""
        self._left = {host.name: control.fill_disk(self.lab, host.name) for host in self.disks}
        return time.monotonic()

    def evidence(self) -> Sequence[Evidence]:
        """Nothing can be written there."""
        return [
            Evidence(what=f"{host.name}: {self._left[host.name]} bytes were left", bit=_sync(self.lab, host) is None)
            for host in self.disks
        ]

    def heal(self) -> float:
        """Give the room back; what ended for want of it is started by its supervisor."""
        instant = time.monotonic()
        for host in self.disks:
            control.drain_disk(self.lab, host.name)
        return instant

    def predicted(self) -> Outcome:
        """The class of their loss; when each notices is its own affair."""
        return class_alone(self._validators_down())


class DiskSlow(DiskFault):
    """The disks of the hosts take few writes a second. Needs root, and a kernel with blkio of cgroup 1."""

    word = "disk-slow"

    def inject(self) -> float:
        """Slow them."""
        for host in self.disks:
            control.slow_disk(self.lab, host.name, WRITES_PER_SECOND)
        return time.monotonic()

    def evidence(self) -> Sequence[Evidence]:
        """A few synced writes take as long as they must."""
        seconds = {host.name: _sync(self.lab, host) or 0.0 for host in self.disks}
        return [
            Evidence(what=f"{name}: {SYNCS} synced writes took {took:.1f} s", bit=took > SYNCS / WRITES_PER_SECOND)
            for name, took in seconds.items()
        ]

    def heal(self) -> float:
        """Take the limit off."""
        instant = time.monotonic()
        for host in self.disks:
            control.slow_disk(self.lab, host.name, 0)
        return instant

    def predicted(self) -> Outcome:
        """The class of their loss: who is slow is as good as gone."""
        return class_alone(self._validators_down())


class OldDisk(DiskFault):
    """Validators' disks put back as they were before the load: they must not sign with what they have forgotten."""

    word = "old-disk"
    roles = frozenset({"validator"})

    def prepare(self) -> None:
        """Keep a copy while all is well; the chain goes on without it."""
        for host in self.disks:
            control.keep_disk(self.lab, host.name)

    def inject(self) -> float:
        """Exchange disk and copy, and start what is on the copy."""
        instant = time.monotonic()
        for host in self.disks:
            control.swap_disk(self.lab, host.name)
        self._from = self._height()
        for host in self.disks:
            control.start_host(self.lab, host.name)
        return instant

    def evidence(self) -> Sequence[Evidence]:
        """Blocks go on, and none of them has a signature of theirs."""
        witness, height = self._witness, self._height()
        commits = [asking.validator(self.lab, witness, f"/commit?height={at}") for at in self._since(height)]
        told = [commit["signed_header"] for commit in commits]
        signers = {it["validator_address"] for each in told for it in each["commit"]["signatures"]}
        proposers = {each["header"]["proposer_address"] for each in told}
        addresses = {host.name: _address(self.lab, host) for host in self.disks}
        return [
            Evidence(
                what=f"{name}: refused to sign {len(told)} blocks",
                bit=bool(told) and address not in signers | proposers,
            )
            for name, address in addresses.items()
        ]

    def heal(self) -> float:
        """Give them their own disks again."""
        instant = time.monotonic()
        for host in self.disks:
            control.swap_disk(self.lab, host.name)
            control.start_host(self.lab, host.name)
        return instant

    def predicted(self) -> Outcome:
        """They take no part."""
        return self._validators_down()

    @property
    def _witness(self) -> Host:
        return next(host for host in self.plan.of_role("validator") if host not in self.disks)

    def _since(self, height: int) -> range:
        return range(max(self._from + 2, height - COMMITS_MAX), height)

    def _height(self) -> int:
        return int(asking.validator(self.lab, self._witness, "/status")["sync_info"]["latest_block_height"])

    def require_targets(self) -> None:
        """A disk, and a validator that can say who signs."""
        super().require_targets()
        if set(self.disks) >= set(self.plan.of_role("validator")):
            raise DiversiteError(f"{self.name}: leave one validator that can say who signs")


def _address(lab: str, host: Host) -> str:
    """Under which address a validator signs, by the key on its disk."""
    script = "cat data/*/config/priv_validator_key.json"
    told = control.run(lab, host.name, ["sh", "-c", f"cd /run/lab/hosts/{host.name} && {script}"])
    if told.returncode:
        raise LabError(f"{host.name}: its key cannot be read: {told.stderr.strip()}")
    return told.stdout.partition('"address": "')[2].partition('"')[0]


def _sync(lab: str, host: Host) -> float | None:
    """How many seconds a few synced writes take on a host's disk; None where there is no room for them."""
    path = f"/run/lab/hosts/{host.name}/data/.probe"
    done = control.run(lab, host.name, ["python3", "-I", "-S", "-c", _SYNC, path, str(SYNCS)])
    if done.returncode not in {0, errno.ENOSPC}:
        raise LabError(f"{host.name}: nothing says whether its disk has room: {done.stderr.strip() or done.returncode}")
    return None if done.returncode else float(done.stdout)
