"""A backup is taken when the clock says so, and when the log may have a gap that only a new one mends."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from workloads.keeper.backups import Kind, Repository, Watched, due, read, watch
from workloads.keeper.settings import Backups

TOLD = Backups(command=("pgbackrest",), incremental_seconds=100, full_seconds=1000, archive_seconds=10)
GOOD = Repository(full_at=0.0, newest_at=500.0, newest_timeline="00000001", archived="0000000100000000000000A0")
SEEN = Watched(archived=GOOD.archived, changed_at=500.0)


@pytest.mark.parametrize(
    ("found", "seen", "now", "kind"),
    [
        (Repository(), Watched(), 0.0, "full"),
        (GOOD, SEEN, 1000.0, "full"),
        (GOOD, SEEN, 600.0, "incr"),
        (GOOD, SEEN, 599.0, None),
        (replace(GOOD, archived="000000020000000000000001"), SEEN, 501.0, "incr"),
        (GOOD, replace(SEEN, resumed=True), 501.0, "incr"),
    ],
)
def test_what_is_due(found: Repository, seen: Watched, now: float, kind: Kind | None) -> None:
    """Nothing, until the newest is too old, another timeline is archived, or the log came again after a silence."""
    assert due(found, seen, now, TOLD) == kind


def test_a_log_that_comes_again_is_noticed() -> None:
    """After a silence in which it may have been given up; what is first seen, or comes in time, is no such thing."""
    first = watch(Watched(), GOOD, 1000.0, TOLD.archive_seconds)
    assert first == Watched(archived=GOOD.archived, changed_at=1000.0)
    assert watch(first, GOOD, 2000.0, TOLD.archive_seconds) is first
    more = replace(GOOD, archived="0000000100000000000000A1")
    assert not watch(first, more, 1050.0, TOLD.archive_seconds).resumed
    assert watch(first, more, 1051.0, TOLD.archive_seconds).resumed


def test_what_the_program_tells_is_read() -> None:
    """The newest backup counts, of any kind; one that failed does not, and an empty repository has none."""
    assert read("[]") == read('[{"backup": [], "archive": []}]') == Repository()
    stanza = {
        "archive": [{"max": "0000000100000000000000A0"}, {"max": None}],
        "backup": [_backup("full", 100, "A0"), _backup("incr", 200, "B0"), _backup("full", 300, "C0", error=True)],
    }
    expected = Repository(full_at=100, newest_at=200, newest_timeline="00000001", archived="0000000100000000000000A0")
    assert read(json.dumps([stanza])) == expected


def _backup(kind: str, stop: int, part: str, *, error: bool = False) -> dict[str, Any]:
    archive = {"start": "", "stop": f"0000000100000000000000{part}"}
    return {"type": kind, "error": error, "timestamp": {"start": 0, "stop": stop}, "archive": archive}
