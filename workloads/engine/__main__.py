"""Runs one engine: `python -m workloads.engine --config FILE`. CometBFT's interface and the gateway share one loop."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from aiohttp import web

from workloads.engine.app import Application, serve
from workloads.engine.gateway import Gateway
from workloads.engine.settings import Settings, SettingsError, load_settings
from workloads.engine.storage import Storage
from workloads.engine.validator import ValidatorRpc

log = logging.getLogger("workloads.engine")


def main() -> int:
    """Run until SIGTERM or SIGINT; 2 when the settings do not hold."""
    parser = argparse.ArgumentParser(prog="python -m workloads.engine", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="JSON file of the engine's settings")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = load_settings(parser.parse_args().config)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    asyncio.run(run(settings))
    return 0


async def run(settings: Settings) -> None:
    """Serve until told to stop; then finish what is being written."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(settings):
        _calm_collector()
        await stop.wait()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Application]:
    """One engine, answering on both its addresses inside the `with`."""
    storage = Storage(Path(settings.data), settings.snapshot_every_blocks, settings.snapshots_kept)
    application = Application(settings, storage)
    async with AsyncExitStack() as stack:
        stack.callback(application.close)
        rpc = ValidatorRpc(settings.rpc, settings.acknowledge_seconds_max)
        stack.push_async_callback(rpc.close)
        gateway = Gateway(settings, application, rpc)
        application.on_commit = gateway.committed
        server = await serve(application, settings.abci)
        stack.push_async_callback(server.stop, 0.2)
        runner = web.AppRunner(gateway.web_application(), access_log=None, shutdown_timeout=0.5)
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        host, _, port = settings.http.rpartition(":")
        await web.TCPSite(runner, host.strip("[]"), int(port), backlog=1024).start()
        watch = asyncio.create_task(gateway.watch_validator())
        stack.callback(watch.cancel)
        log.info(
            "site %s at height %d: abci %s, http %s",
            settings.site,
            application.last.height,
            settings.abci,
            settings.http,
        )
        yield application


def _calm_collector() -> None:
    """A full collection walks every open order: make it rare, and spare it what start-up left behind."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


if __name__ == "__main__":
    sys.exit(main())
