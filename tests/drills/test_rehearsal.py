"""What a rehearsal calls true, equal and lost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversite.errors import LabError
from diversite.plan import Host, Plan
from drills.load import Fate, Line
from drills.observer import Observer
from drills.rehearsal import Books, Pair, Phases, Rehearsal
from tests.services.venues import europe
from workloads.engine import orders


def pair(planned_ms: float, observed_ms: float) -> Pair:
    """A pair of sites whose round trip was measured."""
    return Pair(a="par", b="dub", catalogue_ms=planned_ms, planned_ms=planned_ms, observed_ms=observed_ms, via=())


@pytest.mark.parametrize(
    ("planned_ms", "observed_ms", "is_true"),
    [
        (10.0, 10.0, True),
        (10.0, 11.0, True),
        (10.0, 9.0, True),
        (10.0, 11.01, False),
        (10.0, 8.99, False),
        (40.0, 41.0, True),
        (40.0, 41.1, False),
        (100.0, 102.0, True),
        (100.0, 102.1, False),
        (100.0, 97.9, False),
        (0.0, 1.0, True),
    ],
)
def test_a_round_trip_is_true_within_its_bounds(planned_ms: float, observed_ms: float, is_true: bool) -> None:
    """A millisecond up to 40 ms, two per cent beyond, to either side."""
    assert pair(planned_ms, observed_ms).is_true is is_true


def test_a_round_trip_that_nothing_answered_is_not_true() -> None:
    """No answer is no measurement."""
    assert not pair(10.0, float("nan")).is_true


@given(planned_ms=st.floats(0, 500), error_ms=st.floats(-20, 20))
def test_the_bounds_only_widen_with_the_distance(planned_ms: float, error_ms: float) -> None:
    """An error that is true of a short way is true of a longer one."""
    if pair(planned_ms, planned_ms + error_ms).is_true:
        assert pair(planned_ms * 2 + 1, (planned_ms * 2 + 1) + error_ms * 0.999).is_true


@pytest.mark.parametrize(
    ("hashes", "are_equal"),
    [
        ({"a": "00", "b": "00"}, True),
        ({"a": "00", "b": "01"}, False),
        ({"a": "00", "b": None}, False),
        ({"a": None, "b": None}, False),
        ({}, False),
    ],
)
def test_books_are_equal_only_if_all_are_known(hashes: dict[str, str | None], are_equal: bool) -> None:
    """An engine that has not the height, or does not answer, is no engine that agrees."""
    assert Books(height=7, hashes=hashes).are_equal is are_equal


def test_phases_add_up() -> None:
    """Clients send through all of them."""
    assert Phases(calm_seconds=1, lost_seconds=2, back_seconds=3).seconds == 6


class Chain:
    """An observer that knows only blocks, and books by height."""

    def __init__(self, blocks: Mapping[int, list[bytes]], hashes: Mapping[str, str | None] | None = None) -> None:
        self._blocks = blocks
        self._hashes = hashes or {}
        self.asked: list[int] = []

    def transactions(self, validator: Host, heights: Iterable[int]) -> list[tuple[int, bytes]]:
        """Those in the blocks asked for."""
        self.asked = list(heights)
        return [(height, text) for height in self.asked for text in self._blocks.get(height, [])]

    def statuses(self) -> Mapping[str, Any]:
        """Every engine at height 7."""
        return {host.name: {"height": 7} for host in europe().of_role("engine")}

    def hashes(self, height: int) -> Mapping[str, str | None]:
        """The same of every engine but those of which something else was said."""
        return {host.name: self._hashes.get(host.name, "00") for host in europe().of_role("engine")}


def transaction(key: str) -> bytes:
    """An order as it stands in a block."""
    fields = {"kind": "new", "client": "c", "key": key, "market": "M", "side": "buy", "price": 1, "quantity": 1}
    return orders.encode(orders.from_fields({**fields, "lifetime": "gtc"}))


def line(key: str, fate: Fate = "acknowledged", height: int | None = 5) -> Line:
    """What became of an order."""
    return Line(
        number=0,
        key=key,
        client="c",
        fate=fate,
        entrance="",
        attempts=1,
        intended_seconds=0.0,
        settled_seconds=0.1,
        height=height,
    )


def watching(chain: Chain) -> Rehearsal:
    """A rehearsal of the flagship that sees a chain instead of a lab."""
    return Rehearsal("lab", europe(), cast(Observer, chain))


def test_an_acknowledged_order_that_is_in_no_block_is_missing() -> None:
    """Only what was acknowledged can be lost, and every such order is looked for in the blocks."""
    rehearsal = watching(Chain({5: [transaction("kept")], 6: []}))
    lines = [
        line("kept"),
        line("lost", height=6),
        line("refused", "refused", None),
        line("late", "indeterminate", None),
    ]
    fates = rehearsal.fates(lines, europe().of_role("validator")[0])
    assert (fates.acknowledged, fates.missing, fates.repeated) == (2, ("c/lost",), ())


def test_an_order_in_two_blocks_is_repeated() -> None:
    """Executed twice is as wrong as lost."""
    rehearsal = watching(Chain({5: [transaction("twice")], 6: [transaction("other")], 7: [transaction("twice")]}))
    fates = rehearsal.fates([line("twice"), line("other", height=7)], europe().of_role("validator")[0])
    assert (fates.missing, fates.repeated) == ((), ("c/twice",))


def test_every_block_between_the_first_and_the_last_is_looked_into() -> None:
    """A gap between acknowledged heights hides nothing."""
    chain = Chain({})
    watching(chain).fates([line("a", height=5), line("b", height=9)], europe().of_role("validator")[0])
    assert chain.asked == [5, 6, 7, 8, 9]


def test_without_acknowledged_orders_no_block_is_asked_for() -> None:
    """Nothing can be missing of nothing."""
    chain = Chain({})
    fates = watching(chain).fates([line("r", "refused", None)], europe().of_role("validator")[0])
    assert (fates.acknowledged, fates.missing, fates.repeated, chain.asked) == (0, (), (), [])


def test_books_without_a_site_leave_its_engines_out() -> None:
    """A lost site is not waited for."""
    books = watching(Chain({}, {"engine-par": None})).books(without="par")
    assert "engine-par" not in books.hashes
    assert books.are_equal
    assert len(books.hashes) == 6


def test_books_that_never_come_are_an_error_with_a_next_step() -> None:
    """Waiting ends, and says what for and where to look."""
    with pytest.raises(LabError, match=r"lab lab: waited 0 s for every engine to reach height 7.*diversite lab status"):
        watching(Chain({}, {"engine-par": None})).books(seconds_max=0)


def test_a_pair_tells_both_the_places_and_the_links() -> None:
    """Where traffic takes another way than the direct link, the catalogue's figure and the plan's differ."""
    rehearsal = watching(Chain({}))
    found = {names: rehearsal._pair(*names, 1.0) for names in (("par", "dub"), ("dub", "nbg"))}
    assert found["par", "dub"].via == ()
    assert found["par", "dub"].catalogue_ms == found["par", "dub"].planned_ms
    assert found["dub", "nbg"].via
    assert found["dub", "nbg"].planned_ms < found["dub", "nbg"].catalogue_ms


def test_a_lost_site_loses_its_links_and_its_clients() -> None:
    """Cutting a site off takes every link at it, and the way of clients to its entrance."""
    planned: Plan = europe()
    wires = watching(Chain({}))._wires("par")
    assert set(wires) == {link.name for link in planned.links.values() if "par" in link.sites} | {"entry-par-access"}


def test_sent_bytes_are_those_of_links_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a router sends into its own site costs no egress."""
    planned = europe()
    names = [here.interface for _, here, _ in planned.links_at("par")]
    told = [{"ifname": name, "stats64": {"tx": {"bytes": 10}}} for name in [*names, "lan0", "lo"]]
    answer = SimpleNamespace(stdout=json.dumps(told))
    monkeypatch.setattr("drills.rehearsal.control.run", lambda *_: answer)
    assert watching(Chain({}))._sent_bytes("par") == 10 * len(names)
