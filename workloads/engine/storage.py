"""States on disk: written whole and synced before they count, found again after a power cut, served as snapshots.

    state-000000001000.bin     magic, SHA-256 of the rest, application hash, the state's head
    segment-<digest>.bin       outcomes of a run of heights, named by what they contain

A state counts once its file has its name; its segments are on the disk before. A torn or foreign file is passed over
for the state before it, from which CometBFT replays the blocks. Heights divisible by `snapshot_every` are kept longer
and offered for state sync, as one stream of parts cut into chunks.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from workloads.engine.state import State

CHUNK_BYTES = 1 << 20
"""CometBFT's gRPC client takes at most 4 MB in one answer."""

STATES_KEPT = 2
"""Newest states kept besides the snapshots: should one be unreadable, the one before it is not."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot consists of: `hashes` is the SHA-256 of each chunk, one after the other."""

    height: int
    hashes: bytes

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return len(self.hashes) // 32

    @property
    def digest(self) -> bytes:
        """The same on every engine that holds this snapshot."""
        return hashlib.sha256(b"snapshot %d\n" % self.height + self.hashes).digest()


class Storage:
    """The states in one directory. Methods block on the disk: call them from one thread of their own."""

    def __init__(self, directory: Path, snapshot_every: int, snapshots_kept: int) -> None:
        self._directory = directory
        self._snapshot_every = snapshot_every
        self._snapshots_kept = snapshots_kept
        self._stream: tuple[int, list[bytes]] = (-1, [])
        self.snapshots: tuple[Manifest, ...] = ()
        """Snapshots on offer, newest first."""
        self.heights: tuple[int, ...] = ()
        """Heights of the states on disk, oldest first."""
        directory.mkdir(parents=True, exist_ok=True)

    def load(self) -> State | None:
        """The newest state that is whole; None when there is none and CometBFT has to start from genesis."""
        self._survey()
        for height in reversed(self.heights):
            try:
                return self._read_state(height)
            except (OSError, ValueError) as error:
                log.warning("state of height %d is passed over: %s", height, error)
        return None

    def keep(self, parts: list[bytes], height: int, app_hash: bytes) -> None:
        """Put a state on disk, synced; then drop what is no longer needed. `parts` are State.parts()."""
        for part, digest in zip(parts[1:], _segment_digests(parts[0]), strict=True):
            path = self._segment_path(digest)
            if not path.exists():
                _write_synced(path, part)
        payload = app_hash + parts[0]
        _write_synced(self._state_path(height), _MAGIC + hashlib.sha256(payload).digest() + payload)
        self._prune()
        self._survey()

    def chunk(self, height: int, index: int) -> bytes:
        """Chunk `index` of the snapshot of `height`; empty when it is not (or no longer) there."""
        if not any(manifest.height == height for manifest in self.snapshots):
            return b""
        chunks = self._chunks(height)
        return chunks[index] if index < len(chunks) else b""

    def _survey(self) -> None:
        names = [_STATE_NAME.fullmatch(path.name) for path in self._directory.iterdir()]
        self.heights = tuple(sorted(int(name[1]) for name in names if name))
        known = {manifest.height: manifest for manifest in self.snapshots}
        offered = [height for height in self._snapshot_heights() if height in known or self._is_whole(height)]
        self.snapshots = tuple(known.get(height) or self._manifest(height) for height in offered)

    def _is_whole(self, height: int) -> bool:
        try:
            self._read_parts(height)
        except (OSError, ValueError) as error:
            log.warning("snapshot of height %d is not offered: %s", height, error)
            return False
        return True

    def _manifest(self, height: int) -> Manifest:
        return Manifest(height, b"".join(hashlib.sha256(chunk).digest() for chunk in self._chunks(height)))

    def _chunks(self, height: int) -> list[bytes]:
        if self._stream[0] != height:
            self._stream = (height, cut(self._read_parts(height)[1]))
        return self._stream[1]

    def _snapshot_heights(self) -> list[int]:
        heights = [height for height in reversed(self.heights) if height % self._snapshot_every == 0]
        return heights[: self._snapshots_kept]

    def _read_state(self, height: int) -> State:
        app_hash, parts = self._read_parts(height)
        state = State.restored(parts)
        if state.app_hash != app_hash or state.height != height:
            raise ValueError(f"holds height {state.height} with another application hash than it was written with")
        return state

    def _read_parts(self, height: int) -> tuple[bytes, list[bytes]]:
        data = self._state_path(height).read_bytes()
        start = len(_MAGIC) + 32
        payload = data[start:]
        if data[:start] != _MAGIC + hashlib.sha256(payload).digest():
            raise ValueError("the file is torn or not of this engine: its checksum does not match")
        head = payload[32:]
        return payload[:32], [head, *(self._segment_path(digest).read_bytes() for digest in _segment_digests(head))]

    def _prune(self) -> None:
        self._survey()
        kept = {*self.heights[-STATES_KEPT:], *self._snapshot_heights()}
        for height in set(self.heights) - kept:
            self._state_path(height).unlink(missing_ok=True)
        needed = {digest for height in kept for digest in self._digests_needed(height)}
        for path in self._directory.iterdir():
            if path.suffix == ".new" or (path.name.startswith("segment-") and path.stem[8:] not in needed):
                path.unlink(missing_ok=True)

    def _digests_needed(self, height: int) -> list[str]:
        try:
            return _segment_digests(self._state_path(height).read_bytes()[len(_MAGIC) + 64 :])
        except (OSError, ValueError, KeyError):
            return []

    def _state_path(self, height: int) -> Path:
        return self._directory / f"state-{height:012d}.bin"

    def _segment_path(self, digest: str) -> Path:
        return self._directory / f"segment-{digest}.bin"


def cut(parts: list[bytes]) -> list[bytes]:
    """The chunks of a snapshot: the parts in one stream, each after its length, cut every CHUNK_BYTES."""
    stream = b"".join(len(part).to_bytes(8) + part for part in parts)
    return [stream[start : start + CHUNK_BYTES] for start in range(0, len(stream), CHUNK_BYTES)]


def joined(chunks: list[bytes]) -> list[bytes]:
    """The parts in the chunks of a snapshot; raises ValueError when the lengths do not add up."""
    stream = b"".join(chunks)
    parts: list[bytes] = []
    position = 0
    while position < len(stream):
        end = position + 8 + int.from_bytes(stream[position : position + 8])
        if end > len(stream):
            raise ValueError(f"part {len(parts)} ends at byte {end} of {len(stream)}")
        parts.append(stream[position + 8 : end])
        position = end
    return parts


_MAGIC = b"diversite engine state 1\n"
_STATE_NAME = re.compile(r"state-(\d{12})\.bin")


def _segment_digests(head: bytes) -> list[str]:

    digests: list[str] = json.loads(head)["segments"]
    return digests


def _write_synced(path: Path, data: bytes) -> None:
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
