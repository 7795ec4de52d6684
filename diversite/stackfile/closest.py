"""What a person most likely meant: the nearest of the known names, and lists short enough to read."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

LISTED_MAX = 12


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names most like `name`, best first; none where nothing is like it."""
    return difflib.get_close_matches(name[:100], sorted(known), count, cutoff=0.6)


def did_you_mean(name: str, known: Collection[str]) -> str:
    """` (did you mean a or b?)`, to be put after a statement; empty where no known name is near."""
    near = nearest(name, known)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def listed(names: Iterable[str | None]) -> str:
    """Names in order, the first few of many."""
    ordered = sorted(name for name in names if name)
    more = len(ordered) - LISTED_MAX
    return ", ".join(ordered[:LISTED_MAX]) + (f" and {more} more" if more > 0 else "")
