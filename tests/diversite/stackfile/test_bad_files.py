"""Every file of tests/stacks/bad is refused with exactly what the text beside it says.

A new bad file: write it, run this test, read what is said of it, and keep that as the `.txt` if it is what you would
want to be told.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from diversite import stackfile
from diversite.errors import TopologyError

STACKS = Path(__file__).parents[2] / "stacks"
BAD = sorted((STACKS / "bad").glob("*.yaml"))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_refused_as_described(path: Path) -> None:
    """A bad stack file is refused, and each of its problems is told with its line."""
    with pytest.raises(TopologyError) as refusal:
        stackfile.load(path)
    told = "\n".join(refusal.value.problems).replace(str(path), path.name) + "\n"
    assert told == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_there_are_enough() -> None:
    """At least forty ways of being wrong are kept, each with its message."""
    assert len(BAD) >= 40
    assert {path.stem for path in BAD} == {path.stem for path in (STACKS / "bad").glob("*.txt")}


@pytest.mark.parametrize("path", sorted((STACKS / "good").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_good_ones_are_read(path: Path) -> None:
    """What the bad files were made from is itself good."""
    assert stackfile.load(path).venue == path.stem
