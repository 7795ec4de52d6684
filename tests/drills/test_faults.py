"""What a person may break: every word on every domain that it can strike, and a refusal of what it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from diversite import stackfile
from diversite.errors import DiversiteError
from diversite.outcome import predict
from diversite.plan import Plan, plan
from drills import wires
from drills.faults import FAULTS, LINK_FAULTS, parse, standard_set
from drills.faults.carriage import SLOWER_MS, Slow

STACKS = Path(__file__).parents[1] / "stacks" / "good"


@pytest.fixture(scope="module")
def four() -> Plan:
    """The four-site venue."""
    return plan(stackfile.load(STACKS / "four.yaml"))


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
    domain = (
        "link:par-nbg"
        if FAULTS[word] in LINK_FAULTS
        else "provider:aws+provider:hetzner"
        if word == "ring"
        else "site:par"
    )
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
        "site:par+link:dub-hel",
    ],
)
def test_what_cannot_be_struck_is_refused(text: str, four: Plan) -> None:
    """A word on a domain that it cannot strike is a mistake of the person's, told before anything is broken."""
    with pytest.raises(DiversiteError):
        parse(text, "lab", four)


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
