"""A repository is looked at before a lab is brought up for it, and never put over another."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from diversite.errors import LabError
from drills.state import repository
from drills.state.keepers import Keepers
from lab import world
from tests.services.venues import europe, passive


def test_a_directory_without_backups_is_refused(tmp_path: Path) -> None:
    """Every store of the venue must be in it; a venue without any needs nothing."""
    with pytest.raises(LabError, match="no backup of store ledger; `diversite backup"):
        repository.require(tmp_path, passive())
    repository.require(tmp_path, europe())
    made = tmp_path / "backup" / "ledger"
    made.mkdir(parents=True)
    (made / "backup.info").touch()
    repository.require(tmp_path, passive())


@pytest.fixture
def keepers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keepers:
    """Those of a lab whose files are below `tmp_path`."""
    seen = SimpleNamespace(seen=lambda inside: tmp_path / "lab" / inside.relative_to("/"))
    monkeypatch.setattr(world, "require", lambda _: seen)
    return Keepers("lab", passive(), cast(Any, None))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where that lab keeps its repository, which is not there yet."""
    return tmp_path / "lab/run/lab/hosts/store-ledger-hel/data/pgbackrest/repository"


def take(repository: Path, number: int) -> None:
    """What pgBackRest does to a repository for a backup: its log, itself, and then its name in the list."""
    backups, log = repository / "backup/ledger", repository / "archive/ledger"
    for directory in (log, backups / f"{number}F"):
        directory.mkdir(parents=True, exist_ok=True)
    (log / f"{number}.gz").touch()
    (backups / f"{number}F/backup.manifest").touch()
    with (backups / "backup.info").open("a") as listed:
        listed.write(f"{number}\n")


def after_each_file(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Do something beside a copy, whenever one more of its files or directories is there."""
    done = shutil.copystat

    def copystat(*given: Any, **more: Any) -> None:
        done(*given, **more)
        act()

    monkeypatch.setattr(shutil, "copystat", copystat)


def test_a_repository_is_never_put_over_another(keepers: Keepers, place: Path, tmp_path: Path) -> None:
    """Neither over a directory that is there, nor into a lab that has backups of its own; both stay as they are."""
    take(tmp_path / "kept", 1)
    take(place, 2)
    with pytest.raises(LabError, match="is there already; name a directory that is not"):
        repository.copy_out(keepers, tmp_path / "kept")
    with pytest.raises(LabError, match="store-ledger-hel has backups of its own"):
        repository.put_in(keepers, tmp_path / "kept")
    assert [path.name for path in tmp_path.rglob("*.gz")] in (["1.gz", "2.gz"], ["2.gz", "1.gz"])


def test_a_restore_sees_no_backup_before_its_log_is_whole(
    keepers: Keepers, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the repository is copied into a lab no backup is in it, so that a waiting primary does not begin."""
    for number in range(3):
        take(tmp_path / "kept", number)
    seen: list[bool] = []
    after_each_file(monkeypatch, lambda: seen.append((place / "backup").exists()))
    repository.put_in(keepers, tmp_path / "kept")
    assert seen
    assert not any(seen)
    kept = {path.relative_to(tmp_path / "kept") for path in (tmp_path / "kept").rglob("*")}
    assert {path.relative_to(place) for path in place.rglob("*")} == kept


def test_a_copy_has_the_log_of_every_backup_in_it(
    keepers: Keepers, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If backups are taken while a repository is copied out, whatever the copy lists is in it, and so is its log."""
    numbers = iter(range(1000))
    for _ in range(10):
        take(place, next(numbers))
    (place / "archive/ledger/0.gz.pgbackrest.tmp").touch()
    after_each_file(monkeypatch, lambda: take(place, next(numbers)))
    copied = tmp_path / "new" / "copied"
    repository.copy_out(keepers, copied)
    listed = (copied / "backup/ledger/backup.info").read_text().split()
    there = [path.parent.name.removesuffix("F") for path in copied.glob("backup/ledger/*/backup.manifest")]
    log = [path.name for path in (copied / "archive/ledger").iterdir()]
    assert listed
    assert set(listed) <= set(there)
    assert {f"{number}.gz" for number in there} <= set(log) <= {f"{number}.gz" for number in range(1000)}
    assert list(copied.parent.iterdir()) == [copied]


def test_a_copy_that_fails_leaves_nothing(keepers: Keepers, place: Path, tmp_path: Path) -> None:
    """Half a repository is not taken for one."""
    take(place, 0)
    shutil.rmtree(place / "archive")
    with pytest.raises(FileNotFoundError):
        repository.copy_out(keepers, tmp_path / "copied")
    assert not list(tmp_path.glob("*copied*"))
