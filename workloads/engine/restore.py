"""State sync, receiving: chunks from peers become a state only if its hash is the one that the chain vouches for."""

from __future__ import annotations

import hashlib

from workloads.engine.state import State
from workloads.engine.storage import CHUNK_BYTES, Manifest, joined

CHUNKS_MAX = 4096
"""4 GiB; an offer of more is refused before anything is fetched."""


class Restoration:
    """A snapshot being fetched. `app_hash` is trusted (a light client verified it), all else comes from peers."""

    def __init__(self, height: int, chunks: int, hashes: bytes, digest: bytes, app_hash: bytes) -> None:
        manifest = Manifest(height, hashes)
        if not 0 < chunks <= CHUNKS_MAX or len(hashes) != 32 * chunks:
            raise ValueError(f"{chunks} chunks with {len(hashes)} bytes of hashes; 1 to {CHUNKS_MAX} with 32 each")
        if manifest.digest != digest:
            raise ValueError("the snapshot's hash is not that of its list of chunks")
        self._manifest = manifest
        self._app_hash = app_hash
        self._chunks: dict[int, bytes] = {}

    def take(self, index: int, chunk: bytes) -> bool:
        """Keep a chunk if it is the one that the manifest lists; False when it is not."""
        expected = self._manifest.hashes[32 * index : 32 * index + 32]
        if len(chunk) > CHUNK_BYTES or hashlib.sha256(chunk).digest() != expected:
            return False
        self._chunks[index] = chunk
        return True

    def is_complete(self) -> bool:
        """Whether every chunk is there."""
        return len(self._chunks) == self._manifest.chunks

    def state(self) -> State:
        """The restored state; raises ValueError when it is not the one that the chain vouches for."""
        state = State.restored(joined([self._chunks[index] for index in range(self._manifest.chunks)]))
        if state.app_hash != self._app_hash or state.height != self._manifest.height:
            raise ValueError(
                f"the state in it (height {state.height}, hash {state.app_hash.hex()}) is not that of height "
                f"{self._manifest.height}, whose hash is {self._app_hash.hex()}"
            )
        return state
