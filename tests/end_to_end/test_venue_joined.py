"""A fifth site with a validator, added to a running venue by an edit of its stack file, while clients send orders."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from diversite.plan import Host
from drills import asking, load, safety
from drills.observer import Observer
from drills.rehearsal import Rehearsal
from lab import world
from lab.layout import DIRECTORY_VARIABLE
from tests.end_to_end.checkout import Checkout
from tests.end_to_end.conftest import FOUR, LAB, READY_SECONDS_MAX

pytestmark = pytest.mark.lab

OPERATOR = base64.b64encode(hashlib.sha256(b"the operator of the venues that tests run").digest()).decode()
FIFTH = {
    "  hel: {at: hetzner/eu-central/hel1}\n": "  fra: {at: aws/eu-central-1/euc1-az1}\n",
    "engines:\n": "  fra: {site: fra, machine: c7i.xlarge}\n",
    "links:\n": "  fra: {site: fra, machine: c7i.xlarge}\n",
    "order_entry:\n": "  par-fra: {kind: backbone, ends: [par, fra], carrier: aws}\n"
    "  fra-nbg: {kind: wireguard, ends: [fra, nbg], carrier: transit-c}\n",
}
"""What the stack file gets, by the line that it goes before; the first goes after."""
ORDERS_A_SECOND = 5
LOAD_SECONDS_MAX = 900
SIGN_SECONDS_MAX = 120
PAUSE_SECONDS = 2.0


def test_a_fifth_site_joins_by_an_edit_of_the_stack_file(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It follows with the genesis of the first block, gets power from the operator, signs, leaves; no order is lost."""
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(checkout.labs))
    operator = tmp_path / "operator.key"
    operator.write_text(OPERATOR)
    checkout.run("lab", "up", FOUR)
    before = checkout.topology_file(FOUR).read_text()
    with _watched(checkout) as venue:
        began = _genesis(venue, venue.plan.of_role("validator")[0])
        first, out = venue.books().height + 1, tmp_path / "orders.jsonl"
        clients = venue.start_load(ORDERS_A_SECOND, LOAD_SECONDS_MAX, seed=7, out=out, until_closed=True)
        try:
            fra = _join(checkout, operator)
            assert _genesis(venue, fra) == began
            _leave(checkout, operator, before)
            clients.communicate(timeout=60)
        finally:
            clients.kill()
        lines, last = load.read(out), venue.books().height
        found = safety.check(venue.observer, venue.plan, lines, range(first, last + 1), _witnesses(venue))
    assert any(line.fate == "acknowledged" for line in lines)
    assert (found.forks, found.missing, found.repeated) == ((), (), ())


def test_markets_of_a_chain_that_runs_are_refused(checkout: Checkout) -> None:
    """The edit would change nothing in the chain, so it is an error that says so, and not a deployment."""
    checkout.run("lab", "up", FOUR)
    checkout.edit(FOUR, "sites:\n", "markets: {BTC-PERP: {}, ETH-PERP: {}}\nsites:\n")
    told = checkout.run("lab", "up", FOUR, status=2)
    assert "the stack file's markets differ in ETH-PERP" in told
    assert "Traceback" not in told


def _join(checkout: Checkout, operator: Path) -> Host:
    """Edit, roll out, give power, and wait for its signature: the validator's host."""
    _add_fifth(checkout)
    assert f"diversite rollout {LAB}" in checkout.run("lab", "up", FOUR, status=1)
    printed = checkout.run("rollout", LAB)
    assert "validator-fra has no voting power yet, and is not waited for" in printed
    assert "differ: fra" in checkout.run("power", LAB, status=1)
    fra = checkout.plan(FOUR).hosts["validator-fra"]
    assert world.wait_until(lambda: _is_given_power(checkout, operator), SIGN_SECONDS_MAX, PAUSE_SECONDS)
    checkout.run("power", LAB)
    assert world.wait_until(lambda: _signs(fra), SIGN_SECONDS_MAX, PAUSE_SECONDS)
    return fra


def _leave(checkout: Checkout, operator: Path, before: str) -> None:
    """The power first, the hosts after."""
    checkout.run("power", LAB, "fra", "--to", "0", "--operator", str(operator))
    checkout.topology_file(FOUR).write_text(before)
    checkout.run("rollout", LAB)
    assert "fra" not in checkout.run("lab", "status", FOUR)
    checkout.run("power", LAB)


def _add_fifth(checkout: Checkout) -> None:
    for line, added in FIFTH.items():
        follows = line.startswith("  ")
        checkout.edit(FOUR, line, f"{line}{added}" if follows else f"{added}{line}")


@contextmanager
def _watched(checkout: Checkout) -> Iterator[Rehearsal]:
    planned = checkout.plan(FOUR)
    with Observer(LAB, planned) as observer:
        venue = Rehearsal(LAB, planned, observer)
        venue.await_blocks(READY_SECONDS_MAX)
        yield venue


def _is_given_power(checkout: Checkout, operator: Path) -> bool:
    """No power is given before the joiner's own engine is ready."""
    try:
        checkout.run("power", LAB, "fra", "--operator", str(operator))
    except AssertionError:
        return False
    return True


def _genesis(venue: Rehearsal, host: Host) -> Any:
    return asking.validator(venue.lab, host, "/genesis")["genesis"]


def _signs(host: Host) -> bool:
    """Whether its vote is in the last commit, which holds every vote of a proposer's own at least."""
    address = asking.validator(LAB, host, "/status")["validator_info"]["address"]
    commit = asking.validator(LAB, host, "/commit")["signed_header"]["commit"]
    return address in {vote["validator_address"] for vote in commit["signatures"]}


def _witnesses(venue: Rehearsal) -> tuple[Host, ...]:
    return venue.plan.of_role("validator")[:2]
