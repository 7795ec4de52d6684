"""One truth at each height, and each order in it once."""

from __future__ import annotations

from drills.safety import executions, forks


def test_two_truths_at_one_height_are_a_fork() -> None:
    """If two hosts say different things of a height, the height and both are named; agreement is silent."""
    truths = {7: {"engine-a": "AA", "engine-b": "AA"}, 8: {"engine-a": "AA", "engine-b": "BB"}}
    (found,) = forks("books", truths)
    assert found == "books at 8: engine-a AA, engine-b BB"


def test_a_host_that_lacks_a_height_is_no_fork() -> None:
    """One that says nothing of a height contradicts nobody."""
    assert list(forks("block", {7: {"validator-a": "AA"}})) == []


def test_a_transaction_in_two_blocks_is_executed_once() -> None:
    """A client's retry may stand in a second block; it is refused there, so the order is carried out once."""
    found = executions([("ann/1", 0), ("ann/1", 3), ("bob/1", 0), ("bob/1", 0)])
    assert found == {"ann/1": 1, "bob/1": 2}
