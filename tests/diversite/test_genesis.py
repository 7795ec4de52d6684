"""A chain keeps what it began with: an edited plan changes nothing of it, and is told what it may and may not get."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from diversite import genesis
from diversite.errors import TopologyError
from diversite.genesis import Genesis
from diversite.plan import Plan, plan
from diversite.topology import Market
from services import cometbft
from tests.diversite.test_keys import public
from tests.services.venues import small

MADE_AT = "2026-11-22T12:00:00Z"


def keys_of(venue: Plan, mark: str = "") -> dict[str, str]:
    """A public key for every validator."""
    return {host.key: public(host.key + mark) for host in venue.of_role("validator")}


def begun(venue: Plan) -> Genesis:
    """What the chain of a venue begins with."""
    return genesis.genesis_of(venue, keys_of(venue), MADE_AT)


def edited(venue: Plan, **parts: Any) -> Plan:
    """The venue with parts of its stack file replaced."""
    return plan(venue.topology.model_copy(update=parts))


def with_power(venue: Plan, **powers: int) -> Plan:
    """The venue whose validators have other relative powers."""
    known = venue.topology.validators
    changed = {key: known[key].model_copy(update={"power": power}) for key, power in powers.items()}
    return edited(venue, validators={**known, **changed})


def without(venue: Plan, name: str) -> Plan:
    """The venue without one validator and its engine."""
    kept = {part: {k: v for k, v in getattr(venue.topology, part).items() if k != name} for part in _PARTS}
    return edited(venue, **kept)


_PARTS = ("validators", "engines")


def changes(began: Genesis, now: Plan, keys: Mapping[str, str]) -> list[str]:
    """What is told of a plan."""
    return list(genesis.changes_of(began, now, keys, "europe"))


def test_an_unchanged_plan_asks_for_nothing() -> None:
    """What began as planned is as planned."""
    venue = small()
    assert list(genesis.problems_of(begun(venue), venue)) == []
    assert changes(begun(venue), venue, keys_of(venue)) == []


def test_a_validator_that_came_later_joins_by_transaction() -> None:
    """It is told by name, with the command; the powers that moved only in their order are not."""
    venue = small()
    (told,) = changes(begun(without(venue, "a2")), venue, keys_of(venue))
    assert told.startswith("validator a2 joins")
    assert told.endswith("diversite power europe a2 --operator FILE")
    assert list(genesis.problems_of(begun(without(venue, "a2")), venue)) == []


def test_a_validator_that_left_is_named_by_its_key() -> None:
    """The stack file has no name for it any more."""
    venue = small()
    (told,) = changes(begun(venue), without(venue, "a2"), keys_of(venue))
    assert told.endswith(f"diversite power europe {public('a2')} --to 0 --operator FILE")


def test_other_power_is_told_in_the_stack_files_units() -> None:
    """An edited power changes nothing by itself."""
    venue = small()
    (told,) = changes(begun(venue), with_power(venue, b1=2), keys_of(venue))
    assert told.startswith("validator b1 has a power of 1 in genesis and 2 in the stack file")
    assert told.endswith("diversite power europe b1 --operator FILE")


def test_a_new_key_has_no_power_and_the_old_one_keeps_its() -> None:
    """A validator with a new disk is two to the chain: one to take in, one to take out."""
    venue = small()
    told = changes(begun(venue), venue, keys_of(venue) | {"b1": public("b1 again")})
    assert [line.partition(" --operator")[0].rpartition("europe ")[2] for line in told] == [
        "b1",
        f"{public('b1')} --to 0",
    ]


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"markets": {"ETH-PERP": Market(tick=2)}}, r"markets: .* differ in BTC-PERP, ETH-PERP"),
        ({"operators": (public("somebody"),)}, r"operators: .* differ in"),
    ],
    ids=["markets", "operators"],
)
def test_what_no_transaction_changes_is_refused(parts: dict[str, Any], says: str) -> None:
    """An edit that would silently do nothing is an error that names what differs and what to do."""
    venue = small()
    with pytest.raises(TopologyError, match=says) as refused:
        genesis.require_kept(begun(venue), edited(venue, **parts), "this chain")
    assert "What no transaction changes" in str(refused.value)


def test_a_release_with_other_limits_leaves_a_chain_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """No stack file has them, so nobody is refused, and every validator gets those that the chain began with."""
    venue = small()
    began = begun(venue)
    for name in ("ORDER_BYTES_MAX", "BLOCK_BYTES_MAX", "EVIDENCE_BLOCKS_MAX", "EVIDENCE_SECONDS_MAX"):
        monkeypatch.setattr(genesis, name, 2 * getattr(genesis, name))
    later = begun(venue)
    assert (later.consensus_params, later.app_state) != (began.consensus_params, began.app_state)
    assert list(genesis.problems_of(began, venue)) == []
    kept = json.loads(cometbft.genesis(began))
    assert kept["consensus_params"]["block"] == began.consensus_params["block"]
    assert kept["app_state"]["order_bytes_max"] == began.app_state.order_bytes_max


def test_a_chain_has_one_name() -> None:
    """A venue that is renamed would be another chain."""
    venue = small()
    renamed = begun(venue).model_copy(update={"chain": "other"})
    (told,) = genesis.problems_of(renamed, venue)
    assert "the chain is other, and the stack file's venue test" in told
