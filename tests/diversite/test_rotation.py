"""The order of proposers, by CometBFT's own algorithm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversite import rotation

# Made with CometBFT 0.38.26's own code: a Go program built NewValidatorSet from ed25519 keys of the secrets
# "validator 0", "validator 1", … (crypto/ed25519.GenPrivKeyFromSecret) with the powers given, and printed the index
# of GetProposer() before each of 30 calls of CopyIncrementProposerPriority(1).
ADDRESSES = (
    "576FAB0B4A7CD66F49C7F51C3341866C5B1C619A",
    "93993F2E73C631CAADD3ABEC4E26B631B842B598",
    "2ADCA88464BD3856FF83F40E09AC56CCE52272C1",
    "59840B2AB1266B9076DAD939D2D427219114B601",
    "77F58F7780049C284DB185CAC443161080ED0643",
    "89B302C5344DEC84AE6E6157E7133F6392C01E2A",
    "335B63799FBDA984D9ADC6D7F9F4EED448DEA7D1",
)
VECTORS = (
    ((1,), "000000000000000000000000000000"),
    ((1, 1, 1, 1), "203120312031203120312031203120"),
    ((10, 1), "000001000000000010000000000100"),
    ((3, 2, 1), "012010012010012010012010012010"),
    ((1, 1, 5, 1), "220232122202321222023212220232"),
    ((1000, 1, 1, 1, 1), "000000000000000000000000000000"),
    ((7, 11, 13, 17, 19), "432104324134230143241342034123"),
    ((1000007, 1000006, 1000005, 1000004, 1000003, 1000002, 1000001), "012345601234560123456012345601"),
    ((2000004, 1000003, 1000002, 1000001), "012300123001230012300123001230"),
    ((1000004, 3000003, 2000002, 2000001), "123012311230123112301231123012"),
)


@pytest.mark.parametrize(("powers", "turns"), VECTORS)
def test_proposers_are_those_of_cometbft(powers: tuple[int, ...], turns: str) -> None:
    """The order of turns, ties by key address included, is what CometBFT's own code gives."""
    by_name = {str(index): power for index, power in enumerate(powers)}
    addresses = {str(index): ADDRESSES[index] for index in range(len(powers))}
    assert "".join(rotation.proposers(by_name, 30, addresses)) == turns


@given(relative=st.lists(st.integers(1, 6), min_size=1, max_size=7))
def test_each_proposes_as_often_as_its_power_says(relative: list[int]) -> None:
    """In one rotation every validator has as many turns as it has units of power, give or take one."""
    names = [f"v{index}" for index in range(len(relative))]
    powers = rotation.voting_powers(dict(zip(names, relative, strict=True)), names)
    turns = rotation.rotation_of(powers)
    assert len(turns) == sum(relative)
    assert all(abs(turns.count(name) - units) <= 1 for name, units in zip(names, relative, strict=True))


@given(st.permutations(["a", "b", "c", "d", "e"]))
def test_equal_powers_propose_in_the_order_that_was_chosen(order: list[str]) -> None:
    """Whatever the keys' addresses turn out to be, the offsets decide."""
    powers = rotation.voting_powers(dict.fromkeys(order, 1), order)
    backwards = {name: str(9 - place) for place, name in enumerate(order)}
    assert rotation.proposers(powers, 10, backwards) == (*order, *order)


def test_powers_stay_within_what_cometbft_and_json_hold() -> None:
    """200 validators of 1,000 units stay under 2^60 together, and each under 2^53."""
    assert 200 * (1000 * rotation.POWER_SCALE + 200) < 2**60
    assert 1000 * rotation.POWER_SCALE + 200 < 2**53


@pytest.mark.parametrize(
    ("turns", "dead", "runs"),
    [("abcd", "", (0, 0, 0, 0)), ("abcd", "bc", (0, 2, 1, 0)), ("abcd", "da", (1, 0, 0, 2)), ("abc", "abc", (3, 3, 3))],
)
def test_runs_of_dead_proposers_go_round_the_circle(turns: str, dead: str, runs: tuple[int, ...]) -> None:
    """A run that begins at the end of a rotation goes on at its beginning."""
    assert rotation.dead_runs(turns, set(dead)) == runs
    assert rotation.longest_run(turns, set(dead)) == max(runs)


def test_where_powers_are_equal_the_worst_order_is_assumed() -> None:
    """Three of seven equal powers may follow each other, because key addresses are not known before genesis."""
    assert rotation.worst_run(dict.fromkeys("abcdefg", 10), {"a", "d", "g"}) == 3


def test_where_powers_differ_their_order_is_known() -> None:
    """With offsets the members propose where the order has put them."""
    powers = rotation.voting_powers(dict.fromkeys("abcdefg", 1), "abcdefg")
    assert rotation.worst_run(powers, {"a", "d", "f"}) == 1


@given(st.permutations(range(9)), st.integers(2, 9))
def test_the_order_keeps_apart_what_shares_domains(chosen: list[int], count: int) -> None:
    """Two validators in each of several domains never follow each other where that can be avoided."""
    names = [f"v{index}" for index in chosen[:count]]
    domains: dict[str, rotation.Domains] = {name: {"site": frozenset({str(int(name[1:]) // 2)})} for name in names}
    order = rotation.spread_order(domains, {"site": 1})
    assert sorted(order) == sorted(names)
    neighbours = zip(order, [*order[1:], order[0]], strict=True)
    shared = sum(domains[a]["site"] == domains[b]["site"] for a, b in neighbours)
    assert shared == 0 or count < 4
