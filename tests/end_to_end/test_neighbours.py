"""Two labs side by side: the same addresses, and nothing in common."""

from __future__ import annotations

import pytest

from drills.observer import Observer
from drills.rehearsal import Rehearsal
from lab import control
from tests.end_to_end.checkout import Checkout
from tests.end_to_end.conftest import FOUR, LAB, READY_SECONDS_MAX
from tests.end_to_end.orders import order, place

pytestmark = pytest.mark.lab

TWIN = "twin"


def test_labs_do_not_meet(venue: Checkout, rehearsal: Rehearsal) -> None:
    """An order of one lab is in no book of the other, and ending one leaves nothing of it and all of the other."""
    text = venue.topology_file(FOUR).read_text(encoding="utf-8")
    venue.topology_file(TWIN).write_text(text.replace("venue: four", "venue: twin"), encoding="utf-8")
    before = venue.census()
    try:
        venue.run("lab", "up", TWIN)
        during = venue.census()
        _expect_own_books(venue, rehearsal)
    finally:
        venue.run("lab", "down", TWIN)
    assert venue.census().left_of(during.without(before), before) == []
    assert venue.census().processes >= before.processes
    assert place(rehearsal, "par", order("alone-again"))["status"] == "acknowledged"


def _expect_own_books(venue: Checkout, rehearsal: Rehearsal) -> None:
    planned = venue.plan(TWIN)
    with Observer("lab-twin", planned) as observer:
        twin = Rehearsal("lab-twin", planned, observer)
        twin.await_blocks(READY_SECONDS_MAX)
        assert twin.plan.accesses == rehearsal.plan.accesses
        first, second = place(rehearsal, "par", order("twin")), place(twin, "par", order("twin", quantity=5))
        assert (first["remaining"], second["remaining"]) == (2, 5)
        assert {lab.name for lab in control.labs()} == {LAB, "lab-twin"}
        assert not set(twin.books().hashes.values()) & set(rehearsal.books().hashes.values())
