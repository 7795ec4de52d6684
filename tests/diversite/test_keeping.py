"""State beside consensus, decided: who stands where, with which timers, and what a write costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from diversite import stackfile
from diversite.errors import PlanError
from diversite.keeping import ETCD_ELECTION_HEARTBEATS, LATEST, restored, write_ms
from diversite.plan import Plan, plan

STACKS = Path(__file__).parents[2] / "stacks"


@pytest.fixture(scope="module")
def passive() -> Plan:
    """The venue with a store, a queue and an active-passive engine."""
    return plan(stackfile.load(STACKS / "passive.yaml"))


def test_every_member_is_a_host(passive: Plan) -> None:
    """Each member of a store, a queue and an active-passive engine stands on a host of its own at its site."""
    kept = passive.keepings
    groups = [kept.stores["ledger"].members, kept.queues["orders"].members, kept.engines["perp"].members]
    for members in groups:
        assert {name: passive.hosts[name].site for name in members} == dict(members)
    assert len({passive.hosts[name].address for members in groups for name in members}) == 8


def test_the_primary_is_a_member(passive: Plan) -> None:
    """The store's primary is one of its hosts, at the site that the topology names."""
    ledger = passive.keepings.stores["ledger"]
    assert ledger.members[ledger.primary] == "fra"


def test_heartbeats_are_no_shorter_than_the_way(passive: Plan) -> None:
    """An etcd that beats faster than its packets travel elects leaders for nothing."""
    ledger = passive.keepings.stores["ledger"]
    sites = set(ledger.members.values())
    longest = max(passive.one_way_ms[a, b] + passive.one_way_ms[b, a] for a in sites for b in sites)
    assert ledger.timing.etcd_heartbeat_ms >= longest
    assert ledger.timing.etcd_election_ms == ETCD_ELECTION_HEARTBEATS * ledger.timing.etcd_heartbeat_ms


def test_a_write_waits_for_its_nearest_standby(passive: Plan) -> None:
    """With one synchronous standby a write takes the round trip to the nearest, and to the other when that is lost."""
    ledger = passive.keepings.stores["ledger"]
    to_london = 2 * passive.one_way_ms["fra", "lon"]
    to_helsinki = 2 * passive.one_way_ms["fra", "hel"]
    assert write_ms(ledger, ledger.primary, passive.one_way_ms) == pytest.approx(min(to_london, to_helsinki))
    lost = frozenset({"store-ledger-lon"})
    assert write_ms(ledger, ledger.primary, passive.one_way_ms, lost) == pytest.approx(to_helsinki)


def test_without_standbys_no_write_is_confirmed(passive: Plan) -> None:
    """Where too few standbys are left a write costs no time: it is not confirmed at all."""
    ledger = passive.keepings.stores["ledger"]
    lost = frozenset(ledger.members) - {ledger.primary}
    assert write_ms(ledger, ledger.primary, passive.one_way_ms, lost) is None


def test_a_rehearsal_keeps_backups_where_the_primary_is_not(passive: Plan) -> None:
    """The member at the backup site has the repository, or the nearest to it that is not the primary; none without."""
    assert passive.keepings.stores["ledger"].repository == "store-ledger-hel"
    assert _repository(passive, "par") == "store-ledger-lon"
    assert _repository(passive, "fra") != passive.keepings.stores["ledger"].primary
    assert _repository(passive, None) is None


def test_a_restored_store_differs_in_nothing_else(passive: Plan) -> None:
    """Where it begins is told by an instant with its zone, or by `latest`; anything else is refused."""
    kept = passive.keepings
    assert restored(kept, None) is kept
    for until in (LATEST, "2026-11-22T18:00:00Z", "2026-11-22T19:00:00.5+01:00"):
        begun = restored(kept, until).stores["ledger"]
        assert begun == replace(kept.stores["ledger"], restored=until)
    for until in ("yesterday", "2026-11-22T18:00:00"):
        with pytest.raises(PlanError, match="its zone"):
            restored(kept, until)


def _repository(passive: Plan, backup: str | None) -> str | None:
    store = passive.topology.stores["ledger"].model_copy(update={"backup": backup})
    topology = passive.topology.model_copy(update={"stores": {"ledger": store}})
    return plan(topology).keepings.stores["ledger"].repository
