"""The checker of histories finds what was planted, and nothing where all is well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drills.load import Line
from drills.state.history import History, Taken, Told, Written, check


def batch(height: int, *keys: str, epoch: int = 5) -> Written:
    """A batch that ends at ten times its height of the queue."""
    return Written(height=height, epoch=epoch, sequence=10 * height, state_hash=f"hash {height}", keys=keys)


def confirmed(key: str, height: int, index: int) -> Line:
    """An order whose client was told where it is."""
    return Line(
        number=0,
        key=key,
        client="c",
        fate="acknowledged",
        entrance="e",
        attempts=1,
        intended_seconds=0.0,
        settled_seconds=1.0,
        height=height,
        index=index,
    )


JOURNAL = (batch(1, "a", "b"), batch(2), batch(3, "c", epoch=9))
GOOD = History(
    lines=[confirmed("a", 1, 0), confirmed("b", 1, 1), confirmed("c", 3, 0)],
    journal=JOURNAL,
    copies={"store-x": JOURNAL[:2]},
    members={"passive-x": Told(height=3, state_hash="hash 3"), "passive-y": Told(height=2, state_hash="hash 2")},
    takings=(Taken(epoch=5, height=0), Taken(epoch=9, height=2)),
)
PLANTED = {
    "c was confirmed at 3.0 and is nowhere": replace(GOOD, journal=(*JOURNAL[:2], batch(3, epoch=9))),
    "b was confirmed at 1.1 and is at 1.0": replace(
        GOOD, journal=(batch(1, "b", "a"), *JOURNAL[1:]), lines=GOOD.lines[1:2]
    ),
    "c was carried out 2 times": replace(GOOD, journal=(*JOURNAL, batch(4, "c", epoch=9)), lines=[]),
    "height 4 has token 5 after 9": replace(GOOD, journal=(*JOURNAL, batch(4))),
    "height 2 was written with token 5 after 9 had taken over": replace(GOOD, takings=(Taken(epoch=9, height=1),)),
    "height 4 follows 2": replace(GOOD, journal=(*JOURNAL[:2], batch(4, "c", epoch=9)), lines=[], members={}),
    "height 3 ends at 20 of the queue, where 20 was reached": replace(
        GOOD, journal=(*JOURNAL[:2], replace(JOURNAL[2], sequence=20))
    ),
    "store-x has another batch at height 2": replace(GOOD, copies={"store-x": (JOURNAL[0], batch(2, "z"))}),
    "store-x has 1 batches that the primary has not": replace(GOOD, copies={"store-x": (*JOURNAL, batch(4, epoch=9))}),
    "passive-y has other books at height 2": replace(GOOD, members={"passive-y": Told(height=2, state_hash="another")}),
}


def test_a_good_history_has_no_violation() -> None:
    """A copy may be behind, a member too, an order may be refused, and a token may grow."""
    assert check(GOOD) == ()


@pytest.mark.parametrize("says", PLANTED)
def test_a_planted_violation_is_found(says: str) -> None:
    """Each is told in words, first of all."""
    assert says in check(PLANTED[says])
