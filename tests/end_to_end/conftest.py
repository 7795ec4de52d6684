"""One lab of four sites for the tests of a file, gone without a trace before the next file has the cores to itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.observer import Observer
from drills.rehearsal import Rehearsal
from lab.layout import DIRECTORY_VARIABLE
from tests.end_to_end.checkout import Checkout

FOUR = "four"
"""The topology; its stack, and so its lab, is `lab-four`."""
LAB = "lab-four"
READY_SECONDS_MAX = 120
SPARE = "  par-nbg-spare: {kind: wireguard, ends: [par, nbg], carrier: transit-c, preference: 2}\n"
"""A second link of a pair, over another carrier, which takes over when the first one fails."""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkout]:
    """A copy of the project for one test; what it leaves is taken down."""
    yield from _made(tmp_path / "diversite", monkeypatch)


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A copy of the project in which the four sites run."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for made in _made(tmp_path_factory.mktemp("venue") / "diversite", monkeypatch):
            made.edit(FOUR, "order_entry:\n", f"{SPARE}order_entry:\n")
            made.run("lab", "up", FOUR)
            yield made


@pytest.fixture
def rehearsal(venue: Checkout, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rehearsal]:
    """The shared lab under observation, every engine ready."""
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(venue.labs))
    planned = venue.plan(FOUR)
    with Observer(LAB, planned) as observer:
        watched = Rehearsal(LAB, planned, observer)
        watched.await_blocks(READY_SECONDS_MAX)
        yield watched


def _made(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkout]:
    made = Checkout.make(directory)
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(made.labs))
    before = made.census()
    during = before
    try:
        yield made
        during = made.census()
    finally:
        made.run("lab", "down", "--all")
    assert made.census().left_of(during, before) == []
