"""A store and a queue in one network of their own, as rendered, and what becomes of clients with the wrong certificate.

    python -m tests.services.members DIRECTORY     inside a network namespace; prints what it found as JSON

All addresses of the venue are on the loopback. PostgreSQL tells hosts apart by address too, so some clients take the
address of another.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nats
import psycopg
import requests
from nats.errors import Error as NatsError

from diversite import ports
from diversite.plan import Host, Plan
from diversite.ports import Role
from services import etcd, membership, passive
from services.service import Service
from tests.services import venues
from tests.services.venues import paths_below, written
from tests.workloads.passive.servers import as_account, end, start
from workloads.passive import queue
from workloads.passive.settings import Tls

SECONDS_MAX = 60.0
FRA = "store-ledger-fra"
ENGINE, QUEUE = "passive-perp-fra", "queue-orders-fra"
NOBODY = None


class Clients:
    """Those who ask, with the certificate of a host or none."""

    def __init__(self, venue: Plan, root: Path) -> None:
        self.venue, self.root = venue, root

    def shown(self, name: str | None) -> tuple[str, str] | None:
        """Certificate and key of a host."""
        if name is None:
            return None
        home = Path(paths_below(self.root, self.venue.hosts[name])(membership.NAME).data)
        return str(home / membership.CERTIFICATE), str(home / membership.KEY)

    def trusted(self, file: str) -> str:
        """The path of one of the engine's own files of whom it believes."""
        return f"{paths_below(self.root, self.venue.hosts[ENGINE])(passive.NAME).etc}/{file}"

    def etcd(self, name: str | None) -> str:
        """What etcd says to somebody who reads."""
        where = f"https://{self.venue.hosts[FRA].address}:{ports.ETCD_CLIENT}/v3/kv/range"
        return self._asked("POST", where, name, {"key": "YQ=="})

    def patroni(self, name: str | None, method: str, path: str) -> str:
        """What Patroni says."""
        return self._asked(method, f"https://{self.venue.hosts[FRA].address}:{ports.PATRONI}{path}", name, {})

    def _asked(self, method: str, url: str, name: str | None, body: Mapping[str, str]) -> str:
        try:
            answer = requests.request(
                method, url, json=body, cert=self.shown(name), verify=self.trusted(passive.STORE), timeout=10
            )
        except requests.exceptions.SSLError:
            return "no handshake"
        except requests.exceptions.ConnectionError:
            return "no connection"
        return str(answer.status_code)

    def database(self, name: str | None, user: str, database: str, query: str = "SELECT 1") -> str:
        """What PostgreSQL says to a role by a host's certificate."""
        shown = self.shown(name)
        files = f"sslcert={shown[0]} sslkey={shown[1]}" if shown else "sslcert=none sslkey=none"
        where = f"host={self.venue.hosts[FRA].address} port={ports.POSTGRESQL} dbname={database} user={user}"
        secured = f"sslmode=verify-ca sslrootcert={self.trusted(passive.STORE)} {files}"
        return _queried(f"{where} {secured} connect_timeout=5", query)

    def unencrypted(self, user: str, database: str) -> str:
        """The same without TLS."""
        where = f"host={self.venue.hosts[FRA].address} port={ports.POSTGRESQL} dbname={database} user={user}"
        return _queried(f"{where} sslmode=disable connect_timeout=5", "SELECT 1")

    async def queue(self, name: str | None, subject: str) -> str:
        """What the queue says to somebody who publishes."""
        shown, said = self.shown(name), asyncio.get_running_loop().create_future()

        async def refuse(error: Exception) -> None:
            if not said.done():
                said.set_result(str(error))

        trusted = self.trusted(passive.QUEUE)
        context = ssl.create_default_context(cafile=trusted)
        if shown:
            context = queue.context(Tls(key=shown[1], certificate=shown[0], etcd="", queue=trusted))
        server = f"tls://{self.venue.hosts[QUEUE].address}:{ports.NATS_CLIENT}"
        try:
            client = await nats.connect(
                server, tls=context, tls_handshake_first=True, allow_reconnect=False, error_cb=refuse, connect_timeout=5
            )
            await client.publish(subject, b"order")
            await client.flush(5)
        except (NatsError, OSError) as error:
            return f"no connection: {type(error).__name__}"
        with suppress(TimeoutError):
            return str(await asyncio.wait_for(said, 0.5))
        await client.close()
        return "taken"


def found(venue: Plan, root: Path) -> Iterator[tuple[str, str]]:
    """What each client is told."""
    clients = Clients(venue, root)
    for who in (NOBODY, QUEUE, ENGINE):
        yield f"etcd {who}", clients.etcd(who)
    for who in (NOBODY, QUEUE, ENGINE):
        yield f"patroni reads {who}", clients.patroni(who, "GET", "/liveness")
        yield f"patroni changes {who}", clients.patroni(who, "POST", "/reload")
    yield f"patroni changes {FRA}", clients.patroni(FRA, "POST", "/reload")
    for who in (NOBODY, FRA, ENGINE):
        yield f"queue {who}", asyncio.run(clients.queue(who, "orders.perp"))
    yield f"queue others {ENGINE}", asyncio.run(clients.queue(ENGINE, "orders.spot"))
    yield "database replicator by engine", clients.database(ENGINE, "replicator", "postgres")
    yield "database rewinder by engine", clients.database(ENGINE, "rewinder", "postgres")
    yield "database rewinder by member", clients.database(FRA, "rewinder", "postgres")
    yield "database postgres by member", clients.database(FRA, "postgres", "postgres")
    _speak_as(venue, ENGINE)
    yield "database unencrypted", clients.unencrypted("engine", "venue")
    for who in (NOBODY, FRA, ENGINE):
        yield f"database engine {who}", clients.database(who, "engine", "venue")
    for query in (
        "INSERT INTO engine VALUES ('perp', 0, 0, 0)",
        "UPDATE journal SET height = 0",
        "DELETE FROM outcomes",
    ):
        yield query.split(" VALUES")[0], clients.database(ENGINE, "engine", "venue", query)
    yield "CREATE TABLE", clients.database(ENGINE, "engine", "venue", "CREATE TABLE other (a text)")


def _queried(where: str, query: str) -> str:
    try:
        with psycopg.connect(where) as connection:
            connection.execute(query.encode())
    except psycopg.Error as error:
        return " ".join(str(error).split())
    return "taken"


def _speak_as(venue: Plan, name: str) -> None:
    """Let what is said to the store come from another host's address."""
    to, address = f"{venue.hosts[FRA].address}", f"{venue.hosts[name].address}"
    subprocess.run(["ip", "route", "replace", "local", to, "dev", "lo", "table", "local", "src", address], check=True)


@contextmanager
def running(venue: Plan, root: Path) -> Iterator[None]:
    """One member of etcd, two of the queue, and one of the database."""
    _addresses(venue)
    roles: tuple[Role, ...] = ("store", "queue", "passive")
    services = [each for role in roles for each in written(venue, root, role)]
    _alone(Path(f"{paths_below(root, venue.hosts[FRA])(etcd.NAME).etc}/etcd.yaml"))
    processes = []
    try:
        for host, service in services:
            if _is_run(host, service):
                command = as_account(*service.command) if service.user else service.command
                processes.append(start(*command, log=root / f"{host.name}-{service.name}.log"))
        clients = Clients(venue, root)
        _await(lambda: clients.patroni(NOBODY, "GET", "/primary") == "200", "a primary")
        _await(lambda: asyncio.run(clients.queue(ENGINE, "orders.perp")) == "taken", "a queue")
        yield
    finally:
        for process in reversed(processes):
            end(process)


def _is_run(host: Host, service: Service) -> bool:
    wanted = {"etcd": {FRA}, "patroni": {FRA}, "nats": {QUEUE, "queue-orders-lon"}}
    return host.name in wanted.get(service.name, set())


def _alone(path: Path) -> None:
    """Etcd compares a peer's address with its certificate, and here every address says what it is spoken to as."""
    text = path.read_text()
    path.write_text(re.sub(rf"(initial-cluster: ).*({FRA}=[^,\n]*).*", r"\1\2", text))


def _addresses(venue: Plan) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for host in venue.hosts.values():
        if host.role in membership.ROLES:
            subprocess.run(["ip", "address", "add", f"{host.address}/32", "dev", "lo"], check=True)


def _await(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + SECONDS_MAX
    while not condition():
        if time.monotonic() > until:
            sys.exit(f"not within {SECONDS_MAX:.0f} s: {what}")
        time.sleep(0.1)


def main(directory: Path) -> Any:
    """Everything that was found."""
    venue = venues.passive()
    with running(venue, directory):
        return dict(found(venue, directory))


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
