"""Any program whose synced writes are not: `python -m drills.planted.unsynced COMMAND…`

A filter of system calls (seccomp) answers each sync with success and does nothing; it passes to whatever the command
starts, in any language. What was written still is there while the machine has power, so only a power cut tells.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

SYNCS = {"x86_64": (26, 74, 75, 162, 277, 306), "aarch64": (81, 82, 83, 84, 227, 267)}
"""msync, fsync, fdatasync, sync, sync_file_range, syncfs, by their numbers on each kind of processor."""
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _SUCCEED = 0x7FFF0000, 0x00050000
_LOAD, _EQUALS, _RETURN = 0x20, 0x15, 0x06


def main() -> int:
    """Become the command, unsynced."""
    _filter(SYNCS[platform.machine()])
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606  it is what was asked for


def _filter(numbers: tuple[int, ...]) -> None:
    count = len(numbers)
    program = [_instruction(_LOAD, 0, 0, 0)]
    program += [_instruction(_EQUALS, count - place, 0, number) for place, number in enumerate(numbers)]
    program += [_instruction(_RETURN, 0, 0, _ALLOW), _instruction(_RETURN, 0, 0, _SUCCEED)]
    code = ctypes.create_string_buffer(b"".join(program))
    filtering = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(_SECCOMP, _FILTER, filtering, 0, 0):
        raise OSError(ctypes.get_errno(), f"no filter of system calls: {os.strerror(ctypes.get_errno())}")


def _instruction(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


if __name__ == "__main__":
    sys.exit(main())
