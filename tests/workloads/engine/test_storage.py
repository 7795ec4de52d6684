"""States on disk: what was kept is found again, whatever a power cut left behind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.workloads.engine.strategies import RULES, blocks, fresh_state, run
from workloads.engine.orders import New, encode
from workloads.engine.restore import Restoration
from workloads.engine.state import State
from workloads.engine.storage import CHUNK_BYTES, Storage, cut, joined

SHARED_DIRECTORY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)


def storage_in(directory: Path) -> Storage:
    """A storage that offers every fourth height."""
    return Storage(directory, snapshot_every=4, snapshots_kept=2)


def keep(storage: Storage, state: State) -> None:
    """Put the state on disk."""
    storage.keep(state.parts(), state.height, state.app_hash)


def busy_block(height: int, orders: int = 3) -> list[bytes]:
    """Some orders under keys of their own."""
    return [
        encode(New(client="ann", key=f"{height}-{i}", market="BTC-PERP", side="buy", price=100 + i, quantity=1))
        for i in range(orders)
    ]


def kept_heights(directory: Path, heights: int) -> State:
    """The state after so many heights, each of which was kept."""
    storage, state = storage_in(directory), fresh_state()
    storage.load()
    for height in range(1, heights + 1):
        run(state, [busy_block(height)])
        keep(storage, state)
    return state


def test_an_empty_directory_holds_no_state(tmp_path: Path) -> None:
    """A new engine starts from genesis."""
    assert storage_in(tmp_path / "new").load() is None


@SHARED_DIRECTORY
@given(chain=blocks, part=st.integers(0, 12))
def test_a_kept_state_is_found_again(
    tmp_path_factory: pytest.TempPathFactory, chain: list[list[bytes]], part: int
) -> None:
    """A restart and a replay of the rest of the blocks give the state of an engine that never stopped."""
    directory = tmp_path_factory.mktemp("engine")
    whole, stopped = fresh_state(), fresh_state()
    hashes = run(whole, chain)
    run(stopped, chain[:part])
    keep(storage_in(directory), stopped)
    found = storage_in(directory).load()
    assert found is not None
    assert run(found, chain[part:]) == hashes[part:]


def _tear(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _zero(data: bytes) -> bytes:
    return bytes(len(data))


def _flip(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))


@pytest.mark.parametrize("damage", [_tear, _zero, _flip, lambda _: b""], ids=["torn", "zeroed", "bit", "empty"])
@pytest.mark.parametrize("pattern", ["state-*6.bin", "segment-*.bin"])
def test_a_damaged_state_is_passed_over(tmp_path: Path, damage: Callable[[bytes], bytes], pattern: str) -> None:
    """A file that is not whole never counts: the state before it does, or none."""
    kept_heights(tmp_path, 6)
    for path in tmp_path.glob(pattern):
        path.write_bytes(damage(path.read_bytes()))
    found = storage_in(tmp_path).load()
    assert found is None if pattern.startswith("segment") else found is not None and found.height == 5


def test_a_write_that_was_cut_off_leaves_the_state_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever step of keeping a state is the last one done, a state is found, and the next one is kept."""
    original, steps = Path.replace, 0
    for stop_at in range(1, 5):
        directory = tmp_path / str(stop_at)
        state, storage = kept_heights(directory, 2), storage_in(directory)
        storage.load()
        run(state, [busy_block(3)])
        steps = 0

        def replace(path: Path, target: Path, last: int = stop_at) -> Path:
            nonlocal steps
            steps += 1
            if steps >= last:
                raise OSError("power cut")
            return original(path, target)

        with monkeypatch.context() as patch, contextlib.suppress(OSError):
            patch.setattr(Path, "replace", replace)
            keep(storage, state)
        found = storage_in(directory).load()
        assert found is not None
        assert found.height in {2, 3}
        keep(storage, state)
        assert storage_in(directory).load().app_hash == state.app_hash  # type: ignore[union-attr]
        assert not list(directory.glob("*.new"))


def test_old_states_and_their_segments_go(tmp_path: Path) -> None:
    """Two newest states and two snapshots stay, with the segments they name and no others."""
    state = kept_heights(tmp_path, 11)
    storage = storage_in(tmp_path)
    storage.load()
    assert storage.heights == (4, 8, 10, 11)
    assert [manifest.height for manifest in storage.snapshots] == [8, 4]
    named = {segment.digest.hex() for segment in state.outcomes.segments()}
    assert named <= {path.stem.removeprefix("segment-") for path in tmp_path.glob("segment-*")}
    assert len(list(tmp_path.glob("segment-*"))) <= 11


def test_a_snapshot_restores_the_state(tmp_path: Path) -> None:
    """A snapshot in chunks of 1 MiB, fetched in any order, gives the same state."""
    storage, state = storage_in(tmp_path), fresh_state()
    storage.load()
    run(state, [busy_block(1, 12_000), [], [], []])
    keep(storage, state)
    [manifest] = storage.snapshots
    assert manifest.chunks > 1
    restoration = Restoration(4, manifest.chunks, manifest.hashes, manifest.digest, state.app_hash)
    for index in reversed(range(manifest.chunks)):
        chunk = storage.chunk(4, index)
        assert len(chunk) <= CHUNK_BYTES
        assert not restoration.is_complete()
        assert restoration.take(index, chunk)
    assert restoration.state().parts() == state.parts()


def test_two_engines_offer_the_same_snapshot(tmp_path: Path) -> None:
    """The hash of a snapshot is that of its content, so chunks may come from several peers."""
    manifests = []
    for name in ("one", "other"):
        kept_heights(tmp_path / name, 4)
        storage = storage_in(tmp_path / name)
        storage.load()
        manifests.append(storage.snapshots)
    assert manifests[0] == manifests[1]


def test_a_wrong_chunk_is_not_taken(tmp_path: Path) -> None:
    """A chunk that is not the listed one is refused; so is a list that is not the offered one."""
    kept_heights(tmp_path, 4)
    storage = storage_in(tmp_path)
    storage.load()
    [manifest] = storage.snapshots
    restoration = Restoration(4, manifest.chunks, manifest.hashes, manifest.digest, b"")
    assert not restoration.take(0, storage.chunk(4, 0) + b"x")
    assert not restoration.take(manifest.chunks, storage.chunk(4, 0))
    with pytest.raises(ValueError, match="not that of its list"):
        Restoration(4, manifest.chunks, manifest.hashes, b"?" * 32, b"")
    with pytest.raises(ValueError, match="2 chunks with 32 bytes"):
        Restoration(4, 2, manifest.hashes, manifest.digest, b"")


def test_a_snapshot_that_the_chain_does_not_vouch_for_is_refused(tmp_path: Path) -> None:
    """Whole and well-formed is not enough: the application hash must be the verified one."""
    kept_heights(tmp_path, 4)
    storage = storage_in(tmp_path)
    storage.load()
    [manifest] = storage.snapshots
    restoration = Restoration(4, manifest.chunks, manifest.hashes, manifest.digest, b"?" * 32)
    assert restoration.take(0, storage.chunk(4, 0))
    with pytest.raises(ValueError, match="is not that of height"):
        restoration.state()


def test_a_chunk_that_is_not_there_is_empty(tmp_path: Path) -> None:
    """Heights without a snapshot, and chunks beyond its end, have no bytes."""
    kept_heights(tmp_path, 5)
    storage = storage_in(tmp_path)
    storage.load()
    assert [storage.chunk(5, 0), storage.chunk(4, 99), storage.chunk(8, 0)] == [b"", b"", b""]


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_parts_survive_being_cut(parts: list[bytes]) -> None:
    """Cutting and joining gives the same parts."""
    assert joined(cut(parts)) == parts


def test_a_cut_stream_that_ends_early_is_refused() -> None:
    """A part that is longer than the stream is no part."""
    with pytest.raises(ValueError, match="ends at byte"):
        joined([(9).to_bytes(8) + b"x"])


def test_rules_are_kept_with_the_state(tmp_path: Path) -> None:
    """A restored engine knows its markets without asking genesis again."""
    kept_heights(tmp_path, 1)
    assert storage_in(tmp_path).load().rules == RULES  # type: ignore[union-attr]
