"""A venue whose every host is gone comes back from its backups alone, with every order that was confirmed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.stacks import LabStack
from drills import load
from drills.observer import Observer
from drills.state import drill, repository
from drills.state.history import History, check
from drills.state.keepers import Keepers
from lab.world import wait_until
from tests.end_to_end.checkout import Checkout
from tests.end_to_end.conftest import checkout

pytestmark = pytest.mark.lab

__all__ = ["checkout"]

PASSIVE = "passive"
WHOLE_SECONDS_MAX = 120.0
CONFIRMED = 30


@contextmanager
def watched(checkout: Checkout) -> Iterator[Keepers]:
    """The members of the lab that runs, once all of them are there."""
    stack, planned = LabStack(topology=PASSIVE), checkout.plan(PASSIVE)
    with Observer(stack.name, planned) as observer:
        keepers = Keepers(stack.name, planned, observer)
        assert wait_until(keepers.is_whole, WHOLE_SECONDS_MAX, 0.5)
        yield keepers


def test_every_confirmed_order_comes_back_from_the_backups(checkout: Checkout, tmp_path: Path) -> None:
    """If all hosts are gone and the repository is left, the archived log has every order, up to any instant."""
    kept = tmp_path / "repository"
    checkout.run("lab", "up", PASSIVE)
    with watched(checkout) as keepers:
        assert keepers.primary() == keepers.store.primary
        before = confirmed(keepers, tmp_path / "before.jsonl", seed=1)
        checkout.run("backup", PASSIVE)
        between = confirmed(keepers, tmp_path / "between.jsonl", seed=2)
        instant = datetime.now(UTC).isoformat()
        after = confirmed(keepers, tmp_path / "after.jsonl", seed=3)
        repository.archive(keepers)
        repository.copy_out(keepers, kept)
    checkout.run("lab", "down", "--all")

    checkout.run("restore", PASSIVE, "--from", str(kept))
    with watched(checkout) as keepers:
        assert violations(keepers, [*before, *between, *after]) == ()
        assert confirmed(keepers, tmp_path / "again.jsonl", seed=4)
    checkout.run("lab", "down", "--all")

    checkout.run("restore", PASSIVE, "--from", str(kept), "--until", instant)
    with watched(checkout) as keepers:
        assert violations(keepers, [*before, *between]) == ()
        there = {key for written in keepers.journal(keepers.store.primary) for key in written.keys}
        assert not there & {line.key for line in after}


def confirmed(keepers: Keepers, log: Path, seed: int) -> list[load.Line]:
    """Orders that clients were told are carried out, sent until there are enough; all others are settled by then."""
    with drill.clients(keepers, seed, log):
        assert wait_until(lambda: acknowledged(log) >= CONFIRMED, WHOLE_SECONDS_MAX, 0.2)
    time.sleep(0.01)  # so that an instant taken now is after every commit, in the store's own microseconds
    return [line for line in load.read(log) if line.fate == "acknowledged"]


def acknowledged(log: Path) -> int:
    """How many there are so far."""
    return sum('"acknowledged"' in line for line in log.read_text().splitlines()) if log.exists() else 0


def violations(keepers: Keepers, lines: list[load.Line]) -> tuple[str, ...]:
    """What is wrong with a restored venue, by what clients had been told before."""
    assert wait_until(keepers.is_settled, WHOLE_SECONDS_MAX, 0.2)
    copies = {name: keepers.journal(name) for name in keepers.standbys()}
    journal = keepers.journal(keepers.primary() or "")
    return check(History(lines=lines, journal=journal, copies=copies, members=keepers.members()))
