"""`diversite whatif` as people and programs read it."""

from __future__ import annotations

import pytest

from tests.cli.conftest import UNMET, Run


def test_a_loss_is_told_with_its_reasons(run: Run) -> None:
    """What continues, how soon, by which terms and sources, and what a person must do."""
    ran = run("whatif", "europe", "--lose", "provider:gcp")
    assert ran.code == 0
    for told in (
        "europe: loses provider:gcp",
        "the venue continues",
        "consensus continues: 2 of 7 (28.5 %) of the voting power takes no part",
        "stopped: engine-ldn, engine-sto",
        "acknowledged orders lost: 0",
        "first acknowledgement of a new order after",
        "acknowledgements until the lost are back: p50",
        "S(1) of the plan's time-outs",
        "to do: replace a validator whose disk is gone only after its old signer is deleted",
    ):
        assert told in ran.out


def test_programs_read_the_whole_outcome(run: Run) -> None:
    """The JSON has the outcome's fields, intervals with both ends, and the figures that a drill measures."""
    told = run("whatif", "--format", "json", "--lose", "region:aws/eu-west-3", "--lose", "carrier:transit-b").json
    assert (told["outcome"], told["lost"]) == ("continues", ["provider_region:aws/eu-west-3", "carrier:transit-b"])
    assert told["rto_seconds"]["low"] <= told["rto_seconds"]["high"]
    assert {"rto_seconds", "gap_seconds", "p50_ms", "p99_ms", "orders_lost"} == {row["name"] for row in told["figures"]}
    assert told["reroutes"][0]["before"]["links"]


def test_losing_too_much_halts_safely(run: Run) -> None:
    """Without a quorum nothing is lost, no time is promised, and what must come back is told."""
    told = run("whatif", "--format", "json", "--lose", "provider:gcp", "--lose", "par").json
    assert (told["outcome"], told["orders_lost"], told["rto_seconds"]) == ("halts_safely", 0, None)
    assert told["actions"][0].startswith("bring back 9.5 % of the voting power")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("PROVIDER:AWS", "provider:aws"),
        ("grid:neso", "control_area:neso"),
        ("neso", "control_area:neso"),
        ("site:euw3-az1", "site:aws/eu-west-3/euw3-az1"),
        ("par", "site:aws/eu-west-3/euw3-az1"),
        ("region:EU-WEST-2", "provider_region:aws/eu-west-2"),
        ("country:gb", "country:GB"),
        ("synchronous-area:nordic", "synchronous_area:nordic"),
        ("validator-hel", "host:validator-hel"),
    ],
)
def test_short_names_are_understood(run: Run, said: str, meant: str) -> None:
    """Any case, the last part, a site's key, and no kind where one is meant clearly: all name a domain."""
    assert run("whatif", "--format", "json", "--lose", said).json["lost"] == [meant]


def test_an_ambiguous_name_is_not_guessed(run: Run) -> None:
    """Paris is a metro and a local grid: the command asks which."""
    ran = run("whatif", "--lose", "paris")
    assert ran.code == 2
    assert "may be metro:paris or local_grid:paris; name the kind too" in ran.err


def test_an_unknown_domain_is_told_with_what_is_near(run: Run) -> None:
    """What this venue does not stand in is refused, with the nearest that it has."""
    ran = run("whatif", "--lose", "metro:parris")
    assert ran.code == 2
    assert "did you mean paris?" in ran.err
    assert "nuremberg" in ran.err


def test_a_host_that_is_down_counts(run: Run) -> None:
    """What was down before is not lost again, and counts; an unknown host is refused with what is near."""
    told = run("whatif", UNMET, "--format", "json", "--down", "validator-par", "--lose", "host:validator-dub").json
    assert (told["down"], told["outcome"]) == (["validator-par"], "halts_safely")
    ran = run("whatif", UNMET, "--down", "validator-pat")
    assert ran.code == 2
    assert "did you mean validator-par" in ran.err


def test_what_can_be_lost_is_listed(run: Run) -> None:
    """Every listed word can be given to `--lose`, and says what it takes."""
    assert "site:hetzner/eu-central/hel1" in run("whatif", UNMET, "--list").out
    domains = run("whatif", UNMET, "--list", "--format", "json").json["domains"]
    assert domains["metro"]["helsinki"] == ["engine-hel", "gateway-hel", "monitor-hel", "validator-hel"]
    words = [f"{kind}:{identity}" for kind, found in domains.items() for identity in found]
    told = run("whatif", UNMET, "--format", "json", *(part for word in words for part in ("--lose", word))).json
    assert told["lost"] == words
    assert told["outcome"] == "could_lose_data"


def test_a_wrong_file_is_told_whole(run: Run) -> None:
    """A wrong file ends 2 with every problem of it."""
    ran = run("whatif", "tests/stacks/nowhere.yaml")
    assert ran.code == 2
    assert "nowhere.yaml: is not there" in ran.err
