"""Was every confirmed write kept, once, and by nobody who was fenced? Pure: `check` over what was read elsewhere.

The truth is the journal of the store's primary. Against it are held what clients were told, the journals of the other
copies of the store, and the books of every member of the engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from drills.load import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A batch as it stands in a journal."""

    height: int
    epoch: int
    sequence: int
    state_hash: str
    keys: tuple[str, ...]
    """Of its orders, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """When a member took over."""

    epoch: int
    """Its token: everyone with an older one is fenced from then on."""
    height: int
    """Of the last batch before."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What an engine's member says of itself."""

    height: int
    state_hash: str


@dataclass(frozen=True, kw_only=True)
class History:
    """All that is held against each other."""

    lines: Sequence[Line]
    journal: Sequence[Written]
    """Of the primary, by height."""
    copies: Mapping[str, Sequence[Written]]
    """Of the other members of the store, by host."""
    members: Mapping[str, Told]
    """Of the engine, by host."""
    takings: Sequence[Taken] = ()
    """Of the primary."""


def check(history: History) -> tuple[str, ...]:
    """Every violation, in words; empty where all is well."""
    return (*_lost(history), *_twice(history), *_fenced(history), *_copies(history), *_books(history))


def _lost(history: History) -> Iterator[str]:
    """A confirmed order that is not where its client was told that it is."""
    where = {key: (batch.height, index) for batch in history.journal for index, key in enumerate(batch.keys)}
    for line in history.lines:
        if line.fate == "acknowledged":
            if line.key not in where:
                yield f"{line.key} was confirmed at {line.height}.{line.index} and is nowhere"
            elif where[line.key] != (line.height, line.index):
                height, index = where[line.key]
                yield f"{line.key} was confirmed at {line.height}.{line.index} and is at {height}.{index}"


def _twice(history: History) -> Iterator[str]:
    counts = Counter(key for batch in history.journal for key in batch.keys)
    for key, count in counts.items():
        if count > 1:
            yield f"{key} was carried out {count} times"


def _fenced(history: History) -> Iterator[str]:
    """Heights follow each other, sequences and epochs never go back; after a taking nobody older writes."""
    for taken in history.takings:
        for late in (it for it in history.journal if it.height > taken.height and it.epoch < taken.epoch):
            yield f"height {late.height} was written with token {late.epoch} after {taken.epoch} had taken over"
    for before, after in pairwise(history.journal):
        if after.epoch < before.epoch:
            yield f"height {after.height} has token {after.epoch} after {before.epoch}"
        if after.height != before.height + 1:
            yield f"height {after.height} follows {before.height}"
        if after.sequence <= before.sequence:
            yield f"height {after.height} ends at {after.sequence} of the queue, where {before.sequence} was reached"


def _copies(history: History) -> Iterator[str]:
    """A copy may be behind; what it has is what the primary has."""
    for host, copy in history.copies.items():
        for mine, truth in zip(copy, history.journal, strict=False):
            if mine != truth:
                yield f"{host} has another batch at height {mine.height}"
                break
        if len(copy) > len(history.journal):
            yield f"{host} has {len(copy) - len(history.journal)} batches that the primary has not"


def _books(history: History) -> Iterator[str]:
    hashes = {batch.height: batch.state_hash for batch in history.journal}
    for host, told in history.members.items():
        if hashes.get(told.height) != told.state_hash:
            yield f"{host} has other books at height {told.height}"
