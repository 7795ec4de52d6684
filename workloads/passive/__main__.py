"""Runs one member: `python -m workloads.passive --config FILE`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from asyncio import constants
from pathlib import Path

from aiohttp import web

from workloads.passive.gateway import Gateway
from workloads.passive.lease import Lease
from workloads.passive.settings import Settings, SettingsError, load_settings
from workloads.passive.worker import Worker

GOODBYE_SECONDS_MAX = 1.0
"""How long the end of a TLS connection waits for a peer's last word: 30 s by default, where the peer is silent, and the
queue's client tries no other server meanwhile."""


def main() -> int:
    """Run until SIGTERM or SIGINT; 2 when the settings do not hold, 1 when the books diverged."""
    parser = argparse.ArgumentParser(prog="python -m workloads.passive", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="JSON file of the member's settings")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = load_settings(parser.parse_args().config)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    constants.SSL_SHUTDOWN_TIMEOUT = GOODBYE_SECONDS_MAX  # no argument of the queue's client sets it
    return asyncio.run(run(settings))


async def run(settings: Settings) -> int:
    """Serve until told to stop, or until the worker ends by itself; then the lease is free at once."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    gateway = Gateway(settings)
    lease = Lease(settings.etcd, settings.engine, settings.member, settings.lease_seconds, settings.tls)
    worker = Worker(settings, lease, gateway.settled)
    runner = web.AppRunner(gateway.serve(worker), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    host, _, port = settings.http.rpartition(":")
    await web.TCPSite(runner, host, int(port), backlog=1024).start()
    working = asyncio.create_task(worker.run())
    await asyncio.wait([working, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    failed = working.done()
    if failed:
        logging.getLogger("workloads.passive").error("ended", exc_info=working.exception())
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await runner.cleanup()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
