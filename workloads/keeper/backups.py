"""When a backup is due, and taking it.

A backup is due by the clock, and at once where the archive may have a gap that only a new backup mends: after a
promotion (what the old primary had not archived, nobody archives), and when the log comes again after a long silence.

A backup with damaged pages is there and counts: another at once would be as damaged, and each full one that is taken
removes the oldest that is kept, in the end the last good one.
"""

from __future__ import annotations

import json
import logging
import subprocess
import time
from dataclasses import dataclass, replace
from typing import Any, Literal

from workloads.keeper.settings import Backups

Kind = Literal["full", "incr"]

SILENCE_FACTOR = 5
"""A silence of so many times the archive's interval may have been one in which the log was given up."""
RETRY_SECONDS = 5
"""After a backup that failed; twice as long after each further one, at most until the next would be due anyway."""
ANSWER_SECONDS_MAX = 60.0

log = logging.getLogger("workloads.keeper")


@dataclass(frozen=True, kw_only=True)
class Repository:
    """What the repository has."""

    full_at: float | None = None
    """When its newest full backup ended, seconds since 1970; None without any."""
    newest_at: float | None = None
    """The same of its newest backup of any kind."""
    good_at: float | None = None
    """The same of its newest backup without damaged pages."""
    damaged: bool = False
    """Whether pages in its newest backup have a wrong checksum: they were damaged in the database when it was taken."""
    newest_timeline: str = ""
    """Of the log in which the newest backup ended."""
    archived: str = ""
    """The newest part of the log that is archived; its first eight digits are its timeline."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """How the archive went on, as it was looked at."""

    archived: str = ""
    changed_at: float = 0.0
    """When it was seen to change."""
    resumed: bool = False
    """Whether it changed after a long silence, and no backup was taken since."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """The last backup that was tried."""

    at: float = 0.0
    """When it ended, well or not."""
    timeline: str = ""
    """Of the newest part of the log that was archived before it."""
    failures: int = 0
    """How many failed one after the other, this one the last; 0 where it went well."""


def read(told: str) -> Repository:
    """What `pgbackrest info --output=json` tells of one stanza."""
    stanzas: list[dict[str, Any]] = json.loads(told or "[]")
    backups = [it for stanza in stanzas for it in stanza["backup"]]
    archives = [it["max"] or "" for stanza in stanzas for it in stanza["archive"]]
    newest = max(backups, key=_ended, default=None)
    return Repository(
        full_at=max((_ended(it) for it in backups if it["type"] == "full"), default=None),
        newest_at=_ended(newest) if newest else None,
        good_at=max((_ended(it) for it in backups if not it.get("error")), default=None),
        damaged=bool(newest and newest.get("error")),
        newest_timeline=newest["archive"]["stop"][:8] if newest else "",
        archived=max(archives, default=""),
    )


def watch(before: Watched, found: Repository, now: float, archive_seconds: int) -> Watched:
    """What is known of the archive after one more look."""
    if found.archived == before.archived:
        return before
    silent = bool(before.archived) and now - before.changed_at > SILENCE_FACTOR * archive_seconds
    return Watched(archived=found.archived, changed_at=now, resumed=before.resumed or silent)


def due(found: Repository, seen: Watched, now: float, told: Backups) -> Kind | None:
    """Which backup must be taken now, if any."""
    if found.full_at is None or now - found.full_at >= told.full_seconds:
        return "full"
    promoted = found.archived[:8] > found.newest_timeline
    late = found.newest_at is None or now - found.newest_at >= told.incremental_seconds
    return "incr" if promoted or late or seen.resumed else None


def too_soon(last: Attempt, found: Repository, seen: Watched, now: float, told: Backups) -> bool:
    """Whether what is due must wait, because a backup was tried just now."""
    if last.failures:
        return now - last.at < min(RETRY_SECONDS << (last.failures - 1), told.incremental_seconds)
    gap = seen.resumed or found.archived[:8] > last.timeline
    return not gap and now - last.at < told.incremental_seconds


class Taker:
    """Takes the backups of one store."""

    def __init__(self, told: Backups) -> None:
        self._told = told
        self._seen, self._last = Watched(), Attempt()

    def look(self) -> Repository | None:
        """Take what is due; what the repository has then, or None where it does not answer."""
        found = self.repository()
        if found is None:
            return None
        now = time.time()
        self._seen = watch(self._seen, found, now, self._told.archive_seconds)
        kind = due(found, self._seen, now, self._told)
        if kind is None or too_soon(self._last, found, self._seen, now, self._told):
            return found
        if found.full_at is None and not self._done("stanza-create"):
            return found
        self._take(kind, found)
        return self.repository()

    def repository(self) -> Repository | None:
        """What the repository has."""
        told = _run((*self._told.command, "info", "--output=json"), ANSWER_SECONDS_MAX)
        return read(told.stdout) if told.returncode == 0 else None

    def _take(self, kind: Kind, found: Repository) -> None:
        done = self._done("backup", f"--type={kind}")
        failures = 0 if done else self._last.failures + 1
        self._last = Attempt(at=time.time(), timeline=found.archived[:8], failures=failures)
        if done:
            log.info("a backup was taken: %s", kind)
            self._seen = replace(self._seen, resumed=False)

    def _done(self, *words: str) -> bool:
        told = _run((*self._told.command, *words), None)
        if told.returncode:
            log.warning("%s: %s", " ".join(words), (told.stdout + told.stderr).strip()[-500:])
        return told.returncode == 0


def _ended(backup: dict[str, Any]) -> float:
    return float(backup["timestamp"]["stop"])


def _run(command: tuple[str, ...], seconds_max: float | None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds_max)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"no answer within {seconds_max:.0f} s")
