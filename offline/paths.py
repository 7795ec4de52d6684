"""Property paths of `ignoreChanges` and `replaceOnChanges`: `a.b[0]["c"].*`, read as the engine reads them."""

from __future__ import annotations

import re
from typing import Any, Final

Path = tuple[str | int, ...]
WILDCARD: Final = "*"
_TOKEN: Final = re.compile(r"""\.?([^.\[\]]+)|\[(\d+)\]|\[\*\]|\["((?:[^"\\]|\\.)*)"\]""")


def parse(text: str) -> Path:
    """The steps of a path; an integer is an index, `*` any one step."""
    return tuple(_step(match) for match in _TOKEN.finditer(text))


def covers(path: Path, other: Path) -> bool:
    """Whether `other` is at or below `path`."""
    return len(path) <= len(other) and all(
        mine in (WILDCARD, theirs) for mine, theirs in zip(path, other, strict=False)
    )


def reset(path: Path, old: Any, new: Any) -> Any:
    """`new` with the value at `path` as in `old`; a part that only one of them has stays as in `new`.

    At the last step a key that `old` lacks is taken out and one that `new` lacks is put back, as the engine does.
    """
    if not path:
        return old
    if isinstance(new, dict) and isinstance(old, dict):
        return _reset_mapping(path, old, new)
    if isinstance(new, list) and isinstance(old, list):
        return _reset_list(path, old, new)
    return new


def _step(match: re.Match[str]) -> str | int:
    name, index, quoted = match.groups()
    if index is not None:
        return int(index)
    if quoted is not None:
        return quoted.replace('\\"', '"')
    return name or WILDCARD


def _reset_mapping(path: Path, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    result = dict(new)
    for key in {*old, *new} if path[0] == WILDCARD else {str(path[0])}:
        if key in old and (key in new or len(path) == 1):
            result[key] = reset(path[1:], old[key], new.get(key))
        elif key not in old and len(path) == 1:
            result.pop(key, None)
    return result


def _reset_list(path: Path, old: list[Any], new: list[Any]) -> list[Any]:
    chosen = range(len(new)) if path[0] == WILDCARD else [path[0]]
    result = list(new)
    for index in chosen:
        if isinstance(index, int) and index < min(len(old), len(new)):
            result[index] = reset(path[1:], old[index], new[index])
    return result
