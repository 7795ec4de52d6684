"""What the engine's tests share: settings of one engine, and the driver that plays CometBFT to an application."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.engine.strategies import SECOND_NS
from tests.workloads.engine.test_state import STRICT, VALIDATORS
from workloads.engine.abci import messages
from workloads.engine.app import Application
from workloads.engine.settings import Rules, Settings, rules_bytes
from workloads.engine.storage import Storage

GENESIS_SECONDS = 1_700_000_000


class Driver:
    """CometBFT's part towards one application, without consensus: blocks as the test says."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def begin(self, rules: Rules = STRICT) -> bytes:
        """Greet, and start the chain; the genesis application hash."""
        await self.application.echo(messages.EchoCall())
        validators = [
            messages.Validator(public_key=messages.PublicKey(ed25519=_decoded(key)), power=10) for key in VALIDATORS
        ]
        call = messages.GenesisCall(chain_id="venue", app_state=rules_bytes(rules), validators=validators)
        reply = await self.application.init_chain(call)
        return bytes(reply.app_hash)

    def block(self, *transactions: bytes, height: int | None = None) -> Any:
        """The call that carries out the next block."""
        number = self.application.last.height + 1 if height is None else height
        call = messages.BlockCall(txs=transactions, height=number, hash=b"block %d" % number)
        call.time.FromNanoseconds((GENESIS_SECONDS + number) * SECOND_NS)
        return call

    async def commit(self, *transactions: bytes) -> Any:
        """Decide and commit the next block; the reply to its execution."""
        reply = await self.application.finalize_block(self.block(*transactions))
        await self.application.commit(messages.Nothing())
        return reply


def _decoded(key: str) -> bytes:
    return base64.b64decode(key)


@pytest.fixture
def engine_settings(tmp_path: Path) -> Settings:
    """One engine that keeps every second height and offers every fourth."""
    return Settings(
        abci="127.0.0.1:1",
        http="127.0.0.1:2",
        rpc="http://127.0.0.1:3",
        data=str(tmp_path / "data"),
        site="par",
        persist_every_blocks=2,
        snapshot_every_blocks=4,
        retain_blocks=3,
        acknowledge_seconds_max=0.3,
    )


def open_application(settings: Settings) -> Application:
    """The application over what is on disk."""
    storage = Storage(Path(settings.data), settings.snapshot_every_blocks, settings.snapshots_kept)
    return Application(settings, storage)


@pytest.fixture
def application(engine_settings: Settings) -> Iterator[Application]:
    """An application over an empty directory."""
    application = open_application(engine_settings)
    yield application
    application.close()


@pytest.fixture
def driver(application: Application) -> Driver:
    """CometBFT towards that application."""
    return Driver(application)
