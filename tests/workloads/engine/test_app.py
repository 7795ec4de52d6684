"""The application towards CometBFT: blocks once, restarts and snapshots without loss."""

from __future__ import annotations

import socket
from typing import Any

import grpc
import grpc.aio
import pytest

from tests.workloads.engine.conftest import GENESIS_SECONDS, Driver, open_application
from tests.workloads.engine.strategies import SECOND_NS
from tests.workloads.engine.test_state import VALIDATORS, instruct, order
from workloads.engine.abci import messages
from workloads.engine.app import SNAPSHOT_FORMAT, Application, Committed, OutOfStep, serve
from workloads.engine.orders import Code
from workloads.engine.settings import Settings, SettingsError
from workloads.engine.state import VERSION

NOTHING = messages.Nothing()


async def test_a_new_engine_reports_genesis(application: Application) -> None:
    """Height 0 makes CometBFT start the chain."""
    info = await application.info(messages.InfoCall())
    assert (info.last_block_height, info.last_block_app_hash, info.app_version) == (0, b"", VERSION)


async def test_a_bad_genesis_is_refused(application: Application) -> None:
    """A genesis without markets does not start a venue, and the message names the key."""
    with pytest.raises(SettingsError, match=r"app_state: markets: Field required"):
        await application.init_chain(messages.GenesisCall(app_state=b"{}"))


async def test_an_order_counts_when_its_block_is_committed(application: Application, driver: Driver) -> None:
    """Carrying out a block acknowledges nothing; committing it does."""
    seen: list[Committed] = []
    application.on_commit = seen.append
    await driver.begin()
    reply = await application.finalize_block(driver.block(order()))
    assert [result.code for result in reply.results] == [0]
    assert not seen
    await application.commit(NOTHING)
    assert [block.height for block in seen] == [1]
    assert seen[0].app_hash == reply.app_hash
    assert application.hashes[1] is seen[0]


async def test_a_block_asked_twice_is_carried_out_once(application: Application, driver: Driver) -> None:
    """When CometBFT alone restarts between deciding and committing, the block's orders trade once."""
    await driver.begin()
    call = driver.block(order())
    first = await application.finalize_block(call)
    assert (await application.info(messages.InfoCall())).last_block_height == 0
    assert await application.finalize_block(call) == first
    await application.commit(NOTHING)
    assert application.state is not None
    assert len(application.state.books["BTC-PERP"]) == 1


async def test_starting_the_chain_again_forgets_a_block_that_was_never_committed(driver: Driver) -> None:
    """Genesis is genesis: a block carried out before it leaves nothing."""
    first = await driver.begin()
    await driver.application.finalize_block(driver.block(order()))
    assert await driver.begin() == first


async def test_a_restarted_engine_goes_on_from_what_it_kept(engine_settings: Settings) -> None:
    """After kill -9 the engine reports the kept height, and the replayed blocks give the same hashes."""
    driver = Driver(open_application(engine_settings))
    await driver.begin()
    hashes = [(await driver.commit(order(f"k{i}"), order("same"))).app_hash for i in range(5)]
    driver.application.close()
    restarted = Driver(open_application(engine_settings))
    info = await restarted.application.info(messages.InfoCall())
    assert (info.last_block_height, info.last_block_app_hash) == (4, hashes[3])
    assert (await restarted.commit(order("k4"), order("same"))).app_hash == hashes[4]
    restarted.application.close()


async def test_a_block_that_does_not_follow_is_refused(application: Application, driver: Driver) -> None:
    """An engine that was restarted under a running CometBFT refuses, until it is greeted again."""
    await driver.begin()
    with pytest.raises(OutOfStep, match="block 7 does not follow height 0"):
        await application.finalize_block(driver.block(height=7))
    assert not application.greeted


async def test_another_block_of_the_same_height_is_never_mixed_in(engine_settings: Settings) -> None:
    """If the block that was carried out is not the one that is decided, the engine goes back to what it kept."""
    driver = Driver(open_application(engine_settings))
    await driver.begin()
    for _ in range(2):
        await driver.commit()
    driver.application.close()
    again = Driver(open_application(engine_settings))
    await again.application.finalize_block(again.block(order()))
    other = again.block(height=3)
    other.hash = b"other"
    with pytest.raises(OutOfStep):
        await again.application.finalize_block(other)
    assert (await again.application.info(messages.InfoCall())).last_block_height == 2
    await again.application.finalize_block(other)


async def test_the_mempool_hears_the_reason(application: Application, driver: Driver) -> None:
    """CheckTx answers with the code and the words of the refusal."""
    await driver.begin()
    answer = await application.check_tx(messages.CheckCall(tx=order(market="NO-SUCH")))
    assert (answer.code, answer.codespace) == (Code.UNKNOWN_MARKET, "engine")
    assert "no market NO-SUCH" in answer.log
    assert (await application.check_tx(messages.CheckCall(tx=order()))).code == 0


async def test_the_first_block_after_a_gap_is_proposed_empty(application: Application, driver: Driver) -> None:
    """A block does not know of the gap right before it, so its proposer leaves the orders for the next one."""
    await driver.begin()
    call = messages.PrepareCall(txs=[order()], height=2)
    for ago_seconds, proposed in ((79, 1), (81, 0)):
        application._clock_ns = lambda: GENESIS_SECONDS * SECOND_NS
        call.time.FromNanoseconds((GENESIS_SECONDS - ago_seconds) * SECOND_NS)
        assert len((await application.prepare_proposal(call)).txs) == proposed


async def test_every_block_is_acceptable(application: Application) -> None:
    """No proposal is rejected as a whole, and no vote for a vote extension that nobody makes."""
    assert (await application.process_proposal(messages.ProcessCall())).verdict == messages.VERDICT_ACCEPT
    assert (await application.verify_vote_extension(NOTHING)).verdict == messages.VERDICT_ACCEPT


async def test_no_block_passes_the_halt_height(engine_settings: Settings) -> None:
    """Up to its halt height an engine accepts and carries out; what lies beyond it rejects, and never carries out."""
    driver = Driver(open_application(engine_settings.model_copy(update={"halt_height": 2})))
    await driver.begin()
    for height, verdict in ((2, messages.VERDICT_ACCEPT), (3, messages.VERDICT_REJECT)):
        assert (await driver.application.process_proposal(messages.ProcessCall(height=height))).verdict == verdict
    hashes = [(await driver.commit(order(f"k{height}"))).app_hash for height in (1, 2)]
    with pytest.raises(OutOfStep, match="block 3 is beyond the halt height 2"):
        await driver.application.finalize_block(driver.block())
    driver.application.close()
    released = Driver(open_application(engine_settings))
    info = await released.application.info(messages.InfoCall())
    assert (info.last_block_height, info.last_block_app_hash) == (2, hashes[1])
    await released.commit(order("k3"))
    released.application.close()


async def test_validator_changes_reach_cometbft(driver: Driver) -> None:
    """An operator's instruction comes back as a change of the validator set."""
    await driver.begin()
    reply = await driver.commit(instruct(action="power", validator=VALIDATORS[2], power=0))
    assert [(v.public_key.ed25519, v.power) for v in reply.validators] == [(bytes([2]) * 32, 0)]


async def test_blocks_that_a_kept_state_needs_are_retained(engine_settings: Settings) -> None:
    """CometBFT may prune old blocks, but none from which a state on disk would replay."""
    driver = Driver(open_application(engine_settings))
    await driver.begin()
    retained = []
    for _ in range(30):
        await driver.application.finalize_block(driver.block())
        retained.append((await driver.application.commit(NOTHING)).retain_height)
        driver.application._writer.submit(lambda: None).result()
    assert retained[0] == 0
    assert retained[-1] == 20  # of 20, 24, 28 (snapshots) and 30: the oldest
    assert all(
        height <= index + 1 - engine_settings.retain_blocks or not height for index, height in enumerate(retained)
    )
    driver.application.close()


async def test_a_peer_s_snapshot_restores_an_engine(engine_settings: Settings) -> None:
    """An engine that was away for long gets the state from a peer and goes on with the same hashes."""
    donor = Driver(open_application(engine_settings))
    await donor.begin()
    for number in range(4):
        await donor.commit(order(f"k{number}"))
    donor.application._writer.submit(lambda: None).result()
    [snapshot] = (await donor.application.list_snapshots(NOTHING)).snapshots
    newcomer = Driver(open_application(engine_settings.model_copy(update={"data": engine_settings.data + "-new"})))
    await _restore(donor.application, newcomer.application, snapshot, donor.application.last.app_hash)
    info = await newcomer.application.info(messages.InfoCall())
    assert (info.last_block_height, info.last_block_app_hash) == (4, donor.application.last.app_hash)
    assert (await newcomer.commit(order("k9"))).app_hash == (await donor.commit(order("k9"))).app_hash
    donor.application.close()
    newcomer.application.close()


async def test_a_snapshot_with_another_hash_is_rejected(application: Application, driver: Driver) -> None:
    """What the light client did not verify does not become the state."""
    await driver.begin()
    for number in range(4):
        await driver.commit(order(f"k{number}"))
    application._writer.submit(lambda: None).result()
    [snapshot] = (await application.list_snapshots(NOTHING)).snapshots
    offer = messages.OfferCall(snapshot=snapshot, app_hash=b"?" * 32)
    assert (await application.offer_snapshot(offer)).result == messages.RESTORE_ACCEPT
    chunk = await _chunk(application, snapshot, 0)
    wrong = await application.apply_snapshot_chunk(messages.ChunkDelivery(index=0, chunk=b"?", sender="peer"))
    assert (wrong.result, list(wrong.refetch_chunks), list(wrong.reject_senders)) == (3, [0], ["peer"])
    answer = await application.apply_snapshot_chunk(messages.ChunkDelivery(index=0, chunk=chunk))
    assert answer.result == messages.RESTORE_REJECT_SENDER_OR_SNAPSHOT


async def test_a_snapshot_of_another_format_is_rejected(application: Application) -> None:
    """Format 2 is not ours: no other of its kind is tried."""
    offer = messages.OfferCall(snapshot=messages.Snapshot(height=4, format=2, chunks=1))
    answer = await application.offer_snapshot(offer)
    assert answer.result == messages.RESTORE_REJECT_FORMAT_OR_RETRY_SNAPSHOT


async def test_until_greeted_every_call_fails_over_grpc(application: Application) -> None:
    """A CometBFT that outlived its engine is turned away; once it has started again it is served."""
    server, port = await _served(application)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        flush = _method(channel, "Flush", messages.Nothing)
        with pytest.raises(grpc.aio.AioRpcError, match="CometBFT must replay"):
            await flush(NOTHING)
        assert (await _method(channel, "Info", messages.InfoReply)(messages.InfoCall())).last_block_height == 0
        await _method(channel, "Echo", messages.EchoReply)(messages.EchoCall(message="hello"))
        await flush(NOTHING)
        with pytest.raises(grpc.aio.AioRpcError, match="the chain has not begun"):
            await _method(channel, "CheckTx", messages.TransactionResult)(messages.CheckCall())
    await server.stop(None)


async def _served(application: Application) -> tuple[Any, int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    return await serve(application, f"127.0.0.1:{port}"), port


def _method(channel: Any, call: str, reply: Any) -> Any:
    return channel.unary_unary(
        f"/tendermint.abci.ABCI/{call}", lambda request: request.SerializeToString(), reply.FromString
    )


async def _chunk(application: Application, snapshot: Any, index: int) -> bytes:
    call = messages.ChunkCall(height=snapshot.height, format=SNAPSHOT_FORMAT, chunk=index)
    return bytes((await application.load_snapshot_chunk(call)).chunk)


async def _restore(donor: Application, newcomer: Application, snapshot: Any, app_hash: bytes) -> None:
    await newcomer.offer_snapshot(messages.OfferCall(snapshot=snapshot, app_hash=app_hash))
    for index in range(snapshot.chunks):
        delivery = messages.ChunkDelivery(index=index, chunk=await _chunk(donor, snapshot, index))
        assert (await newcomer.apply_snapshot_chunk(delivery)).result == messages.RESTORE_ACCEPT
