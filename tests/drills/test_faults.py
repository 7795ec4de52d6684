"""What a person may break: every word on every domain that it can strike, and a refusal of what it cannot."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from diversite.errors import DiversiteError
from diversite.outcome import predict
from diversite.plan import Plan
from drills import operator, wires
from drills.faults import FAULTS, LINK_FAULTS, parse, standard_set
from drills.faults.carriage import SLOWER_MS, Slow
from drills.faults.removal import Remove
from drills.faults.sites import Part

OPERATOR = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"the operator of the venues that tests run").digest())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("site:par", "power-off:site:aws/eu-west-3/euw3-az1"),
        ("host:validator-par", "kill:host:validator-par"),
        ("link:par-nbg", "cut:link:par-nbg"),
        ("carrier:transit-a", "cut:carrier:transit-a"),
        ("pause:site:par", "pause:site:aws/eu-west-3/euw3-az1"),
        ("one-way:link:par-nbg", "one-way:link:par-nbg"),
        ("provider:hetzner", "power-off:provider:hetzner"),
        ("cut-off:synchronous_area:nordic", "cut-off:synchronous_area:nordic"),
    ],
)
def test_a_word_or_none_names_a_fault(text: str, name: str, four: Plan) -> None:
    """Sites lose their power, hosts are killed, links are cut, unless a word says otherwise."""
    assert parse(text, "lab", four).name == name


@pytest.mark.parametrize("word", FAULTS)
def test_every_fault_is_written_as_it_is_read(word: str, four: Plan) -> None:
    """The name of a fault, typed again, is the same fault."""
    wholes = {"ring": "provider:aws+provider:hetzner"}
    domain = "link:par-nbg" if FAULTS[word] in LINK_FAULTS else wholes.get(word, "site:par")
    fault = parse(f"{word}:{domain}", "lab", four)
    assert parse(fault.name, "lab", four).name == fault.name


@pytest.mark.parametrize(
    "text",
    [
        "cut:site:par",
        "kill:link:par-nbg",
        "power-off:host:validator-par",
        "control_plane:aws",
        "melt:site:par",
        "disk-full:host:gateway-par",
        "old-disk:provider:aws+provider:hetzner",
        "part:provider:aws+provider:hetzner",
        "ring:provider:aws",
        "bad-release:host:validator-par",
        "remove:provider:aws",
        "site:par+link:dub-hel",
    ],
)
def test_what_cannot_be_struck_is_refused(text: str, four: Plan) -> None:
    """A word on a domain that it cannot strike is a mistake of the person's, told before anything is broken."""
    with pytest.raises(DiversiteError):
        parse(text, "lab", four)


def test_sites_that_are_parted_together_are_one_side(four: Plan) -> None:
    """Only the links between the two sides are cut, and each side is predicted by what is left of it."""
    fault = parse("part:provider:hetzner", "lab", four)
    assert isinstance(fault, Part)
    assert set(fault.wires) == {"par-nbg", "dub-hel"}
    assert fault.predicted().outcome == "halts_safely"
    assert parse("part:site:par", "lab", four).predicted().outcome == "continues"


def test_a_full_disk_takes_its_validator_and_no_engine(four: Plan) -> None:
    """An engine serves from memory and keeps its state later; a validator that cannot write cannot vote."""
    assert parse("disk-full:host:engine-par", "lab", four).predicted().lost_power == 0
    assert parse("disk-full:site:par", "lab", four).predicted().lost_power > 0


def test_a_bad_release_in_one_provider_halts_its_share(four: Plan) -> None:
    """Engines of one release come to the same block together: of half of the power a halt, of a site none."""
    assert parse("bad-release:provider:aws", "lab", four).predicted().outcome == "halts_safely"
    assert parse("bad-release:site:par", "lab", four).predicted().outcome == "continues"


def test_nobody_is_removed_without_an_operator(four: Plan, tmp_path: Path) -> None:
    """Without a key, with what is none, or with a stranger's, nothing is broken, and it is told what is missing."""
    fault = parse("remove:host:validator-par", "lab", four)
    assert isinstance(fault, Remove)
    with pytest.raises(DiversiteError, match="--operator"):
        fault.prepare()
    fault.operator_key = tmp_path / "operator.key"
    for content, said in (("?", "not an operator's key"), (base64.b64encode(bytes(32)).decode(), "under `operators`")):
        fault.operator_key.write_text(content)
        with pytest.raises(DiversiteError, match=said):
            fault.prepare()


def test_the_tests_operator_is_one_of_the_venue(four: Plan) -> None:
    """The key whose private half the tests hold is the one that their stack file names."""
    operator.require_known(OPERATOR, four)


def test_all_sites_at_once_halt_and_lose_nothing(four: Plan) -> None:
    """Domains joined by a plus fail together; without power the venue halts, and the disks keep every order."""
    fault = parse("power-cut:provider:aws+provider:hetzner", "lab", four)
    assert {host.name for host in fault.hosts} == set(four.hosts)
    predicted = fault.predicted()
    assert (predicted.outcome, predicted.orders_lost) == ("halts_safely", 0)


@pytest.mark.parametrize("text", ["site:par", "provider:hetzner", "host:validator-par", "carrier:transit-a"])
def test_what_leaves_the_disks_is_predicted_as_the_loss_is(text: str, four: Plan) -> None:
    """Short of a whole quorum destroyed, a drill's prediction is that of `diversite whatif --lose`."""
    fault = parse(text, "lab", four)
    lost = predict(four, fault.domains)
    assert (fault.predicted().outcome, fault.predicted().rows()) == (lost.outcome, lost.rows())


def test_a_site_takes_all_that_is_there(four: Plan) -> None:
    """A fault on a domain strikes every host in it, and every wire of its sites."""
    fault = parse("power-off:site:par", "lab", four)
    assert {host.name for host in fault.hosts} == {"gateway-par", "validator-par", "engine-par", "entry-par"}
    assert set(wires.of_sites(four, fault.sites)) == {"aws-par-dub", "par-nbg", "entry-par-access"}


def test_a_slow_link_is_predicted_over_the_same_routes(four: Plan) -> None:
    """Routing costs are configured, so a slow link keeps its traffic and every order over it takes longer."""
    fault = parse("slow:link:par-nbg", "lab", four)
    assert isinstance(fault, Slow)
    changed = wires.slower(four, frozenset(fault.links), SLOWER_MS)
    pairs = [pair for pair, route in four.routes.items() if "par-nbg" in route.links]
    assert pairs
    assert all(changed.routes[pair].rtt_ms == four.routes[pair].rtt_ms + SLOWER_MS for pair in pairs)
    slow, calm = fault.predicted().latency, predict(four, []).latency
    assert slow is not None
    assert calm is not None
    assert slow.p50_ms.low > calm.p50_ms.low


@pytest.mark.parametrize("word", ["flap", "loss", "duplicate", "reorder", "corrupt"])
def test_what_garbles_promises_no_figure_but_no_lost_order(word: str, four: Plan) -> None:
    """The model does not know what retransmissions cost, and says nothing rather than something."""
    predicted = parse(f"{word}:link:par-nbg", "lab", four).predicted()
    assert predicted.outcome == "continues"
    assert [row.name for row in predicted.rows()] == ["orders_lost"]


def test_the_standard_set_has_each_main_fault(four: Plan) -> None:
    """A validator, a site, a grid, a link, a provider and an entrance; the grid is one that the venue survives."""
    faults = standard_set("lab", four)
    assert [fault.name.split(":")[0] for fault in faults] == [
        "kill",
        "power-off",
        "power-off",
        "cut",
        "power-off",
        "kill",
    ]
    assert faults[2].predicted().outcome == "continues"
    assert faults[2].domains[0].kind in {"synchronous_area", "control_area", "local_grid"}
    assert faults[5].hosts[0].role == "entry"
