"""The userspace wire: forwards Ethernet frames between pairs of interfaces, each with its delay, jitter and loss.

One process serves all wires of a lab. Runs as a plain script in the lab's own network namespace:
`relay.py <directory of wires> <statistics file> <seed>`. SIGHUP makes it read the wires again: one that did not
change notices nothing, and its queue is kept. The statistics file says what was forwarded and dropped, and which
revision of each wire is obeyed.

Time: a frame is due at the kernel's own time of arrival plus the delay, so a late wake-up of this process adds
nothing. How late frames leave is averaged, and the timer fires that much earlier.
"""

import ctypes
import gc
import heapq
import json
import os
import random
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

ETHERNET_ALL = 0x0003
SOL_PACKET, PACKET_IGNORE_OUTGOING, PACKET_QDISC_BYPASS = 263, 23, 20
SO_TIMESTAMPNS = 35
FRAME_BYTES_MAX = 2048
RECEIVE_BUFFER_BYTES = 4 << 20
QUEUE_FRAMES_MAX = 100_000
ARRIVAL_AGE_NANOSECONDS_MAX = 100_000_000
EARLINESS_NANOSECONDS_MAX = 200_000
STATISTICS_NANOSECONDS = 1_000_000_000
POLL_SECONDS = 1.0
PER_MILLION = 1_000_000
TFD_TIMER_ABSTIME = 1
TIMESTAMP = struct.Struct("qq")
COUNTED = ("forwarded", "bytes", "lost", "cut", "overflowed", "failed", "duplicated", "reordered", "corrupted")


class Timer:
    """A timer at an absolute monotonic time, seen by epoll; far more exact than epoll's own milliseconds."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self._libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        self._setting = (ctypes.c_longlong * 4)()
        self._reference = ctypes.byref(self._setting)

    def arm(self, at_nanoseconds: int) -> None:
        """Fire once at this time."""
        self._setting[2], self._setting[3] = divmod(at_nanoseconds, 1_000_000_000)
        self._libc.timerfd_settime(self.descriptor, TFD_TIMER_ABSTIME, self._reference, None)

    def clear(self) -> None:
        """Take note that it fired."""
        os.read(self.descriptor, 8)


class Direction:
    """One way of one wire: where frames come in, where they go out, and what befalls them between."""

    __slots__ = (
        *("source", "target", "receive", "send", "counts", "delay", "jitter", "loss", "duplicate", "reorder"),
        *("corrupt", "cut", "plain", "last_due", "queued"),
    )

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self.source = source
        self.target = target
        self.receive = source.recvmsg
        self.send = target.send
        self.counts = dict.fromkeys(COUNTED, 0)
        self.delay = self.jitter = 0
        self.loss = self.duplicate = self.reorder = self.corrupt = 0
        self.cut = False
        self.plain = True
        self.last_due = 0
        self.queued = 0

    def configure(self, record: dict[str, Any], cuts: tuple[str, str]) -> None:
        """Take up the settings of a wire's record."""
        inputs, fault = record["inputs"], record["fault"]
        self.delay = inputs["delayMicroseconds"] * 1000
        self.jitter = inputs.get("jitterMicroseconds", 0) * 1000
        self.loss = inputs.get("lossPerMillion", 0)
        self.duplicate = fault.get("duplicatePerMillion", 0)
        self.reorder = fault.get("reorderPerMillion", 0)
        self.corrupt = fault.get("corruptPerMillion", 0)
        self.cut = fault.get("cut") in cuts
        self.plain = not (self.jitter or self.loss or self.duplicate or self.reorder or self.corrupt or self.cut)


class Wire:
    """Two interfaces and the two directions between them."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.ends: dict[str, str] = record["ends"]
        a, b = open_interface(self.ends["a"]), open_interface(self.ends["b"])
        self.a_to_b, self.b_to_a = Direction(a, b), Direction(b, a)
        self.revision = 0
        self.configure(record)

    def configure(self, record: dict[str, Any]) -> None:
        """Take up a new revision; frames on their way keep the time they have."""
        self.revision = record["revision"]
        self.a_to_b.configure(record, ("both", "aToB"))
        self.b_to_a.configure(record, ("both", "bToA"))

    def close(self) -> None:
        """Let go of both interfaces; frames on their way are dropped."""
        self.a_to_b.source.close()
        self.b_to_a.source.close()


class Relay:
    """All wires of a lab, one queue of frames by the time they are due, one loop."""

    def __init__(self, directory: Path, statistics: Path, seed: int) -> None:
        self._directory = directory
        self._statistics = statistics
        self._random = random.Random(seed)  # noqa: S311 - losses, not secrets
        self._wires: dict[str, Wire] = {}
        self._queue: list[tuple[int, int, Direction, bytes]] = []
        self._sequence = 0
        self._earliness = 20_000
        self._stale = True
        self._epoll = select.epoll()
        self._timer = Timer()
        self._readers: dict[int, Direction] = {}
        self._epoll.register(self._timer.descriptor, select.EPOLLIN)
        self._wake, wake_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._epoll.register(self._wake, select.EPOLLIN)
        # A signal does not end epoll's wait in Python; a byte in this pipe does.
        signal.set_wakeup_fd(wake_end)

    def run(self) -> None:
        """Forward until the process is ended."""
        signal.signal(signal.SIGHUP, self._on_hangup)
        while True:
            if self._stale:
                self._stale = False
                self._reload()
            self._write_statistics()
            self._forward(until=time.monotonic_ns() + STATISTICS_NANOSECONDS)

    def _on_hangup(self, _signal: int, _frame: FrameType | None) -> None:
        self._stale = True

    def _forward(self, until: int) -> None:
        """The inner loop: names are looked up once, and nothing is done that a frame does not need."""
        queue, readers, timer, poll, clock = (
            self._queue,
            self._readers,
            self._timer,
            self._epoll.poll,
            time.monotonic_ns,
        )
        receive, armed = self._receive, 0
        while not self._stale and clock() < until:
            if queue and queue[0][0] != armed:
                armed = queue[0][0]
                timer.arm(armed - self._earliness)
            for descriptor, _ in poll(POLL_SECONDS):
                direction = readers.get(descriptor)
                if direction is not None:
                    receive(direction)
                elif descriptor == timer.descriptor:
                    timer.clear()
                    self._measure_lateness(armed)
                    armed = 0
                else:
                    os.read(descriptor, 4096)
            if queue and queue[0][0] - self._earliness <= clock():
                self._send_due()

    def _measure_lateness(self, due: int) -> None:
        late = time.monotonic_ns() - due + self._earliness
        if 0 < late < 2 * EARLINESS_NANOSECONDS_MAX:
            self._earliness += (min(late, EARLINESS_NANOSECONDS_MAX) - self._earliness) // 64

    def _receive(self, direction: Direction) -> None:
        """Take one frame: if there are more, epoll says so again, and the queue has its turn between."""
        try:
            frame, ancillary, _, _ = direction.receive(FRAME_BYTES_MAX, 64)
        except OSError:
            direction.counts["failed"] += 1
            return
        seconds, nanoseconds = TIMESTAMP.unpack(ancillary[0][2])
        now, age = time.monotonic_ns(), time.time_ns() - seconds * 1_000_000_000 - nanoseconds
        self._accept(direction, frame, now - age, now)

    def _accept(self, direction: Direction, frame: bytes, arrived: int, now: int) -> None:
        if not now - ARRIVAL_AGE_NANOSECONDS_MAX <= arrived <= now:
            # The wall clock, which arrivals are told by, was set.
            arrived = now
        if direction.plain:
            self._enqueue(direction, frame, arrived + direction.delay)
        else:
            self._accept_impaired(direction, frame, arrived)

    def _accept_impaired(self, direction: Direction, frame: bytes, arrived: int) -> None:
        if direction.cut:
            direction.counts["cut"] += 1
        elif self._happens(direction.loss):
            direction.counts["lost"] += 1
        else:
            due = arrived + direction.delay + self._jitter(direction)
            if self._happens(direction.reorder):
                direction.counts["reordered"] += 1
                self._push(direction, frame, arrived)
                return
            if self._happens(direction.corrupt):
                direction.counts["corrupted"] += 1
                frame = self._corrupted(frame)
            self._enqueue(direction, frame, due)
            if self._happens(direction.duplicate):
                direction.counts["duplicated"] += 1
                self._enqueue(direction, frame, due)

    def _happens(self, per_million: int) -> bool:
        return per_million > 0 and self._random.random() * PER_MILLION < per_million

    def _jitter(self, direction: Direction) -> int:
        jitter = min(direction.jitter, direction.delay) if direction.delay else direction.jitter
        return int(self._random.uniform(-jitter if direction.delay else 0, jitter)) if jitter else 0

    def _corrupted(self, frame: bytes) -> bytes:
        changed = bytearray(frame)
        changed[self._random.randrange(14, len(changed))] ^= 1 << self._random.randrange(8)
        return bytes(changed)

    def _enqueue(self, direction: Direction, frame: bytes, due: int) -> None:
        direction.last_due = due = max(due, direction.last_due)
        self._push(direction, frame, due)

    def _push(self, direction: Direction, frame: bytes, due: int) -> None:
        if direction.queued >= QUEUE_FRAMES_MAX:
            direction.counts["overflowed"] += 1
            return
        direction.queued += 1
        self._sequence += 1
        heapq.heappush(self._queue, (due, self._sequence, direction, frame))

    def _send_due(self) -> None:
        queue, pop, clock = self._queue, heapq.heappop, time.monotonic_ns
        until = clock() + self._earliness
        while queue and queue[0][0] <= until:
            _, _, direction, frame = pop(queue)
            direction.queued -= 1
            if direction.cut:
                direction.counts["cut"] += 1
            else:
                send(direction, frame)

    def _reload(self) -> None:
        records = dict(read_records(self._directory))
        for name in list(self._wires):
            if name not in records or records[name]["ends"] != self._wires[name].ends or self._is_dead(name):
                self._close(name)
        for name, record in records.items():
            if name not in self._wires:
                self._open(name, record)
            elif self._wires[name].revision != record["revision"]:
                self._wires[name].configure(record)

    def _is_dead(self, name: str) -> bool:
        """Whether an interface was removed (and perhaps made again) since it was opened."""
        wire = self._wires[name]
        ends = ((wire.a_to_b.source, wire.ends["a"]), (wire.b_to_a.source, wire.ends["b"]))
        return any(index_of(end) != index_of(source.getsockname()[0]) for source, end in ends)

    def _open(self, name: str, record: dict[str, Any]) -> None:
        try:
            wire = self._wires[name] = Wire(record)
        except OSError as error:
            print(f"wire {name}: {record['ends']}: {error}", flush=True)
            return
        for direction in (wire.a_to_b, wire.b_to_a):
            self._readers[direction.source.fileno()] = direction
            self._epoll.register(direction.source.fileno(), select.EPOLLIN)

    def _close(self, name: str) -> None:
        wire = self._wires.pop(name)
        for direction in (wire.a_to_b, wire.b_to_a):
            del self._readers[direction.source.fileno()]
            self._epoll.unregister(direction.source.fileno())
            direction.cut = True
        wire.close()

    def _write_statistics(self) -> None:
        told = {
            "revisions": {name: wire.revision for name, wire in self._wires.items()},
            "wires": {name: told_of(wire) for name, wire in self._wires.items()},
            "earlinessMicroseconds": self._earliness / 1000,
            "queued": len(self._queue),
        }
        beside = self._statistics.with_name(".statistics")
        beside.write_text(json.dumps(told))
        beside.replace(self._statistics)


def send(direction: Direction, frame: bytes) -> None:
    """Put a frame on the far interface; one that is down or gone loses it, as a real one does."""
    counts = direction.counts
    try:
        direction.send(frame)
    except OSError:
        counts["failed"] += 1
    else:
        counts["forwarded"] += 1
        counts["bytes"] += len(frame)


def told_of(wire: Wire) -> dict[str, Any]:
    """The counters of a wire, by direction."""
    return {"aToB": wire.a_to_b.counts, "bToA": wire.b_to_a.counts}


def open_interface(name: str) -> socket.socket:
    """A socket that takes every frame arriving at an interface and puts frames on it unchanged."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    opened.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    opened.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
    opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, RECEIVE_BUFFER_BYTES)
    opened.bind((name, ETHERNET_ALL))
    return opened


def index_of(interface: str) -> int:
    """The number of an interface; 0 if there is none of that name."""
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return 0


def read_records(directory: Path) -> list[tuple[str, dict[str, Any]]]:
    """The relay's wires by name; a file that is not whole is left for the next reading."""
    found = []
    for path in sorted(directory.glob("[!.]*.json")):
        try:
            record = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if record["kind"] == "userspace":
            found.append((path.stem, record))
    return found


def take_precedence() -> None:
    """Be woken before the processes whose packets wait: real time where that is allowed, else as near as may be."""
    attempts: list[Callable[[], object]] = [
        lambda: os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1)),
        lambda: os.nice(-15),
    ]
    for attempt in attempts:
        try:
            attempt()
        except OSError:
            continue
        return


def main() -> None:
    """Relay until ended."""
    take_precedence()
    gc.disable()  # nothing here makes cycles, and a collection would delay every wire
    Relay(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])).run()


if __name__ == "__main__":
    main()
