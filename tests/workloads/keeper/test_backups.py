"""A backup is taken when the clock says so, and when the log may have a gap that only a new one mends."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from workloads.keeper.backups import (
    RETRY_SECONDS,
    Attempt,
    Kind,
    Repository,
    Taker,
    Watched,
    due,
    read,
    too_soon,
    watch,
)
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
    """The newest backup counts, of any kind, with damaged pages as well; an empty repository has none."""
    assert read("[]") == read('[{"backup": [], "archive": []}]') == Repository()
    stanza = {
        "archive": [{"max": "0000000100000000000000A0"}, {"max": None}],
        "backup": [_backup("full", 100, "A0"), _backup("incr", 200, "B0"), _backup("full", 300, "C0", error=True)],
    }
    expected = Repository(
        full_at=300, newest_at=300, good_at=200, damaged=True, newest_timeline="00000001", archived=GOOD.archived
    )
    assert read(json.dumps([stanza])) == expected


@pytest.mark.parametrize(
    ("last", "archived", "resumed", "now", "soon"),
    [
        (Attempt(), "A0", False, 500.0, False),
        (Attempt(at=500.0, timeline="00000001"), "A0", False, 599.0, True),
        (Attempt(at=500.0, timeline="00000001"), "A0", False, 600.0, False),
        (Attempt(at=500.0, timeline="00000000"), "A0", False, 501.0, False),
        (Attempt(at=500.0, timeline="00000001"), "A0", True, 501.0, False),
        (Attempt(at=500.0, failures=1), "A0", True, 500.0 + RETRY_SECONDS - 1, True),
        (Attempt(at=500.0, failures=1), "A0", False, 500.0 + RETRY_SECONDS, False),
        (Attempt(at=500.0, failures=3), "A0", False, 500.0 + 4 * RETRY_SECONDS - 1, True),
        (Attempt(at=500.0, failures=99), "A0", False, 600.0, False),
    ],
)
def test_what_was_tried_just_now_waits(last: Attempt, archived: str, resumed: bool, now: float, soon: bool) -> None:
    """After one that went well only a new gap is mended at once; after failures nothing is, each time for longer."""
    found = replace(GOOD, archived=f"0000000100000000000000{archived}")
    assert too_soon(last, found, replace(SEEN, resumed=resumed), now, TOLD) is soon


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("there", [True, False])
def test_a_backup_is_not_taken_at_every_look(tmp_path: Path, code: int, there: bool) -> None:
    """If the backup that was taken is damaged, is not told of, or failed, the next waits: it may remove a good one."""
    taken, told = tmp_path / "taken", [_backup("full", int(time.time()), "A0", error=True)] if there else []
    answer = json.dumps([{"archive": [], "backup": told}])
    script = f"case $1 in info) echo '{answer}' ;; backup) echo $2 >>{taken}; exit {code} ;; esac"
    taker = Taker(TOLD.model_copy(update={"command": ("sh", "-c", script, "pgbackrest")}))
    assert [it.damaged for it in (taker.look(), taker.look()) if it] == [there, there]
    assert (taken.read_text() if taken.exists() else "") == ("" if there else "--type=full\n")


def _backup(kind: str, stop: int, part: str, *, error: bool = False) -> dict[str, Any]:
    archive = {"start": "", "stop": f"0000000100000000000000{part}"}
    return {"type": kind, "error": error, "timestamp": {"start": 0, "stop": stop}, "archive": archive}
