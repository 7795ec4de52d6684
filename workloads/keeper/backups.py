"""When a backup is due, and taking it.

A backup is due by the clock, and at once where the archive may have a gap that only a new backup mends: after a
promotion (what the old primary had not archived, nobody archives), and when the log comes again after a long silence.
"""

from __future__ import annotations

import json
import logging
import subprocess
import time
from dataclasses import dataclass
from typing import Any, Literal

from workloads.keeper.settings import Backups

Kind = Literal["full", "incr"]

SILENCE_FACTOR = 5
"""A silence of so many times the archive's interval may have been one in which the log was given up."""
ANSWER_SECONDS_MAX = 60.0

log = logging.getLogger("workloads.keeper")


@dataclass(frozen=True, kw_only=True)
class Repository:
    """What the repository has."""

    full_at: float | None = None
    """When its newest full backup ended, seconds since 1970; None without any."""
    newest_at: float | None = None
    """The same of its newest backup of any kind."""
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


def read(told: str) -> Repository:
    """What `pgbackrest info --output=json` tells of one stanza."""
    stanzas: list[dict[str, Any]] = json.loads(told or "[]")
    backups = [it for stanza in stanzas for it in stanza["backup"] if not it["error"]]
    archives = [it["max"] or "" for stanza in stanzas for it in stanza["archive"]]
    newest = max(backups, key=_ended, default=None)
    return Repository(
        full_at=max((_ended(it) for it in backups if it["type"] == "full"), default=None),
        newest_at=_ended(newest) if newest else None,
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


class Taker:
    """Takes the backups of one store."""

    def __init__(self, told: Backups) -> None:
        self._told = told
        self._seen = Watched()

    def look(self) -> Repository | None:
        """Take what is due; what the repository has then, or None where it does not answer."""
        found = self.repository()
        if found is None:
            return None
        self._seen = watch(self._seen, found, time.time(), self._told.archive_seconds)
        kind = due(found, self._seen, time.time(), self._told)
        if kind is None:
            return found
        if self.take(kind, first=found.full_at is None):
            self._seen = Watched(archived=self._seen.archived, changed_at=self._seen.changed_at)
        return self.repository()

    def repository(self) -> Repository | None:
        """What the repository has."""
        told = _run((*self._told.command, "info", "--output=json"), ANSWER_SECONDS_MAX)
        return read(told.stdout) if told.returncode == 0 else None

    def take(self, kind: Kind, *, first: bool) -> bool:
        """Take a backup, the first one after the stanza was made; whether that went well."""
        steps = [("stanza-create",)] if first else []
        for words in (*steps, ("backup", f"--type={kind}")):
            told = _run((*self._told.command, *words), None)
            if told.returncode:
                log.warning("%s: %s", " ".join(words), (told.stdout + told.stderr).strip()[-500:])
                return False
        log.info("a backup was taken: %s", kind)
        return True


def _ended(backup: dict[str, Any]) -> float:
    return float(backup["timestamp"]["stop"])


def _run(command: tuple[str, ...], seconds_max: float | None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds_max)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"no answer within {seconds_max:.0f} s")
