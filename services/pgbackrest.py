"""pgBackRest: a store's log and backups, kept where the store's primary is not.

Every member archives while it is primary, and any member can be restored. In a cloud the repository is object storage
of the backup site's provider. A rehearsal has none: there a member keeps the repository on its own disk, and the others
reach it over the venue's links by pgBackRest's own TLS.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from diversite import ports
from diversite.keeping import LATEST, StorePlan
from diversite.plan import Host, Plan
from services.etcd import store_of
from services.membership import Membership
from services.service import Paths, Ready, Service
from services.writing import render

NAME = "pgbackrest"
DATABASE = "patroni"
"""The service beside which it stands: `services.patroni`, which imports this module."""
USER = "postgres"
"""It reads what PostgreSQL's own account may read."""
SECRETS = f"secrets/{NAME}"
"""In a cloud, beside the services' own directories: where an operator puts the credentials of object storage and the
cipher's passphrase. It is on the data disk, since a rollout replaces the root's, and every boot makes it: pgBackRest
fails where it is missing, though not where it is empty."""
MEMBER, KEEPER, SERVER, TRUST = "member.conf", "keeper.conf", "server.conf", "members.pem"

ARCHIVE_SECONDS_MAX = 2
"""How long one attempt may take to reach the repository: PostgreSQL waits for three when it is told to stop."""
QUEUE_MEBIBYTES = {"lab": 128, "cloud": 32_768}
"""How much log may wait for a repository that is gone. More is given up: an archive with a gap is mended by the next
backup, a full disk stops the store."""
OBJECTS = {"aws": "s3.{region}.amazonaws.com", "hetzner": "{zone}.your-objectstorage.com"}
"""The end points of providers that speak S3: docs.aws.amazon.com/general/latest/gr/s3.html and
docs.hetzner.com/storage/object-storage/overview, 2026-11-22. Google's has a protocol of its own."""

Settings = Mapping[str, str | int]


@dataclass(frozen=True, kw_only=True)
class Here:
    """A member of a store, whose configurations are rendered."""

    plan: Plan
    host: Host
    store: StorePlan
    paths: Paths
    """Of `NAME` on its host."""
    mine: Membership


def service(plan: Plan, host: Host, paths: Paths, mine: Membership) -> Service:
    """What lets the other members in: to the repository, and to the database that is backed up."""
    here = Here(plan=plan, host=host, store=store_of(plan, host), paths=paths, mine=mine)
    files = {SERVER: _file({"global": _server(here)}), MEMBER: member(here), TRUST: mine.trust(here.store.members)}
    if keeps(plan, host, paths):
        files[KEEPER] = keeper(here)
    return Service(
        name=NAME,
        command=(NAME, "server", f"--config={paths.etc}/{SERVER}"),
        files={f"{paths.etc}/{name}": content for name, content in files.items()},
        ready=Ready(kind="tcp", address=f"{host.address}:{ports.PGBACKREST}"),
        user=USER,
    )


def keeps(plan: Plan, host: Host, paths: Paths) -> bool:
    """Whether a store's backups are taken on this host: where the repository is; in a cloud on the planned primary."""
    store = store_of(plan, host)
    return store.backup_site is not None and host.name == (store.primary if paths.cloud else store.repository)


def command(store: StorePlan, paths: Paths, file: str, *words: str) -> tuple[str, ...]:
    """The program with one of the configurations of a host; `paths` are those of `NAME`."""
    secrets = (f"--config-include-path={beside(paths, SECRETS).data}",) if paths.cloud else ()
    return (NAME, f"--config={paths.etc}/{file}", *secrets, f"--stanza={store.name}", *words)


def archiving(store: StorePlan, database: Paths) -> Settings:
    """PostgreSQL's settings; `database` are the paths of the database's own service."""
    if store.backup_site is None:
        return {}
    words = command(store, beside(database, NAME), MEMBER, "archive-push")
    return {
        "archive_mode": "on",
        "archive_command": f"{shlex.join(words)} %p",
        "archive_timeout": f"{store.backup.archive_seconds}s",
    }


def begin(store: StorePlan, database: Paths) -> str:
    """The script that brings a new store's first member out of its backups."""
    there = beside(database, NAME)
    until = store.restored or LATEST
    asked = () if until == LATEST else ("--type=time", f"--target={_instant(until)}", "--target-action=promote")
    return render(
        "store_restore.sh.j2",
        directory=f"{database.data}/database",
        told=shlex.join(command(store, there, MEMBER, "info", "--output=json")),
        restore=shlex.join(command(store, there, MEMBER, *asked, "restore")),
    )


def member(here: Here) -> str:
    """What the database's own host archives to, and restores from."""
    common = {
        **_everywhere(here.paths),
        "archive-timeout": ARCHIVE_SECONDS_MAX,
        "io-timeout": ARCHIVE_SECONDS_MAX,
        "archive-push-queue-max": f"{QUEUE_MEBIBYTES['cloud' if here.paths.cloud else 'lab']}MiB",
    }
    own = _database("pg1", beside(here.paths, DATABASE))
    return _file({"global": {**common, **_repository(here)}, here.store.name: own})


def keeper(here: Here) -> str:
    """What backups are taken with: every member's database, this host's own and those of the others."""
    common = {
        **_everywhere(here.paths),
        "archive-timeout": 30,
        "start-fast": "y",
        "repo1-bundle": "y",  # a thousand small files would each cost a round trip
        "repo1-retention-full": here.store.backup.full_kept,
    }
    members: dict[str, str | int] = {}
    for number, name in enumerate(here.store.members, 1):
        far = {} if name == here.host.name else _reach(here, name, f"pg{number}", MEMBER)
        members |= far | _database(f"pg{number}", beside(_paths_of(here, name), DATABASE))
    return _file({"global": {**common, **_repository(here)}, here.store.name: members})


def object_storage(plan: Plan, store: StorePlan) -> Settings:
    """The repository in the object storage of the backup site's provider, encrypted before it leaves the host.

    Credentials and the cipher's passphrase are not among it: they are in `SECRETS`.
    """
    place = plan.sites[store.backup_site or ""].place
    common = {"repo1-path": f"/{store.name}", "repo1-cipher-type": "aes-256-cbc"}
    bucket = f"{plan.venue}-{store.name}-backup"
    if place.provider == "gcp":
        return {**common, "repo1-type": "gcs", "repo1-gcs-bucket": bucket}
    return {
        **common,
        "repo1-type": "s3",
        "repo1-s3-bucket": bucket,
        "repo1-s3-endpoint": OBJECTS[place.provider].format(region=place.region, zone=place.zone),
        "repo1-s3-region": place.region if place.provider == "aws" else place.zone,
        "repo1-s3-uri-style": "path",
    }


def beside(paths: Paths, name: str) -> Paths:
    """The paths of another service of the same host."""
    etc, data = (path.rpartition("/")[0] for path in (paths.etc, paths.data))
    return Paths(etc=f"{etc}/{name}", data=f"{data}/{name}", cloud=paths.cloud)


def _server(here: Here) -> Settings:
    """Only members are let in, each known by its certificate, and only to this store."""
    return {
        **_everywhere(here.paths),
        "tls-server-address": str(here.host.address),
        "tls-server-port": ports.PGBACKREST,
        "tls-server-ca-file": f"{here.paths.etc}/{TRUST}",
        "tls-server-cert-file": here.mine.certificate,
        "tls-server-key-file": here.mine.key,
        **{f"tls-server-auth={name}": here.store.name for name in here.store.members},
    }


def _everywhere(paths: Paths) -> Settings:
    return {
        "lock-path": f"{paths.data}/lock",
        "spool-path": f"{paths.data}/spool",
        "log-level-file": "off",
        "log-level-console": "warn",
        "process-max": 2,
        "io-timeout": 10,
        "db-timeout": 60,
        "protocol-timeout": 90,
    }


def _repository(here: Here) -> Settings:
    keeps_it = here.store.repository
    if here.paths.cloud and here.store.backup_site:
        return object_storage(here.plan, here.store)
    if keeps_it is None or keeps_it == here.host.name:
        return {"repo1-path": f"{here.paths.data}/repository"}
    return _reach(here, keeps_it, "repo1", KEEPER)


def _reach(here: Here, name: str, side: str, file: str) -> dict[str, str | int]:
    """Another member's program and its configuration, by TLS with certificates at both ends."""
    secrets = {f"{side}-host-config-include-path": beside(here.paths, SECRETS).data} if here.paths.cloud else {}
    return {
        **secrets,
        f"{side}-host": str(here.plan.hosts[name].address),
        f"{side}-host-type": "tls",
        f"{side}-host-port": ports.PGBACKREST,
        f"{side}-host-config": f"{_paths_of(here, name).etc}/{file}",
        f"{side}-host-ca-file": f"{here.paths.etc}/{TRUST}",
        f"{side}-host-cert-file": here.mine.certificate,
        f"{side}-host-key-file": here.mine.key,
    }


def _instant(until: str) -> str:
    """As PostgreSQL writes an instant; `keeping.restored` has read it before."""
    return datetime.fromisoformat(until).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")


def _database(side: str, paths: Paths) -> dict[str, str | int]:
    return {f"{side}-path": f"{paths.data}/database", f"{side}-socket-path": paths.data}


def _paths_of(here: Here, name: str) -> Paths:
    """The same service's on another host: in a rehearsal every host has a directory of its own."""
    own = (here.paths.etc, here.paths.data)
    etc, data = (path.replace(f"/{here.host.name}/", f"/{name}/") for path in own)
    return Paths(etc=etc, data=data, cloud=here.paths.cloud)


def _file(sections: Mapping[str, Settings]) -> str:
    return "\n".join(_section(name, settings) for name, settings in sections.items())


def _section(name: str, settings: Settings) -> str:
    lines = [f"{key}={value}" for key, value in settings.items()]
    return "\n".join([f"[{name}]", *lines]) + "\n"
