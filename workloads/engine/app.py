"""The application as CometBFT sees it: ABCI 2.0 calls answered from the replicated state.

`Application` has one method per call; `serve` binds them to gRPC. CometBFT drives everything: it asks whether a
transaction is worth gossiping, decides a block, has it carried out, and commits it. Only then are orders acknowledged,
through `on_commit`.

CometBFT greets (Echo) each time it starts, and only then asks from which height to replay. Its client reconnects
silently, so an engine that was restarted under a running CometBFT would be handed a block that it cannot follow.
Until greeted, the engine therefore refuses every call: CometBFT ends, its supervisor starts it again, it replays.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
import grpc.aio

from workloads.engine.abci import messages
from workloads.engine.orders import Code, Refused
from workloads.engine.restore import Restoration
from workloads.engine.settings import Settings, SettingsError, parse_app_state
from workloads.engine.state import VERSION, BlockResult, State, public_key_text
from workloads.engine.storage import Storage

HASHES_KEPT = 10_000
SNAPSHOT_FORMAT = 1

log = logging.getLogger(__name__)

Message: TypeAlias = Any
"""A message of abci.proto; its classes exist only after compilation."""


class OutOfStep(Exception):  # noqa: N818  the state of two processes, not a fault in one
    """CometBFT asks for what this engine cannot answer from where it stands; restarting CometBFT mends it."""


@dataclass(frozen=True, slots=True)
class Committed:
    """A committed block as others see it; `time_ns` is the block's own time since 1970."""

    height: int
    app_hash: bytes
    books_hash: bytes
    time_ns: int
    result: BlockResult | None


class Application:
    """One engine's answers; single-threaded, so a block is carried out between two awaits and never half."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        on_commit: Callable[[Committed], None] = lambda _: None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.state: State | None = storage.load()
        self.greeted = False
        """Whether CometBFT has started since this process did."""
        self.hashes: dict[int, Committed] = {}
        """The last HASHES_KEPT committed blocks, by height."""
        self.on_commit = on_commit
        self._settings = settings
        self._storage = storage
        self._clock_ns = clock_ns
        self._writer = ThreadPoolExecutor(1, "state-writer")
        self._decided: tuple[bytes, BlockResult, int] | None = None
        self._restoration: Restoration | None = None
        self.last = self._committed_from_disk()

    @property
    def persisted_height(self) -> int:
        """The height from which a restart would replay; 0 is genesis."""
        return self._storage.heights[-1] if self._storage.heights else 0

    def is_committed(self, height: int) -> bool:
        """Whether the block of `height` is committed here; it may be carried out already and not be."""
        return height <= self.last.height

    def close(self) -> None:
        """Finish writing the state that is being written."""
        self._writer.shutdown(wait=True)

    async def echo(self, call: Message) -> Message:
        """CometBFT has started, and greets."""
        self.greeted = True
        return messages.EchoReply(message=call.message)

    async def flush(self, _: Message) -> Message:
        """Nothing is buffered."""
        return messages.Nothing()

    async def info(self, _: Message) -> Message:
        """Where this engine stands; CometBFT replays what follows."""
        return messages.InfoReply(
            data="diversite",
            version="1",
            app_version=VERSION,
            last_block_height=self.last.height,
            last_block_app_hash=self.last.app_hash,
        )

    async def query(self, _: Message) -> Message:
        """The committed height and its hashes as JSON, whatever the path."""
        value = {"height": self.last.height, "books_hash": self.last.books_hash.hex()}
        return messages.QueryReply(value=json.dumps(value).encode(), height=self.last.height)

    async def check_tx(self, call: Message) -> Message:
        """Whether the next block would accept this transaction as things stand."""
        try:
            self._replicated().check(call.tx)
        except Refused as refused:
            return _transaction_result(refused.code, refused.reason)
        return messages.TransactionResult()

    async def init_chain(self, call: Message) -> Message:
        """Begin at genesis; what was computed before belongs to a chain that never committed a block."""
        try:
            rules = parse_app_state(call.app_state)
            validators = _powers(call.validators)
        except (SettingsError, ValueError) as error:
            log.error("genesis is refused: %s", error)
            raise
        self.state = State(rules, call.chain_id, validators, call.initial_height or 1)
        self._decided = None
        return messages.GenesisReply(app_hash=self.state.app_hash)

    async def prepare_proposal(self, call: Message) -> Message:
        """The transactions as they came; none in the first block after a gap.

        A block carries the time of the votes before it, so the first block after a gap does not know of the gap. The
        proposer's clock does (the one use of a clock here, and it decides only what is proposed).
        """
        gap_ns = self._replicated().rules.gap_seconds_max * 1_000_000_000
        after_gap = self._clock_ns() - call.time.ToNanoseconds() > gap_ns
        return messages.PrepareReply(txs=() if after_gap else call.txs)

    async def process_proposal(self, call: Message) -> Message:
        """Every block is acceptable: what is wrong in it is refused transaction by transaction.

        None is beyond the halt height. Rounds then pass without a decision, and no process ends: a third of the power
        is enough to halt the venue there, and the next release goes on from there.
        """
        beyond = self._is_beyond_halt(call.height)
        return messages.VerdictReply(verdict=messages.VERDICT_REJECT if beyond else messages.VERDICT_ACCEPT)

    async def extend_vote(self, _: Message) -> Message:
        """Nothing to add; genesis leaves vote extensions off."""
        return messages.Nothing()

    async def verify_vote_extension(self, _: Message) -> Message:
        """Nothing to object to."""
        return messages.VerdictReply(verdict=messages.VERDICT_ACCEPT)

    async def finalize_block(self, call: Message) -> Message:
        """Carry out a decided block, once: asked again after CometBFT alone was restarted, answer the same."""
        if self._is_beyond_halt(call.height):  # others went on, by rules that may be newer than this engine's
            raise OutOfStep(f"block {call.height} is beyond the halt height {self._settings.halt_height}")
        if self._decided is None or self._decided[0] != call.hash:
            state = self._state_before(call.height)
            block = state.execute(call.height, call.time.ToNanoseconds(), list(call.txs))
            self._decided = (call.hash, block, call.time.ToNanoseconds())
        return _block_reply(self._decided[1])

    async def commit(self, _: Message) -> Message:
        """The block stands: acknowledge its orders, keep the state at every so many heights."""
        if self._decided is None:
            raise OutOfStep("commit without a decided block")
        _, block, time_ns = self._decided
        self._decided = None
        self.last = Committed(block.height, block.app_hash, block.books_hash, time_ns, block)
        self._remember(self.last)
        self.on_commit(self.last)
        if block.height % self._settings.persist_every_blocks == 0:
            self._persist()
        return messages.CommitReply(retain_height=self._retain_height())

    async def list_snapshots(self, _: Message) -> Message:
        """The snapshots on this engine's disk."""
        return messages.SnapshotsReply(
            snapshots=[
                messages.Snapshot(
                    height=manifest.height,
                    format=SNAPSHOT_FORMAT,
                    chunks=manifest.chunks,
                    hash=manifest.digest,
                    metadata=manifest.hashes,
                )
                for manifest in self._storage.snapshots
            ]
        )

    async def load_snapshot_chunk(self, call: Message) -> Message:
        """One chunk for a peer that is being restored."""
        if call.format != SNAPSHOT_FORMAT:
            return messages.ChunkReply()
        loop = asyncio.get_running_loop()
        chunk = await loop.run_in_executor(self._writer, self._storage.chunk, call.height, call.chunk)
        return messages.ChunkReply(chunk=chunk)

    async def offer_snapshot(self, call: Message) -> Message:
        """Whether to restore from this snapshot, whose application hash CometBFT's light client has verified."""
        snapshot = call.snapshot
        if snapshot.format != SNAPSHOT_FORMAT:
            return messages.RestoreReply(result=messages.RESTORE_REJECT_FORMAT_OR_RETRY_SNAPSHOT)
        try:
            self._restoration = Restoration(
                snapshot.height, snapshot.chunks, snapshot.metadata, snapshot.hash, call.app_hash
            )
        except ValueError as error:
            log.warning("snapshot of height %d is refused: %s", snapshot.height, error)
            return messages.RestoreReply(result=messages.RESTORE_REJECT_OR_RETRY)
        return messages.RestoreReply(result=messages.RESTORE_ACCEPT)

    async def apply_snapshot_chunk(self, call: Message) -> Message:
        """Take one chunk; with the last one the restored state replaces what there was, if its hash is the verified."""
        if self._restoration is None:
            return messages.RestoreReply(result=messages.RESTORE_ABORT)
        if not self._restoration.take(call.index, call.chunk):
            return messages.RestoreReply(
                result=messages.RESTORE_REJECT_OR_RETRY, refetch_chunks=[call.index], reject_senders=[call.sender]
            )
        if self._restoration.is_complete() and not self._finish_restoration(self._restoration):
            return messages.RestoreReply(result=messages.RESTORE_REJECT_SENDER_OR_SNAPSHOT)
        return messages.RestoreReply(result=messages.RESTORE_ACCEPT)

    def _finish_restoration(self, restoration: Restoration) -> bool:
        self._restoration = None
        try:
            self.state = restoration.state()
        except ValueError as error:
            log.warning("snapshot is refused: %s", error)
            return False
        self._decided = None
        self.last = Committed(self.state.height, self.state.app_hash, self.state.books_hash(), 0, None)
        self._remember(self.last)
        self._persist()
        return True

    def _replicated(self) -> State:
        if self.state is None:
            raise OutOfStep("the chain has not begun: no InitChain and no snapshot yet")
        return self.state

    def _is_beyond_halt(self, height: int) -> bool:
        return self._settings.halt_height is not None and height > self._settings.halt_height

    def _state_before(self, height: int) -> State:
        state = self._replicated()
        if height != state.height + 1:
            self.greeted = False
            if self._decided is not None:  # another block was carried out and never committed: it cannot be undone
                self.state, self._decided = self._storage.load(), None
                self.last = self._committed_from_disk()
            raise OutOfStep(f"block {height} does not follow height {state.height}; CometBFT must replay")
        return state

    def _committed_from_disk(self) -> Committed:
        if self.state is None:
            return Committed(0, b"", b"", 0, None)
        return Committed(self.state.height, self.state.app_hash, self.state.books_hash(), 0, None)

    def _remember(self, committed: Committed) -> None:
        self.hashes[committed.height] = committed
        self.hashes.pop(committed.height - HASHES_KEPT, None)

    def _persist(self) -> None:
        state = self._replicated()
        written = self._writer.submit(self._storage.keep, state.parts(), state.height, state.app_hash)
        written.add_done_callback(_log_failure)

    def _retain_height(self) -> int:
        if not self._storage.heights:
            return 0
        return max(0, min(self.last.height - self._settings.retain_blocks, self._storage.heights[0]))


_CALLS: dict[str, tuple[str, str]] = {
    "Echo": ("echo", "EchoCall"),
    "Flush": ("flush", "Nothing"),
    "Info": ("info", "InfoCall"),
    "Query": ("query", "QueryCall"),
    "CheckTx": ("check_tx", "CheckCall"),
    "InitChain": ("init_chain", "GenesisCall"),
    "PrepareProposal": ("prepare_proposal", "PrepareCall"),
    "ProcessProposal": ("process_proposal", "ProcessCall"),
    "ExtendVote": ("extend_vote", "Nothing"),
    "VerifyVoteExtension": ("verify_vote_extension", "Nothing"),
    "FinalizeBlock": ("finalize_block", "BlockCall"),
    "Commit": ("commit", "Nothing"),
    "ListSnapshots": ("list_snapshots", "Nothing"),
    "OfferSnapshot": ("offer_snapshot", "OfferCall"),
    "LoadSnapshotChunk": ("load_snapshot_chunk", "ChunkCall"),
    "ApplySnapshotChunk": ("apply_snapshot_chunk", "ChunkDelivery"),
}

_UNGREETED = frozenset({"Echo", "Info", "Query"})


async def serve(application: Application, address: str) -> grpc.aio.Server:
    """Answer CometBFT on `address` until the returned server is stopped."""
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)])
    handlers = {call: _handler(application, call) for call in _CALLS}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tendermint.abci.ABCI", handlers),))
    server.add_insecure_port(address)
    await server.start()
    return server


def _handler(application: Application, call: str) -> grpc.RpcMethodHandler[Any, Any]:
    method, request_class = _CALLS[call]
    answer: Callable[[Message], Awaitable[Message]] = getattr(application, method)

    async def handle(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
        if not application.greeted and call not in _UNGREETED:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the engine was restarted: CometBFT must replay")
        try:
            return await answer(request)
        except OutOfStep as error:
            log.error("%s: %s", call, error)
            return await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

    return grpc.unary_unary_rpc_method_handler(
        handle, getattr(messages, request_class).FromString, lambda reply: reply.SerializeToString()
    )


def _block_reply(block: BlockResult) -> Message:
    return messages.BlockReply(
        results=[_transaction_result(result.code, result.reason) for result in block.results],
        validators=[
            messages.Validator(public_key=messages.PublicKey(ed25519=base64.b64decode(key)), power=power)
            for key, power in block.validators.items()
        ],
        app_hash=block.app_hash,
    )


def _transaction_result(code: Code, reason: str) -> Message:
    if code is Code.ACCEPTED:
        return messages.TransactionResult()
    return messages.TransactionResult(code=int(code), log=reason, codespace="engine")


def _powers(validators: list[Message]) -> dict[str, int]:
    powers = {public_key_text(validator.public_key.ed25519): validator.power for validator in validators}
    if "" in powers:
        raise ValueError("genesis has a validator whose key is not ed25519; the engine knows no other kind")
    return powers


def _log_failure(written: Any) -> None:
    if written.exception() is not None:
        log.error("the state could not be kept: %s", written.exception())
