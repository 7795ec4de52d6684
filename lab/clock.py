"""The wall clock of one host, moved: what its processes read as the time of day, and nothing else.

The kernel has one wall clock for all hosts: time namespaces move only the clocks that count from boot. Programs read it
in the vDSO, code that the kernel maps into every process; a private copy of that code can be changed like any other. So
the entry of each function that tells the time of day becomes a jump to a few instructions, written into the unused end
of the mapping, that ask the kernel and add an offset. Programs of any language obey, Go's too, while they run; timers
and the monotonic clock stay true, as on a machine whose clock was stepped. A process that starts later reads the true
clock until it is moved as well.

Only x86-64, and only who may write another process's memory: root.
"""

from __future__ import annotations

import os
import platform
import signal
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from diversite.errors import LabError
from lab.world import wait_until

STOPPED_SECONDS_MAX = 2.0
_JUMP_BYTES = 5
_ENTERING = "nsenter"
_MAGIC = b"diversite clock\0"
_OFFSETS = struct.Struct("<qqq")
"""Nanoseconds, microseconds and whole seconds, for the three functions."""
_ENTRY = struct.Struct("<IIQQQQQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_DYNAMIC, _STRINGS, _SYMBOLS = 2, 5, 6

# Each asks the kernel (the number of the call in eax), returns its error as it is, and adds the offset, whose distance
# from the end of the instruction comes in place of the four bytes OFFS. No register is used that a call must keep.
_CLOCK_GETTIME = bytes.fromhex(
    "b8e4000000 0f05"  # eax = 228, the call
    "85c0 752f"  # an error: return it
    "85ff 7405 83ff05 7526"  # neither the wall clock (0) nor its coarse copy (5): return
    "488b06 4869c000ca9a3b 48034608"  # rax = seconds * 10**9 + nanoseconds
    "480305 4f464653"  # rax += offset
    "31d2 b900ca9a3b 48f7f1"  # divide by 10**9
    "488906 48895608"  # store both
    "31c0 c3"
)
_GETTIMEOFDAY = bytes.fromhex(
    "b860000000 0f05"
    "85c0 7529"
    "4885ff 7424"  # nobody asks for the time itself
    "488b07 4869c040420f00 48034708"  # rax = seconds * 10**6 + microseconds
    "480305 4f464653"
    "31d2 b940420f00 48f7f1"
    "488907 48895708"
    "31c0 c3"
)
_TIME = bytes.fromhex(
    "b8c9000000 0f05"
    "480305 4f464653"
    "4885ff 7403 488907"  # store it where asked to
    "c3"
)
_CODES = {"clock_gettime": (_CLOCK_GETTIME, 0), "gettimeofday": (_GETTIMEOFDAY, 8), "time": (_TIME, 16)}
"""The instructions of each function, and where in the offsets its own stands."""


@dataclass(frozen=True, kw_only=True)
class _Mapping:
    """The vDSO of a process."""

    start: int
    image: bytes

    @property
    def room(self) -> int:
        """Where the unused end begins, from the start, on a boundary of 64 bytes."""
        used = self.image.find(_MAGIC)
        return used if used >= 0 else -(-len(self.image.rstrip(b"\0")) // 64) * 64

    @property
    def is_moved(self) -> bool:
        """Whether this clock was moved before."""
        return _MAGIC in self.image


def move(pids: Iterable[int], seconds: float) -> int:
    """Set what these processes read as the time of day so far off the truth; how many do. What has ended is no failure.

    LabError on another kind of processor, and where the memory of a process may not be written.
    """
    if platform.machine() != "x86_64":
        raise LabError(f"the clock of a host can be moved on x86_64 only, and this is {platform.machine()}")
    return sum(_move(pid, seconds) for pid in pids)


def of_services(pids: Iterable[int]) -> list[int]:
    """Those of the processes that nobody watches from outside: who entered a host for a moment keeps his own clock.

    To write into a process it is stopped, and `nsenter`, which stands outside for it, would stay stopped after.
    """
    return [pid for pid in pids if _ENTERING not in (_name(pid), _name(_parent(pid)))]


def offset_seconds(pid: int) -> float:
    """How far off the clock of a process is; 0 of one that was never moved or has ended."""
    with suppress(OSError), Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        found = _mapping(pid, memory)
        if found and found.is_moved:
            nanoseconds: int = _OFFSETS.unpack_from(found.image, found.room + len(_MAGIC))[0]
            return nanoseconds / 1e9
    return 0.0


def _move(pid: int, seconds: float) -> bool:
    try:
        with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
            found = _mapping(pid, memory)
            if found is None:
                return False
            _set_offset(memory, found, seconds) if found.is_moved else _install(pid, memory, found, seconds)
            return True
    except PermissionError as error:
        raise LabError(f"the memory of process {pid} may not be written ({error}); moving a clock needs root") from None
    except (ProcessLookupError, FileNotFoundError):
        return False
    except OSError:
        if Path(f"/proc/{pid}").exists():
            raise
        return False


def _mapping(pid: int, memory: BinaryIO) -> _Mapping | None:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if line.endswith("[vdso]"):
            start, end = (int(bound, 16) for bound in line.split()[0].split("-"))
            memory.seek(start)
            return _Mapping(start=start, image=memory.read(end - start))
    return None


def _set_offset(memory: BinaryIO, found: _Mapping, seconds: float) -> None:
    memory.seek(found.start + found.room + len(_MAGIC))
    memory.write(_offsets(seconds))


def _install(pid: int, memory: BinaryIO, found: _Mapping, seconds: float) -> None:
    """Write the instructions first, then each function's jump to them while no thread stands where it is written."""
    entries = _functions(found.image)
    block, places = _block(found.room, seconds)
    if found.room + len(block) > len(found.image):
        raise LabError(f"process {pid}: {len(found.image) - found.room} bytes are unused there, {len(block)} needed")
    memory.seek(found.start + found.room)
    memory.write(block)
    with _standing_elsewhere(pid, [found.start + entry for entry in entries.values()]):
        for name, entry in entries.items():
            memory.seek(found.start + entry)
            memory.write(b"\xe9" + struct.pack("<i", places[name] - entry - _JUMP_BYTES))


def _block(at: int, seconds: float) -> tuple[bytes, dict[str, int]]:
    """What goes into the unused end, and where each function's instructions begin there."""
    block, places = bytearray(_MAGIC + _offsets(seconds)), {}
    for name, (code, place) in _CODES.items():
        places[name] = at + len(block)
        hole = code.index(b"OFFS")
        distance = len(_MAGIC) + place - (len(block) + hole + 4)
        block += code.replace(b"OFFS", struct.pack("<i", distance))
    return bytes(block), places


def _offsets(seconds: float) -> bytes:
    return _OFFSETS.pack(round(seconds * 1e9), round(seconds * 1e6), round(seconds))


def _functions(image: bytes) -> dict[str, int]:
    """Where the functions that tell the time of day begin, by the names without prefix."""
    dynamic = dict(_dynamic(image))
    symbols, strings = dynamic[_SYMBOLS], dynamic[_STRINGS]
    found = {}
    for at in range(symbols, strings - _SYMBOL.size + 1, _SYMBOL.size):
        name, _, _, _, value, _ = _SYMBOL.unpack_from(image, at)
        spelled = image[strings + name : image.index(b"\0", strings + name)].decode()
        if spelled in _CODES and value:
            found[spelled] = value
    return found


def _dynamic(image: bytes) -> Iterator[tuple[int, int]]:
    (headers,) = struct.unpack_from("<Q", image, 32)
    (count,) = struct.unpack_from("<H", image, 56)
    entries = (_ENTRY.unpack_from(image, headers + _ENTRY.size * number) for number in range(count))
    at = next(offset for kind, _, offset, *_ in entries if kind == _DYNAMIC)
    while pair := struct.unpack_from("<QQ", image, at):
        if not pair[0]:
            return
        yield pair[0], pair[1]
        at += 16


@contextmanager
def _standing_elsewhere(pid: int, entries: list[int]) -> Iterator[None]:
    """Stop a process until none of its threads is within the bytes that are to be written, and let it go on after."""
    was_stopped = _state(pid) == "T"
    taken = {entry + step for entry in entries for step in range(1, _JUMP_BYTES)}

    def stands_elsewhere() -> bool:
        os.kill(pid, signal.SIGSTOP)
        stopped = wait_until(lambda: all(place is not None for place in _places(pid)), STOPPED_SECONDS_MAX)
        if stopped and taken.isdisjoint(place for place in _places(pid) if place):
            return True
        os.kill(pid, signal.SIGCONT)
        return False

    try:
        if not wait_until(stands_elsewhere, STOPPED_SECONDS_MAX):
            raise LabError(f"process {pid} did not stop within {STOPPED_SECONDS_MAX} s; its clock is as it was")
        yield
    finally:
        if not was_stopped:
            os.kill(pid, signal.SIGCONT)


def _places(pid: int) -> list[int | None]:
    """Where each thread of a process stands; None of one that runs."""
    told = (_told(path) for path in Path(f"/proc/{pid}/task").glob("*/syscall"))
    return [None if "running" in text else int(text.split()[-1], 16) for text in told if text]


def _told(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # a thread that has ended
        return ""


def _state(pid: int) -> str:
    return _fields(pid)[0]


def _parent(pid: int) -> int:
    return int(_fields(pid)[1])


def _fields(pid: int) -> list[str]:
    """What /proc tells of a process, from its state on; of one that has ended, that it has no parent."""
    told = _told(Path(f"/proc/{pid}/stat"))
    return told.rpartition(")")[2].split() if told else ["X", "0"]


def _name(pid: int) -> str:
    return _told(Path(f"/proc/{pid}/comm")).strip()
