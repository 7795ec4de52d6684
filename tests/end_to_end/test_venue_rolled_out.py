"""A change of every validator's configuration, taken through the running venue while clients send orders."""

from __future__ import annotations

from pathlib import Path

import pytest

from diversite.plan import Host
from drills import load, safety
from drills.rehearsal import Rehearsal
from tests.end_to_end.checkout import Checkout, counts
from tests.end_to_end.conftest import FOUR, LAB

pytestmark = pytest.mark.lab

ORDERS_A_SECOND = 5
LOAD_SECONDS_MAX = 600


def test_a_change_of_every_validator_goes_site_by_site(venue: Checkout, rehearsal: Rehearsal, tmp_path: Path) -> None:
    """`up` refuses to restart all at once and names the rollout, which loses no order and leaves nothing to do."""
    venue.edit(FOUR, "sites:\n", "consensus: {halt_height: 9000000}\nsites:\n")
    refused = venue.run("lab", "up", FOUR, status=1)
    assert "it stops 4 of 4 (100.0 %) of the power at once" in refused
    assert f"diversite rollout {LAB}" in refused
    first = rehearsal.books().height + 1
    out = tmp_path / "orders.jsonl"
    clients = rehearsal.start_load(ORDERS_A_SECOND, LOAD_SECONDS_MAX, seed=7, out=out, until_closed=True)
    try:
        printed = venue.run("rollout", LAB)
        clients.communicate(timeout=60)
    finally:
        clients.kill()
    assert [line.split(":")[0] for line in printed.splitlines() if "of the power; takes" in line] == [
        "hel",
        "dub",
        "nbg",
        "par",
    ]
    assert printed.count("signs again") == 4
    lines, last = load.read(out), rehearsal.books().height
    found = safety.check(rehearsal.observer, rehearsal.plan, lines, range(first, last + 1), _witnesses(rehearsal))
    assert any(line.fate == "acknowledged" for line in lines)
    assert (found.forks, found.missing, found.repeated) == ((), (), ())


def test_what_is_rolled_out_is_done(venue: Checkout, rehearsal: Rehearsal) -> None:
    """A second run passes over every site, and a plain `up` finds nothing to change."""
    assert f"{FOUR}: nothing differs" in venue.run("rollout", LAB)
    assert counts(venue.run("lab", "up", FOUR)) == {}


def _witnesses(rehearsal: Rehearsal) -> tuple[Host, ...]:
    return rehearsal.plan.of_role("validator")[:2]
