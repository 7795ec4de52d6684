"""What a person or a drill does to a running lab: look, enter, break, heal, measure, end.

Every function takes the lab's name first and says in a LabError what is not there.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

from diversite.errors import LabError
from lab import clock, commands, disk, service, supervision, wire, world
from lab import host as hosts
from lab.files import JsonObject, read_json
from lab.inputs import WireInputs
from lab.layout import labs_directory
from lab.supervision import Status
from lab.world import World

PING_SECONDS_BETWEEN = 0.02
ANSWER_SECONDS_MAX = 2.0


@dataclass(frozen=True, kw_only=True)
class HostStatus:
    """A host and its services."""

    site: str
    kind: str
    """`host` or `router`."""
    tags: Mapping[str, str]
    services: Mapping[str, Status]


@dataclass(frozen=True, kw_only=True)
class WireStatus:
    """A wire as it is configured, and what it has carried."""

    a: str
    b: str
    """The hosts at its ends."""
    kind: str
    """`bare`, `netem` or `userspace`."""
    carrier: str
    round_trip_ms: float
    """Twice its configured delay."""
    cut: str
    """Empty, `both`, `aToB` or `bToA`."""
    counts: Mapping[str, Mapping[str, int]]
    """`aToB` and `bToA` to counters; empty unless the relay carries it."""


@dataclass(frozen=True, kw_only=True)
class LabStatus:
    """All of a lab."""

    name: str
    owner: str
    running: bool
    directory: Path
    wire_kind: str
    hosts: Mapping[str, HostStatus]
    wires: Mapping[str, WireStatus]


@dataclass(frozen=True, kw_only=True)
class RoundTrip:
    """Measured round trips of one pair; times are nan if nothing answered."""

    sent: int
    answered: int
    min_ms: float
    p50_ms: float
    p99_ms: float


def labs() -> list[LabStatus]:
    """Every lab that has a record here, running or not."""
    return [status(name) for name in world.names() if world.layout_of(name).record.exists()]


def status(lab: str) -> LabStatus:
    """A lab with its hosts, services and wires; one that does not run has none."""
    found = world.find(lab)
    record = read_json(world.layout_of(lab).record)
    if record is None:
        raise LabError(f"there is no lab {lab!r} in {labs_directory()}: it has {', '.join(world.names()) or 'none'}")
    return LabStatus(
        name=lab,
        owner=record["owner"],
        running=found is not None,
        directory=world.layout_of(lab).directory,
        wire_kind=record.get("wireKind", ""),
        hosts={name: _host_status(found, name) for name in hosts.names(found)} if found else {},
        wires=_wires_status(found) if found else {},
    )


def run(lab: str, host: str, command: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program on a host to its end."""
    found = _with_host(lab, host)
    return commands.attempt([*found.entering(host), *command], stdin)


def shell(lab: str, host: str, command: Sequence[str] = ()) -> int:
    """Give this terminal to a shell, or to a command, on a host; its exit status."""
    found = _with_host(lab, host)
    given = list(command) or [os.environ.get("SHELL", "/bin/sh")]
    environment = {**commands.environment(), "PS1": f"{lab}:{host} \\w \\$ "}
    return subprocess.run([*found.entering(host), *given], check=False, env=environment).returncode


def logs(lab: str, host: str, service_name: str | None = None) -> dict[str, Path]:
    """The newest log file of a host's services, or of one of them."""
    found = _with_host(lab, host)
    known = service.names(found, host)
    if service_name is not None and service_name not in known:
        raise LabError(
            f"host {host!r} of lab {lab!r} has no service {service_name!r}: it has {', '.join(known) or 'none'}"
        )
    wanted = [service_name] if service_name else known
    return {name: found.layout.service_log(host, name) / "current" for name in wanted}


def down(lab: str) -> bool:
    """End a lab and remove all of it; True if there was something."""
    return world.down(lab)


def kill_host(lab: str, host: str) -> None:
    """End all of a host's processes at once, unwarned and unsynced, and keep them down."""
    found = _with_host(lab, host)
    for name in service.names(found, host):
        unit = service.unit(host, name)
        (found.layout.scan / unit / "down").touch()
        supervision.control(found, unit, "-O")
    hosts.end_processes(found, host)


def power_cut_host(lab: str, host: str) -> int:
    """End all of a host's processes, keep them down, and take away what its disk had not synced: how many bytes.

    The count takes the filesystem's own bookkeeping in. Needs root, and a host with a disk of its own.
    """
    return power_cut_hosts(lab, [host])[host]


def power_cut_hosts(lab: str, names: Sequence[str]) -> dict[str, int]:
    """The same of several at one instant: no disk may write on while another one is taken away."""
    found = world.require(lab)
    for name in names:
        disk.require(found, name)
    for name in names:
        kill_host(lab, name)
    with ThreadPoolExecutor(max(len(names), 1)) as threads:
        list(threads.map(lambda name: disk.capture(found, name), names))
    return {name: disk.cut_power(found, name) for name in names}


def start_host(lab: str, host: str) -> None:
    """Start all services of a host; those that run go on."""
    found = _with_host(lab, host)
    for name in service.names(found, host):
        supervision.start(found, service.unit(host, name))


def fill_disk(lab: str, host: str, leave_bytes: int = 0) -> int:
    """Take the room on a host's disk but for so much; how many bytes can still be written. Needs root."""
    return disk.fill(_with_host(lab, host), host, leave_bytes)


def drain_disk(lab: str, host: str) -> None:
    """Give back the room that was taken."""
    disk.drain(_with_host(lab, host), host)


def slow_disk(lab: str, host: str, writes_per_second: int) -> None:
    """Let a host's disk take only so many writes a second; 0 takes the limit off. Needs root."""
    disk.slow(_with_host(lab, host), host, writes_per_second)


def keep_disk(lab: str, host: str) -> None:
    """Keep a copy of a host's disk as it is now, for `swap_disk`; its processes stand still meanwhile. Needs root."""
    found = _with_host(lab, host)
    running = found.processes(host)
    try:
        _signal(running, signal.SIGSTOP)
        disk.keep(found, host)
    finally:
        _signal(running, signal.SIGCONT)


def swap_disk(lab: str, host: str) -> None:
    """End all of a host's processes, keep them down, and exchange its disk for the copy that was kept."""
    found = _with_host(lab, host)
    kill_host(lab, host)
    for name in service.names(found, host):
        supervision.stop(found, service.unit(host, name))  # one that had ended may be about to start again
    disk.swap(found, host)


def move_clock(lab: str, host: str, seconds: float) -> int:
    """Set what a host's services read as the time of day so far off the truth; how many processes do. Needs root.

    What the host starts later reads the true time until this is called again.
    """
    return clock.move(clock.of_services(_with_host(lab, host).processes(host)), seconds)


def clock_offsets(lab: str, host: str) -> list[float]:
    """How far off the clock of each process of a host's services is, in seconds."""
    return [clock.offset_seconds(pid) for pid in clock.of_services(_with_host(lab, host).processes(host))]


def refuse(lab: str, host: str, sources: Iterable[IPv4Network]) -> None:
    """Drop, unseen by the sender, what comes from these networks to a host's own; from none: nothing more."""
    hosts.refuse(_with_host(lab, host), host, sources)


def refused_packets(lab: str, host: str) -> int:
    """How many packets a host has dropped since it began to refuse."""
    return hosts.refused_packets(_with_host(lab, host), host)


def cut_wires(lab: str, wires: Iterable[str], way: str = "both") -> None:
    """Cut wires silently (`both` ways, `aToB` or `bToA`); in force on return, packets on their way are lost too."""
    _set_cut(lab, wires, way)


def heal_wires(lab: str, wires: Iterable[str]) -> None:
    """Take all faults off wires."""
    wire.set_faults(world.require(lab), {name: {} for name in wires})


def set_wire_faults(lab: str, faults: Mapping[str, JsonObject]) -> None:
    """Put faults on wires: `cut`, `duplicatePerMillion`, `reorderPerMillion`, `corruptPerMillion`."""
    wire.set_faults(world.require(lab), dict(faults))


def observed_rtt(
    lab: str, pairs: Sequence[tuple[str, str]], count: int = 20, answer_seconds_max: float = ANSWER_SECONDS_MAX
) -> dict[tuple[str, str], RoundTrip]:
    """Measure round trips from host to host (or to an address), all pairs at once."""
    found = world.require(lab)
    addresses = {target: _address(found, target) for _, target in pairs}
    targets: defaultdict[str, list[str]] = defaultdict(list)
    for source, target in pairs:
        targets[source].append(addresses[target])
    with ThreadPoolExecutor(max(len(targets), 1)) as threads:
        measuring = {
            source: threads.submit(_ping, found, source, to, count, answer_seconds_max)
            for source, to in targets.items()
        }
        trips = {source: measured.result() for source, measured in measuring.items()}
    return {(source, target): _round_trip(trips[source][addresses[target]], count) for source, target in pairs}


def _host_status(found: World, name: str) -> HostStatus:
    record = hosts.require(found, name)
    told = {each: supervision.status(found, service.unit(name, each)) for each in service.names(found, name)}
    return HostStatus(
        site=record["site"],
        kind=record["kind"],
        tags=record.get("tags", {}),
        services={each: status for each, status in told.items() if status},
    )


def _wires_status(found: World) -> dict[str, WireStatus]:
    counts = wire.statistics(found)
    return {name: _wire_status(wire.require(found, name), counts.get(name, {})) for name in wire.names(found)}


def _wire_status(record: JsonObject, counts: Mapping[str, Any]) -> WireStatus:
    inputs = WireInputs(**record["inputs"])
    return WireStatus(
        a=inputs.a.host,
        b=inputs.b.host,
        kind=record["kind"],
        carrier=inputs.carrier,
        round_trip_ms=2 * inputs.delay_microseconds / 1000,
        cut=record["fault"].get("cut", ""),
        counts=counts,
    )


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _set_cut(lab: str, wires: Iterable[str], cut: str) -> None:
    found = world.require(lab)
    wire.set_faults(found, {name: {**wire.require(found, name)["fault"], "cut": cut} for name in wires})


def _with_host(lab: str, host: str) -> World:
    found = world.require(lab)
    hosts.require(found, host)
    return found


def _address(found: World, target: str) -> str:
    """A host's own address: on its LAN, else on the first of its wires; an address is itself."""
    if target.replace(".", "").isdigit():
        return target
    networks = hosts.require(found, target)["networks"]
    if networks:
        return str(IPv4Interface(networks[0]["address"]).ip)
    ends = [wire.require(found, name)["inputs"][side] for name in wire.names(found) for side in ("a", "b")]
    for end in ends:
        if end["host"] == target:
            return str(IPv4Interface(end["address"]).ip)
    raise LabError(f"host {target!r} of lab {found.name!r} has no address: it is on no LAN and no wire")


def _ping(found: World, source: str, addresses: list[str], count: int, patience: float) -> dict[str, list[int]]:
    script = str(Path(__file__).with_name("ping.py"))
    arguments = [sys.executable, "-I", "-S", script, str(count), str(PING_SECONDS_BETWEEN), str(patience), *addresses]
    trips: dict[str, list[int]] = json.loads(found.run(arguments, host=source))
    return trips


def _round_trip(nanoseconds: list[int], sent: int) -> RoundTrip:
    ordered = sorted(value / 1_000_000 for value in nanoseconds) or [float("nan")]
    return RoundTrip(
        sent=sent,
        answered=len(nanoseconds),
        min_ms=ordered[0],
        p50_ms=ordered[len(ordered) // 2],
        p99_ms=ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
    )
