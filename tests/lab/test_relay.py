"""The relay's decisions, without interfaces: order, loss, cuts and lateness."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.relay import Direction, Relay, Timer, read_records

FRAME = b"0123456789abcd" + b"payload"


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets in the place of interfaces."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    far.setblocking(False)
    with near, far:
        yield near, far


@pytest.fixture
def relay(tmp_path: Path) -> Relay:
    """A relay with no wires."""
    return Relay(tmp_path, tmp_path / "statistics.json", seed=1)


def test_frames_leave_in_the_order_they_came(relay: Relay, pair: tuple[socket.socket, socket.socket]) -> None:
    """Jitter never lets a frame overtake."""
    direction = _direction(pair, delayMicroseconds=2000, jitterMicroseconds=2000)
    for number in range(100):
        _arrive(relay, direction, FRAME + bytes([number]))
    assert [frame[-1] for frame in _sent(relay, pair[1], 100)] == list(range(100))


def test_a_frame_is_not_early(relay: Relay, pair: tuple[socket.socket, socket.socket]) -> None:
    """A frame leaves no earlier than its delay, but for the lateness that is made up for."""
    direction = _direction(pair, delayMicroseconds=20_000)
    arrived = time.monotonic_ns()
    relay._accept(direction, FRAME, arrived, arrived)
    _sent(relay, pair[1], 1)
    assert time.monotonic_ns() - arrived >= 20_000_000 - 200_000


def test_a_late_arrival_is_not_delayed_again(relay: Relay, pair: tuple[socket.socket, socket.socket]) -> None:
    """The delay counts from the kernel's time of arrival, not from when the relay looked."""
    direction = _direction(pair, delayMicroseconds=20_000)
    _arrive(relay, direction, FRAME, -20_000_000)
    relay._send_due()
    assert pair[1].recv(2048) == FRAME


def test_a_stepped_clock_delays_nothing_for_long(relay: Relay, pair: tuple[socket.socket, socket.socket]) -> None:
    """An arrival from the future (the wall clock was set back) is taken as now."""
    direction = _direction(pair, delayMicroseconds=0)
    _arrive(relay, direction, FRAME, 3600 * 10**9)
    relay._send_due()
    assert pair[1].recv(2048) == FRAME


def test_a_cut_drops_what_is_on_its_way(relay: Relay, pair: tuple[socket.socket, socket.socket]) -> None:
    """A cut wire loses the frames already in it, and counts them."""
    direction = _direction(pair, delayMicroseconds=0)
    _arrive(relay, direction, FRAME)
    direction.cut = True
    relay._send_due()
    assert direction.counts["cut"] == 1
    with pytest.raises(BlockingIOError):
        pair[1].recv(2048)


def test_loss_is_the_share_that_was_asked(relay: Relay, pair: tuple[socket.socket, socket.socket]) -> None:
    """Of many frames about the configured share is lost."""
    direction = _direction(pair, delayMicroseconds=10_000_000, lossPerMillion=200_000)
    for _ in range(5000):
        _arrive(relay, direction, FRAME)
    assert 0.17 < direction.counts["lost"] / 5000 < 0.23


def test_faults_double_change_and_overtake(relay: Relay, pair: tuple[socket.socket, socket.socket]) -> None:
    """Duplication, corruption and reordering happen when they must."""
    everything = 1_000_000
    direction = _direction(pair, {"duplicatePerMillion": everything, "corruptPerMillion": everything})
    _arrive(relay, direction, FRAME)
    first, second = _sent(relay, pair[1], 2)
    assert first == second != FRAME
    assert first[:14] == FRAME[:14]  # the Ethernet header stays, so that it arrives
    slow = _direction(pair, {"reorderPerMillion": everything}, delayMicroseconds=10_000_000)
    _arrive(relay, slow, FRAME)
    assert _sent(relay, pair[1], 1) == [FRAME]
    assert slow.counts["reordered"] == 1


def test_only_finished_records_are_read(tmp_path: Path) -> None:
    """A file being written, or of another kind of wire, is left alone."""
    (tmp_path / "bare.json").write_text('{"kind": "bare"}')
    (tmp_path / "half.json").write_text('{"kind": "users')
    (tmp_path / ".new.json.1").write_text('{"kind": "userspace"}')
    (tmp_path / "whole.json").write_text('{"kind": "userspace"}')
    assert [name for name, _ in read_records(tmp_path)] == ["whole"]


def test_the_timer_is_far_finer_than_a_millisecond() -> None:
    """An armed timer fires within a fraction of the promise, most of the time."""
    timer, late = Timer(), []
    for _ in range(50):
        at = time.monotonic_ns() + 1_000_000
        timer.arm(at)
        while not _fired(timer.descriptor):
            pass
        late.append(time.monotonic_ns() - at)
    assert sorted(late)[25] < 300_000


def _direction(
    pair: tuple[socket.socket, socket.socket], fault: dict[str, Any] | None = None, **inputs: int
) -> Direction:
    direction = Direction(pair[0], pair[0])
    direction.configure({"inputs": {"delayMicroseconds": 0, **inputs}, "fault": fault or {}}, ("both", "aToB"))
    return direction


def _arrive(relay: Relay, direction: Direction, frame: bytes, offset_nanoseconds: int = 0) -> None:
    now = time.monotonic_ns()
    relay._accept(direction, frame, now + offset_nanoseconds, now)


def _sent(relay: Relay, far: socket.socket, count: int) -> list[bytes]:
    received: list[bytes] = []
    while len(received) < count:
        relay._send_due()
        try:
            received.append(far.recv(2048))
        except BlockingIOError:
            continue
    return received


def _fired(descriptor: int) -> bool:
    import select

    return bool(select.select([descriptor], [], [], 0.01)[0])
