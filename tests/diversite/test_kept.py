"""What losses leave of stores, queues and active-passive engines, against an enumeration for small groups."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversite import stackfile
from diversite.keeping import Keepings, StorePlan
from diversite.kept import Kept, Missing, kept
from diversite.plan import plan
from diversite.standing import CLASSES

PASSIVE = plan(stackfile.load(Path(__file__).parents[2] / "stacks" / "passive.yaml"))
KEEPINGS = PASSIVE.keepings
LEDGER = KEEPINGS.stores["ledger"]
WHOLE = (frozenset(PASSIVE.sites),)
MEMBERS = sorted({*LEDGER.members, *KEEPINGS.queues["orders"].members, *KEEPINGS.engines["perp"].members})


def after(stopped: set[str], destroyed: set[str] | None = None, islands: object = WHOLE) -> dict[str, Kept]:
    """What becomes of each, by its name."""
    missing = Missing(
        stopped=frozenset(stopped),
        destroyed=frozenset(destroyed or ()),
        islands=islands,  # type: ignore[arg-type]
    )
    return {item.name: item for item in kept(KEEPINGS, missing)}


def test_nothing_lost_nothing_stops() -> None:
    """While all are well everything goes on, and nobody takes over."""
    found = after(set())
    assert {(item.outcome, item.moves, item.recovery) for item in found.values()} == {("continues", False, (0.0, 0.0))}


def test_a_lost_primary_is_replaced() -> None:
    """Without its primary a store goes on after the leader's key has expired, and the engine waits for it."""
    found = after({"store-ledger-fra"})
    ledger, perp = found["store ledger"], found["engine perp"]
    assert ledger.moves
    assert ledger.recovery
    assert perp.recovery
    assert ledger.recovery.low >= LEDGER.timing.patroni_ttl_seconds - 2
    assert perp.recovery.high >= ledger.recovery.high


def test_a_lost_standby_costs_at_most_an_election() -> None:
    """A store whose primary is there goes on while one standby is left; etcd may have to elect."""
    ledger = after({"store-ledger-hel"})["store ledger"]
    assert (ledger.outcome, ledger.moves) == ("continues", False)
    assert ledger.recovery
    assert ledger.recovery.high < LEDGER.timing.patroni_ttl_seconds


def test_without_a_majority_nobody_is_primary() -> None:
    """Two of three members lost: the store halts, loses nothing, and the engine with it."""
    found = after({"store-ledger-hel", "store-ledger-lon"})
    assert found["store ledger"].outcome == "halts_safely"
    assert found["engine perp"].outcome == "halts_safely"
    assert "store ledger" in found["engine perp"].reason


def test_disks_lost_with_everyone_who_had_a_write_lose_it() -> None:
    """A confirmed write is on the primary and one standby: when two disks are gone, it may be gone."""
    found = after({"store-ledger-fra", "store-ledger-lon"}, {"store-ledger-fra", "store-ledger-lon"})
    assert found["store ledger"].outcome == "could_lose_data"


def test_a_cut_off_primary_does_not_stay_primary() -> None:
    """The island with most of etcd promotes; the primary's own island has no majority."""
    islands = (frozenset({"fra"}), frozenset({"lon", "hel", "par"}))
    assert after(set(), islands=islands)["store ledger"].moves


def test_a_queue_that_does_not_sync_could_lose() -> None:
    """With the software's default of syncing every two minutes the stop of one host may lose acknowledged messages."""
    queues = {name: replace(queue, sync_always=False) for name, queue in KEEPINGS.queues.items()}
    missing = Missing(stopped=frozenset({"queue-orders-fra"}), destroyed=frozenset(), islands=WHOLE)
    found = {item.name: item for item in kept(replace(KEEPINGS, queues=queues), missing)}
    assert found["queue orders"].outcome == "could_lose_data"


@given(st.sets(st.sampled_from(MEMBERS)), st.sets(st.sampled_from(MEMBERS)))
def test_losing_more_never_helps(first: set[str], more: set[str]) -> None:
    """Whatever else stops and is destroyed, nothing fares better than before."""
    before, then = after(first, first), after(first | more, first | more)
    for name, item in before.items():
        assert CLASSES.index(then[name].outcome) >= CLASSES.index(item.outcome)


@pytest.mark.parametrize(("size", "synchronous"), [(3, 1), (3, 2), (5, 1), (5, 2), (5, 3)])
def test_a_promoted_standby_has_every_confirmed_write(size: int, synchronous: int) -> None:
    """Enumerated: whenever a standby is promoted, each write that any standbys confirmed is on one that is left."""
    store = _store_of(size, synchronous)
    standbys = [host for host in store.members if host != store.primary]
    for count in range(size):
        for stopped in map(set, combinations(store.members, count)):
            (found,) = kept(Keepings(stores={"s": store}, queues={}, engines={}), _stopped(stopped, store))
            left = {host for host in standbys if host not in stopped}
            if found.moves:
                assert all(left & set(holders) for holders in combinations(standbys, synchronous))


def _store_of(size: int, synchronous: int) -> StorePlan:
    members = {f"m{index}": f"s{index}" for index in range(size)}
    return replace(LEDGER, name="s", members=members, primary="m0", synchronous=synchronous)


def _stopped(stopped: set[str], store: StorePlan) -> Missing:
    sites = frozenset(store.members.values())
    return Missing(stopped=frozenset(stopped), destroyed=frozenset(), islands=(sites,))
