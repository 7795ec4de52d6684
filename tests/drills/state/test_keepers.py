"""A drill knows whom it means, and judges by who has what at the moment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import pytest

from diversite.errors import DiversiteError, LabError
from diversite.plan import Host
from drills.observer import Answer, Observer
from drills.state import faults, switching
from drills.state.keepers import Keepers
from tests.services.venues import europe, passive

FRA, LON, HEL = "store-ledger-fra", "store-ledger-lon", "store-ledger-hel"
CLUSTER = (
    '{"members": [{"name": "store-ledger-lon", "role": "leader", "state": "running"}, '
    '{"name": "store-ledger-hel", "role": "quorum_standby", "state": "streaming"}, '
    '{"name": "store-ledger-fra", "role": "replica", "state": "starting"}]}'
)
STREAM = (
    '{"account_details": [{"stream_detail": [{"name": "orders-perp", "cluster": {"leader": "queue-orders-hel"}}]}]}'
)
SAID = {
    (LON, "/primary"): "{}",
    (LON, "/cluster"): CLUSTER,
    ("passive-perp-lon", "/working"): '{"role": "works"}',
    ("queue-orders-fra", "/jsz?accounts=true&streams=true"): STREAM,
}


class Told:
    """Answers as a lab in which lon is primary and works would."""

    def ask(self, questions: Iterable[tuple[Host, str]]) -> list[Answer]:
        """What is written above; nothing else answers."""
        return [self._answer(host, url) for host, url in questions]

    def _answer(self, host: Host, url: str) -> Answer:
        path = "/" + url.split("/", 3)[3]
        said = SAID.get((host.name, path))
        return Answer(status=200 if said else 503, body=said or "")


@pytest.fixture
def keepers() -> Keepers:
    """Of the example."""
    return Keepers("none", passive(), cast(Observer, Told()))


def test_everybody_is_found(keepers: Keepers) -> None:
    """Each by what it says of itself, standbys by what the primary says."""
    assert keepers.primary() == LON
    assert keepers.standbys() == (HEL,)
    assert keepers.worker() == "passive-perp-lon"
    assert keepers.queue_leader() == "queue-orders-hel"
    assert not keepers.is_whole()


@pytest.mark.parametrize(
    ("word", "struck"),
    [("primary-off", {LON}), ("engine-killed", {"passive-perp-lon"}), ("queue-leader-off", {"queue-orders-hel"})],
)
def test_a_fault_strikes_who_has_it_now(keepers: Keepers, word: str, struck: set[str]) -> None:
    """Not who is preferred by the plan."""
    fault = faults.FAULTS[word](keepers)
    fault.choose()
    assert set(fault.struck) == struck


@pytest.mark.parametrize(
    ("word", "outcome", "moves"),
    [
        ("primary-off", "continues", False),
        ("site-cut", "continues", True),
        ("etcd-minority", "continues", False),
        ("etcd-majority", "halts_safely", False),
        ("all-off", "halts_safely", False),
    ],
)
def test_the_model_is_asked_with_who_has_it_now(keepers: Keepers, word: str, outcome: str, moves: bool) -> None:
    """What is foretold is of the primary and the worker as they are."""
    fault = faults.FAULTS[word](keepers)
    fault.choose()
    foretold = fault.predicted()
    assert (foretold.outcome, foretold.moves) == (outcome, moves)


def test_a_process_that_dies_has_a_bound_of_its_own(keepers: Keepers) -> None:
    """The model knows losses of hosts; where a program alone dies, the project's target counts."""
    fault = faults.FAULTS["engine-killed"](keepers)
    fault.choose()
    assert fault.predicted().recovery == faults.PROCESS_DEATH_ENGINE


def test_a_member_is_meant_by_key_host_or_site(keepers: Keepers) -> None:
    """Anything else is refused with what there is."""
    for wanted in ("hel", "store-ledger-hel", "ledger-hel"):
        assert switching.member_of(keepers, wanted, store=True) == HEL
    with pytest.raises(DiversiteError, match="passive-perp-fra"):
        switching.member_of(keepers, "hel", store=False)


def test_a_venue_without_such_an_engine_is_refused() -> None:
    """The message says which there are."""
    observer: Any = Told()
    with pytest.raises(LabError, match="no active-passive engine"):
        Keepers("none", europe(), observer)
    with pytest.raises(LabError, match="it has perp"):
        Keepers("none", passive(), observer, "spot")
