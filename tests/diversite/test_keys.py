"""A keys file is whole and belongs to its venue, or every problem of it is told; and no private half gets in."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from diversite import keys
from diversite.errors import TopologyError
from diversite.keys import HostHalves, PublicHalves, ValidatorHalf
from diversite.plan import Plan, plan
from diversite.topology import Topology
from services.facts import facts_of
from tests.services.venues import europe, small
from tests.support.certificates import certificates_of
from tests.support.topologies import topologies

MADE_AT = "2026-11-22T12:00:00Z"


def public(name: str) -> str:
    """A well-formed public key that nobody holds."""
    return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


def half(name: str) -> ValidatorHalf:
    """What a validator tells."""
    key = public(name)
    return ValidatorHalf(
        public_key=key,
        address=keys.address_of(key),
        node_id=hashlib.sha1(name.encode()).hexdigest(),  # noqa: S324
    )


def hosts_of(venue: Plan, mark: str = "") -> dict[str, HostHalves]:
    """What every host of a venue tells, by its name."""
    told = {
        host.name: HostHalves(venue=venue.venue, host=host.name, made_at=MADE_AT, validator=half(host.name + mark))
        for host in venue.of_role("validator")
    }
    for site in venue.sites:
        ends = {link.name: public(f"{site} {link.name}{mark}") for link, _, _ in venue.links_at(site)}
        name = venue.gateway(site).name
        told[name] = HostHalves(venue=venue.venue, host=name, made_at=MADE_AT, tunnels=ends)
    for name, text in certificates_of(venue).items():
        told[name] = HostHalves(venue=venue.venue, host=name, made_at=MADE_AT, certificate=text)
    return told


def whole(venue: Plan) -> PublicHalves:
    """The keys of a venue, together."""
    return keys.joined(venue, hosts_of(venue).values(), None)


def test_what_hosts_tell_becomes_what_services_take(tmp_path: Path) -> None:
    """Joined, written and read again, each half is with the host that told it."""
    venue = europe()
    path = tmp_path / "europe.keys.yaml"
    path.write_text(keys.dumps(whole(venue)))
    found = keys.load(path, venue)
    assert found == whole(venue)
    assert found is not None
    facts = facts_of(found)
    assert facts.validators["par"].public_key == public("validator-par")
    assert facts.tunnels["nbg"]["par-nbg"] == public("nbg par-nbg")
    assert facts.genesis is not None
    assert facts.genesis.time == MADE_AT


def test_without_a_file_nothing_is_known(tmp_path: Path) -> None:
    """Before the first boot there is no keys file, and that is no fault."""
    assert keys.load(tmp_path / "none.keys.yaml", europe()) is None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(topologies())
def test_every_venue_has_a_keys_file(topology: Topology) -> None:
    """Whatever a stack file may state, the keys of its hosts come together, and the file says the same when read."""
    venue = plan(topology)
    assert keys.loads(keys.dumps(whole(venue))) == whole(venue)
    assert list(keys.problems_of(whole(venue), venue)) == []


def test_genesis_is_when_the_last_key_was_made() -> None:
    """No validator's key is younger than its chain."""
    venue = small()
    told = hosts_of(venue)
    told["validator-b1"] = told["validator-b1"].model_copy(update={"made_at": "2026-11-22T13:00:00Z"})
    assert keys.joined(venue, told.values(), None).genesis.time == "2026-11-22T13:00:00Z"


@dataclass(frozen=True)
class Fault:
    """A keys file with one thing wrong, and what is said of it."""

    change: Any
    says: str


def _drop(*path: str) -> Any:
    def change(document: dict[str, Any]) -> None:
        for step in path[:-1]:
            document = document[step]
        del document[path[-1]]

    return change


def _put(value: Any, *path: str) -> Any:
    def change(document: dict[str, Any]) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = value

    return change


FAULTS = {
    "a validator is missing": Fault(_drop("validators", "b1"), r"validators\.b1: is missing"),
    "a validator is not known": Fault(
        _put(half("x").model_dump(), "validators", "a11"), r"validators\.a11: is not in the topology \(did you mean a1"
    ),
    "a link is not known": Fault(_put(public("x"), "tunnels", "nbg", "gone"), r"tunnels\.nbg\.gone: is not in the top"),
    "a key is no base64": Fault(_put("&" * 44, "tunnels", "nbg", "all-par-nbg"), r"all-par-nbg: .*is no base64"),
    "a key is too short": Fault(_put("AAAA", "validators", "b1", "public_key"), r"b1\.public_key: .*32 bytes"),
    "a key is nothing": Fault(_put("A" * 43 + "=", "tunnels", "nbg", "all-par-nbg"), "is not the base64 of a public"),
    "an address is another's": Fault(_put("A" * 40, "validators", "b1", "address"), r"b1\.address: A+ is not that of"),
    "a key is there twice": Fault(
        _put(public("nbg all-par-nbg"), "tunnels", "par", "all-par-nbg"), r"par\.all-par-nbg and .* are the same key"
    ),
    "a private half is there": Fault(
        _put("secret-of-b1", "validators", "b1", "priv_key"), r"b1\.priv_key: is not a key here; a public half holds"
    ),
    "a time is none": Fault(_put("today", "genesis", "time"), r"genesis\.time: "),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_wrong_file_is_refused(fault: Fault, tmp_path: Path) -> None:
    """The message names the file and the place, and never repeats what could be a secret."""
    document = whole(small()).model_dump()
    fault.change(document)
    path = tmp_path / "small.keys.yaml"
    path.write_text(json.dumps(document))  # JSON is YAML
    with pytest.raises(TopologyError, match=fault.says) as refused:
        keys.load(path, small())
    assert str(path) in str(refused.value)
    assert "secret-of" not in str(refused.value)


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    """Who mends a file mends it in one go."""
    document = whole(small()).model_dump()
    _drop("validators", "b1")(document)
    _drop("validators", "c1")(document)
    _put(public("x"), "tunnels", "par", "gone")(document)
    path = tmp_path / "small.keys.yaml"
    path.write_text(json.dumps(document))
    with pytest.raises(TopologyError) as refused:
        keys.load(path, small())
    assert len(refused.value.problems) == 3


def test_links_that_came_later_are_awaited(tmp_path: Path) -> None:
    """Whoever adds a link or a site without validators can deploy it: only then do its gateways make keys for it."""
    document = whole(small()).model_dump()
    _drop("tunnels", "nbg", "all-par-nbg")(document)
    _drop("tunnels", "hel")(document)
    path = tmp_path / "small.keys.yaml"
    path.write_text(json.dumps(document))
    found = keys.load(path, small())
    assert found is not None
    missing = [line.partition(":")[0] for line in keys.awaited(found, small())]
    assert missing == ["tunnels.nbg.all-par-nbg", "tunnels.hel"]


def test_a_validator_that_came_later_is_awaited(tmp_path: Path) -> None:
    """It can be deployed before it has keys, and what the chain began with stays as it was once it has told them."""
    venue, path = small(), tmp_path / "small.keys.yaml"
    document = whole(venue).model_dump()
    _drop("genesis", "validators", "c1")(document)
    _drop("validators", "c1")(document)
    path.write_text(json.dumps(document))
    before = keys.load(path, venue)
    assert before is not None
    assert [line.partition(":")[0] for line in keys.awaited(before, venue)] == ["validators.c1"]
    after = keys.joined(venue, [hosts_of(venue)["validator-c1"]], before)
    assert after.validators["c1"] == half("validator-c1")
    assert after.genesis == before.genesis
    assert list(keys.awaited(after, venue)) == []


def test_a_validator_that_left_takes_its_keys_along() -> None:
    """Joined without any file, the keys are those of the plan; genesis still has the one that left."""
    venue = small()
    extra = whole(venue).model_copy(update={"validators": {**whole(venue).validators, "gone": half("gone")}})
    assert [line for line in keys.problems_of(extra, venue) if "takes it out" in line]
    assert keys.joined(venue, [], extra) == whole(venue)


def test_what_is_no_keys_file_is_refused() -> None:
    """An empty file, a list and broken YAML each get an answer."""
    for text in ("", "- a\n", "a: [", "a: 1\na: 2\n"):
        with pytest.raises(TopologyError, match="keys file"):
            keys.loads(text)


def test_a_half_brought_together_file_is_not_written() -> None:
    """What has not told its keys is named."""
    told = hosts_of(small())
    del told["gateway-hel"], told["validator-c1"]
    with pytest.raises(TopologyError, match=r"validators\.c1: is missing[\s\S]*tunnels\.hel: is missing"):
        keys.joined(small(), told.values(), None)


def test_a_key_does_not_change_by_itself() -> None:
    """A host that tells another key than before is refused by name, unless it is named as one with new keys."""
    venue = small()
    before, now = whole(venue), hosts_of(venue, "again")
    with pytest.raises(TopologyError, match=r"validator-a1: tells other keys.*--replace validator-a1"):
        keys.joined(venue, [now["validator-a1"]], before)
    with pytest.raises(TopologyError, match="gateway-par: tells other keys"):
        keys.joined(venue, [now["gateway-par"], now["validator-a1"]], before, {"validator-a1"})
    after = keys.joined(venue, [now["validator-a1"]], before, {"validator-a1"})
    assert after.validators["a1"] == half("validator-a1again")
    assert (after.validators["a2"], after.genesis) == (before.validators["a2"], before.genesis)


def test_a_replacement_that_replaces_nothing_is_a_mistake() -> None:
    """Whoever misspells a host learns of it."""
    venue = small()
    with pytest.raises(TopologyError, match="--replace validator-zz: it tells no key that differs"):
        keys.joined(venue, hosts_of(venue).values(), whole(venue), {"validator-zz"})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"venue": "other"}, "is a host of venue other, not of test"),
        ({"host": "validator-a9"}, r"is no host of the venue \(did you mean"),
        ({"host": "engine-a1"}, "tells not what a engine tells"),
        ({"host": "gateway-par"}, "tells not what a gateway tells"),
    ],
)
def test_a_strangers_keys_are_refused(change: dict[str, str], says: str) -> None:
    """Only the hosts of this venue, each by what its role makes."""
    stranger = hosts_of(small())["validator-a1"].model_copy(update=change)
    with pytest.raises(TopologyError, match=says):
        keys.joined(small(), [stranger], None)


def test_several_hosts_may_tell_in_one_text() -> None:
    """What an operator concatenates is read; what is no JSON, or a private key's file, is refused without its words."""
    told = list(hosts_of(small()).values())
    text = "\n".join(each.model_dump_json(exclude_none=True) for each in told)
    assert keys.told(text, "-") == tuple(told)
    for wrong in ("{", '{"priv_key": {"value": "secret-of-a1"}}', "[]", "secret-of-a1"):
        with pytest.raises(TopologyError, match=r"^mine") as refused:
            keys.told(wrong, "mine")
        assert "secret-of" not in str(refused.value)
