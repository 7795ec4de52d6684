"""A store's backups in a running lab: taken now, copied out of it, and put into a fresh one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from diversite.errors import LabError
from diversite.plan import Plan
from drills.state.keepers import Keepers
from lab import control, world
from lab.world import World, wait_until
from services import pgbackrest
from services.patroni import BINARIES
from services.service import Paths

LOG, BACKUPS = "archive", "backup"
"""pgBackRest's own names in a repository. Whoever restores waits for the second, and takes the first for whole then."""
UNFINISHED = "*.pgbackrest.tmp"
ARCHIVED_SECONDS_MAX = 60.0
BACKED_UP_SECONDS_MAX = 120.0
BUSY = 50
"""What pgBackRest ends with where another backup is being taken."""
SWITCH = "SELECT pg_walfile_name(pg_switch_wal())"
ARCHIVED = "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver"


def back_up(keepers: Keepers, kind: str) -> None:
    """Take a backup, `full` or `incr`, and archive the log up to now; LabError where either fails."""
    host, told = _keeper_of(keepers), None

    def done() -> bool:
        nonlocal told
        words = pgbackrest.command(keepers.store, _paths(host), pgbackrest.KEEPER, "backup", f"--type={kind}")
        told = _as_account(keepers.lab, host, words)
        return told[0] != BUSY

    wait_until(done, BACKED_UP_SECONDS_MAX, 1.0)
    if told is None or told[0]:
        raise LabError(f"host {host}: the backup failed: {told[1][-500:] if told else 'it was never tried'}")
    archive(keepers)


def archive(keepers: Keepers) -> str:
    """Have the log archived up to this moment; the name of its last part. LabError where it is not."""
    primary = keepers.primary()
    if primary is None:
        raise LabError("the store has no primary, so nobody archives; see `diversite lab status`")
    last = _ask(keepers, primary, SWITCH)
    if not wait_until(lambda: _ask(keepers, primary, ARCHIVED)[:24] >= last, ARCHIVED_SECONDS_MAX, 0.2):
        found = _ask(keepers, primary, ARCHIVED)
        raise LabError(
            f"host {primary}: {last} is not archived after {ARCHIVED_SECONDS_MAX:.0f} s, {found or 'nothing'} is; "
            f"see `diversite lab logs {primary} patroni`"
        )
    return last


def copy_out(keepers: Keepers, directory: Path) -> None:
    """Copy the repository to a new directory of this machine, which is there only once all is copied.

    The keeper goes on meanwhile. So the list of backups comes before the backups in it, and these before their log.
    """
    if directory.exists():
        raise LabError(f"{directory} is there already; name a directory that is not")
    place = _place(world.require(keepers.lab), _keeper_of(keepers))
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{directory.name}-") as beside:
        part = Path(beside) / directory.name
        for listed in sorted((place / BACKUPS).glob("*/backup.info*")):
            target = part / listed.relative_to(place)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(listed, target)
        _copy(place / BACKUPS, part / BACKUPS, "backup.info*")
        _copy(place / LOG, part / LOG)
        part.rename(directory)


def put_in(keepers: Keepers, directory: Path) -> None:
    """Put a repository that was copied out where a fresh lab keeps its own, of which it has none yet.

    Its primary begins as soon as it sees a backup: the log is whole by then, and the backups appear at once.
    """
    host = _keeper_of(keepers)
    place = _place(world.require(keepers.lab), host)
    if (place / BACKUPS).exists():
        raise LabError(f"host {host} has backups of its own; a restore begins with a lab that was not there")
    _copy(directory / LOG, place / LOG)
    _copy(directory / BACKUPS, place / f"{BACKUPS}.part")
    (place / f"{BACKUPS}.part").rename(place / BACKUPS)


def require(directory: Path, plan: Plan) -> None:
    """LabError where a directory holds no backup of a venue's store."""
    for store in plan.keepings.stores:
        if not (directory / BACKUPS / store / "backup.info").is_file():
            raise LabError(f"{directory} has no backup of store {store}; `diversite backup STACK --to` makes one")


def _keeper_of(keepers: Keepers) -> str:
    if keepers.store.repository is None:
        raise LabError(f"store {keepers.store.name} has no backups; name a site under `backup`")
    return keepers.store.repository


def _paths(host: str) -> Paths:
    home = f"/run/lab/hosts/{host}"
    return Paths(etc=f"{home}/etc/{pgbackrest.NAME}", data=f"{home}/data/{pgbackrest.NAME}")


def _place(found: World, host: str) -> Path:
    return found.seen(Path(_paths(host).data)) / "repository"


def _copy(source: Path, target: Path, *left_out: str) -> None:
    ignored = shutil.ignore_patterns(UNFINISHED, *left_out)
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, ignore=ignored)


def _ask(keepers: Keepers, host: str, query: str) -> str:
    socket = f"/run/lab/hosts/{host}/data/{pgbackrest.DATABASE}"
    words = [f"{BINARIES}/psql", "-X", "-A", "-t", "-h", socket, "-U", pgbackrest.USER, "-d", "postgres", "-c", query]
    told = control.run(keepers.lab, host, words)
    if told.returncode:
        raise LabError(f"host {host}: {told.stderr.strip()[-300:]}")
    return told.stdout.strip()


def _as_account(lab: str, host: str, words: Sequence[str]) -> tuple[int, str]:
    """What a program ends with and says, run as the services of the store are."""
    account = ("unshare", "--user", f"--map-user={pgbackrest.USER}", f"--map-group={pgbackrest.USER}", "--")
    told = control.run(lab, host, [*account, *words])
    return told.returncode, f"{told.stdout}{told.stderr}".strip()
