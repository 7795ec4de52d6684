"""The judge of state beside consensus: what it refuses, and that the shipped venue gives it no reason to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from diversite import stackfile
from diversite.judge import judge
from diversite.plan import plan
from diversite.topology import Topology
from diversite.verdict import Verdict

PASSIVE = stackfile.load(Path(__file__).parents[2] / "stacks" / "passive.yaml")


def verdict(**changes: Any) -> Verdict:
    """What is said of the passive venue, changed."""
    return judge(plan(PASSIVE.model_copy(update=changes)), remedies=False)


def blockers(found: Verdict) -> Mapping[str, str]:
    """The worst failure of each blocker, by the finding's id."""
    return {finding.id: finding.failures[0].says for finding in found.blockers}


def stores(**changes: Any) -> dict[str, Any]:
    """The venue's store, changed."""
    return {"stores": {"ledger": PASSIVE.stores["ledger"].model_copy(update=changes)}}


def test_the_shipped_venue_keeps_what_it_confirms() -> None:
    """stacks/passive.yaml meets its own objectives, those of its store and queue among them."""
    found = verdict()
    assert found.met
    assert {"stores.ledger", "stores.ledger.backup", "queues.orders"} <= {finding.id for finding in found.findings}


def test_two_members_at_one_provider_are_refused() -> None:
    """If two members share a provider, a write that they alone confirmed may be gone with it."""
    found = blockers(verdict(**stores(members={"fra": "fra", "par": "par", "hel": "hel"})))
    assert "store-ledger-fra, store-ledger-par alone can confirm a write" in found["stores.ledger"]


def test_more_copies_do_not_let_members_share() -> None:
    """However many standbys are asked for, Patroni makes do with one while the others are away."""
    changed = stores(members={"fra": "fra", "par": "par", "hel": "hel"}, synchronous=2)
    assert "alone can confirm a write" in blockers(verdict(**changed))["stores.ledger"]


def test_two_replicas_at_one_site_are_refused() -> None:
    """If a queue keeps three replicas on five members, two members of one site may acknowledge alone."""
    members = {"a": "fra", "b": "fra", "c": "par", "d": "hel", "e": "lon"}
    queue = PASSIVE.queues["orders"].model_copy(update={"members": members, "replicas": 3})
    told = blockers(verdict(queues={"orders": queue}))["queues.orders"]
    assert "site fra holds 2 of its 5 members, and 2 replicas acknowledge" in told


def test_backups_at_the_primarys_provider_are_refused() -> None:
    """A backup that one account holds with the primary is no second copy; nor is none at all."""
    assert "stand at aws" in blockers(verdict(**stores(backup="par")))["stores.ledger.backup"]
    assert "no site keeps its backups" in blockers(verdict(**stores(backup=None)))["stores.ledger.backup"]


def test_leaders_that_cannot_leave_the_primarys_site_are_refused() -> None:
    """If a queue stands where a primary may stand and nowhere else, one site's loss takes both."""
    queue = PASSIVE.queues["orders"].model_copy(update={"members": {"a": "fra", "b": "fra", "c": "fra"}})
    told = blockers(verdict(queues={"orders": queue}))["stores.ledger.leaders"]
    assert told == "queue orders can be led from site fra alone"
    assert verdict().finding("stores.ledger.leaders").met


def test_a_queue_that_does_not_sync_is_refused() -> None:
    """The software's default loses acknowledged messages in a power cut, whatever the objectives are."""
    queue = PASSIVE.queues["orders"].model_copy(update={"sync": "interval"})
    assert "sync: always" in blockers(verdict(queues={"orders": queue}))["queues.orders"]


def test_a_site_with_most_of_a_queue_is_refused() -> None:
    """If one site holds two of three members, its loss ends the queue."""
    queue = PASSIVE.queues["orders"].model_copy(update={"members": {"a": "fra", "b": "fra", "c": "hel"}})
    assert "site fra holds 2 of its 3 members" in blockers(verdict(queues={"orders": queue}))["queues.orders"]


@pytest.mark.parametrize(("limit", "met"), [(45.0, True), (20.0, False)])
def test_a_write_keeps_its_bound(limit: float, met: bool) -> None:
    """What the farthest standby costs is held against the bound, with each member lost and each as primary."""
    bounds = PASSIVE.bounds.model_copy(update={"store_write_ms_max": limit})
    assert verdict(bounds=bounds).finding("bounds.store_write_ms_max").met is met


def test_an_objective_that_the_store_breaks_says_so() -> None:
    """If a store halts with a provider, the objective that names providers is broken by it, not by the votes."""
    wanted = stackfile.loads(stackfile.dumps(PASSIVE).replace("any: site", "any: metro"))
    assert isinstance(wanted, Topology)
    moved = wanted.model_copy(update=stores(members={"fra": "fra", "two": "fra", "hel": "hel"}))
    failure = judge(plan(moved), remedies=False).finding("survive[1]").failures[0]
    assert (failure.cause, "store ledger" in failure.says) == ("state", True)
