"""What became of each order key: the memory that makes a retry safe, on every engine and over restarts.

Outcomes are kept in segments of heights. A segment is forgotten whole when all of it is older than the window, so
forgetting costs nothing per key; a closed segment never changes, so it is encoded and hashed once.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from workloads.engine.orders import Code

SEGMENTS_PER_WINDOW = 64


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a transaction: where it stands in the chain and what it did.

    `filled` and `notional` (sum of price times quantity) are what traded at once, `remaining` what then stood in the
    book; for a cancellation, `remaining` is what was taken back. `body` is the digest of the transaction's bytes.
    """

    height: int
    index: int
    code: Code
    filled: int
    notional: int
    remaining: int
    body: bytes


def body_digest(transaction: bytes) -> bytes:
    """16 bytes that tell one transaction from another under the same key."""
    return hashlib.sha256(transaction).digest()[:16]


class Outcomes:
    """Outcomes by `client/key` over at least `heights` heights."""

    def __init__(self, heights: int) -> None:
        self.heights = heights
        self.segment_heights = max(1, heights // SEGMENTS_PER_WINDOW)
        self._segments: dict[int, Segment] = {}

    def __len__(self) -> int:
        return sum(len(segment.records) for segment in self._segments.values())

    def find(self, key: str) -> Outcome | None:
        """The first outcome of `client/key`, or None when it has none in the window."""
        spelled = key.encode()
        for segment in reversed(self._segments.values()):
            record = segment.records.get(spelled)
            if record is not None:
                return _unpacked(record)
        return None

    def add(self, key: str, outcome: Outcome) -> None:
        """Remember the first outcome of a key; heights never go back."""
        number = outcome.height // self.segment_heights
        segment = self._segments.get(number)
        if segment is None:
            segment = self._segments[number] = Segment(number)
        segment.append(key.encode(), _packed(outcome))

    def forget(self, height: int) -> None:
        """Drop the segments that are wholly older than the window as seen from `height`."""
        for number in [n for n in self._segments if (n + 1) * self.segment_heights <= height - self.heights]:
            del self._segments[number]

    def digest(self) -> bytes:
        """SHA-256 over the window; a block costs its own records."""
        digests = [b"%d:%b" % (number, segment.digest) for number, segment in self._segments.items()]
        return hashlib.sha256(b"outcomes\n" + b"".join(digests)).digest()

    def segments(self) -> Iterator[Segment]:
        """All segments, oldest first."""
        return iter(self._segments.values())

    def restore(self, segment: Segment) -> None:
        """Put a decoded segment back; oldest first, as `segments` gave them."""
        self._segments[segment.number] = segment


class Segment:
    """The outcomes of a run of heights, in the order of execution."""

    __slots__ = ("_encoded", "digest", "number", "records")

    def __init__(self, number: int) -> None:
        self.number = number
        self.records: dict[bytes, bytes] = {}
        self.digest = hashlib.sha256(b"segment %d" % number).digest()
        self._encoded: bytes | None = None

    def append(self, key: bytes, record: bytes) -> None:
        """Add one record and fold it into the digest."""
        self.records[key] = record
        self.digest = hashlib.sha256(self.digest + _framed(key, record)).digest()
        self._encoded = None

    def encoded(self) -> bytes:
        """The segment as bytes; kept until it grows again. `decoded` is the inverse."""
        if self._encoded is None:
            frames = (_framed(key, record) for key, record in self.records.items())
            self._encoded = struct.pack(">Q", self.number) + b"".join(frames)
        return self._encoded

    @classmethod
    def decoded(cls, data: bytes) -> Segment:
        """The segment in `data`; raises ValueError when the bytes do not add up."""
        if len(data) < 8:
            raise ValueError(f"a segment has at least 8 bytes, not {len(data)}")
        segment = cls(int.from_bytes(data[:8]))
        position = 8
        while position < len(data):
            end = position + 1 + data[position]
            key, record = data[position + 1 : end], data[end : end + _RECORD.size]
            if len(record) < _RECORD.size:
                raise ValueError(f"a segment ends in the middle of a record, at byte {len(data)}")
            segment.append(key, record)
            position = end + _RECORD.size
        return segment


_RECORD = struct.Struct(">QIHQ16sQ16s")


def _framed(key: bytes, record: bytes) -> bytes:
    return bytes((len(key),)) + key + record


def _packed(outcome: Outcome) -> bytes:
    return _RECORD.pack(
        outcome.height,
        outcome.index,
        outcome.code,
        outcome.filled,
        outcome.notional.to_bytes(16),
        outcome.remaining,
        outcome.body,
    )


def _unpacked(record: bytes) -> Outcome:
    height, index, code, filled, notional, remaining, body = _RECORD.unpack(record)
    return Outcome(height, index, Code(code), filled, int.from_bytes(notional), remaining, body)
