"""Voting power: exact at the boundary, and the fewest domains that halt a venue."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversite import quorum
from diversite.quorum import FaultModel

models = st.sampled_from(("byzantine", "crash"))
powers = st.integers(0, 2**61)


@pytest.mark.parametrize(
    ("lost", "total", "model", "expected"),
    [
        (1, 4, "byzantine", False),
        (1, 3, "byzantine", True),
        (33, 100, "byzantine", False),
        (34, 100, "byzantine", True),
        (2 * 10**17, 6 * 10**17, "byzantine", True),
        (2 * 10**17 - 1, 6 * 10**17, "byzantine", False),
        (1, 2, "crash", True),
        (49, 100, "crash", False),
        (50, 100, "crash", True),
        (0, 0, "byzantine", True),
    ],
)
def test_a_quorum_is_lost_at_exactly_a_third_or_half(lost: int, total: int, model: FaultModel, expected: bool) -> None:
    """A third of the power, or half of it for crash faults, is already too much; integers leave no doubt."""
    assert quorum.is_lost(lost, total, model) is expected


@given(total=st.integers(1, 2**61), model=models)
def test_the_most_that_may_be_lost_is_one_less_than_what_halts(total: int, model: FaultModel) -> None:
    """`lost_max` may be missing, one more may not."""
    most = quorum.lost_max(total, model)
    assert not quorum.is_lost(most, total, model)
    assert quorum.is_lost(most + 1, total, model)


@pytest.mark.parametrize(
    ("up", "total", "expected"), [(3, 4, True), (2, 3, False), (5, 7, True), (4, 7, False), (0, 0, False)]
)
def test_what_is_up_is_a_quorum_beyond_two_thirds(up: int, total: int, expected: bool) -> None:
    """Two thirds of the power are not a quorum, one more than that is; no power is none."""
    assert quorum.holds(up, total) is expected


@given(total=st.integers(1, 2**61), model=models, data=st.data())
def test_two_quorums_meet(total: int, model: FaultModel, data: st.DataObject) -> None:
    """What is not a quorum's power is never a quorum itself, so two parts of a network never both go on."""
    up = data.draw(st.integers(0, total))
    assert not (quorum.holds(up, total, model) and quorum.holds(total - up, total, model))


@given(total=st.integers(1, 2**61), destroyed=powers)
def test_an_order_is_gone_only_with_a_whole_quorum(total: int, destroyed: int) -> None:
    """Below two thirds destroyed some member of every quorum is left."""
    assert quorum.could_be_gone(min(destroyed, total), total) == (3 * min(destroyed, total) > 2 * total)


@pytest.mark.parametrize(("destroyed", "total", "expected"), [(1, 1, True), (0, 1, False), (0, 0, False)])
def test_a_venue_of_one_has_its_orders_in_one_place(destroyed: int, total: int, expected: bool) -> None:
    """Where one validator is everything its disk is every copy; a set without power has none to lose."""
    assert quorum.could_be_gone(destroyed, total) is expected


def test_three_domains_are_not_enough_for_byzantine_faults() -> None:
    """Four domains can each hold less than a third, three cannot; three can each hold less than half."""
    assert (quorum.domains_needed("byzantine"), quorum.domains_needed("crash")) == (4, 3)


units = st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, 9), min_size=1)
memberships = st.dictionaries(st.sampled_from("uvwxyz"), st.frozensets(st.sampled_from("abcdefg"), max_size=5))


@given(power=units, domains=memberships, model=models)
def test_the_coefficient_is_what_trying_every_set_finds(
    power: dict[str, int], domains: dict[str, frozenset[str]], model: FaultModel
) -> None:
    """The Nakamoto coefficient equals an exhaustive search, overlapping domains included."""
    assert quorum.coefficient(domains, power, model) == _by_trying(domains, power, model)


@pytest.mark.parametrize(
    ("held", "model", "expected"),
    [
        ((1, 1, 1), "byzantine", 1),
        ((1, 1, 1, 1), "byzantine", 2),
        ((2, 2, 2, 1), "byzantine", 2),
        ((3, 2, 2, 2), "byzantine", 1),
        ((1,) * 7, "byzantine", 3),
        ((1, 1, 1), "crash", 2),
        ((1, 1, 1, 1), "crash", 2),
    ],
)
def test_of_disjoint_domains_the_largest_halt_the_venue(
    held: tuple[int, ...], model: FaultModel, expected: int
) -> None:
    """Where no domain overlaps another, the largest ones count, to the last unit of power."""
    power = {str(place): part for place, part in enumerate(held)}
    assert quorum.coefficient({name: {name} for name in power}, power, model) == expected


def test_domains_that_overlap_take_more_than_their_sizes_say() -> None:
    """Power that two domains share is lost once: three and three of thirteen would halt, their four together do not."""
    domains = {"one": "abc", "two": "abd", "three": "e", "four": "f"}
    power = dict.fromkeys("abcdefghijklm", 1)
    assert quorum.coefficient({name: frozenset(members) for name, members in domains.items()}, power) == 3


def _by_trying(domains: dict[str, frozenset[str]], power: dict[str, int], model: FaultModel) -> int | None:
    total = sum(power.values())
    for count in range(1, len(domains) + 1):
        for chosen in combinations(domains.values(), count):
            lost = sum(power.get(name, 0) for name in frozenset().union(*chosen))
            if quorum.is_lost(lost, total, model):
                return count
    return None


@given(held=st.lists(st.integers(1, 50), min_size=2, max_size=9), data=st.data())
def test_power_moved_out_of_the_largest_domain_never_lowers_the_coefficient(
    held: list[int], data: st.DataObject
) -> None:
    """A transfer from the largest domain to one that stays no larger makes the venue no weaker."""
    largest = held.index(max(held))
    other = data.draw(st.sampled_from([place for place in range(len(held)) if place != largest]))
    moved = data.draw(st.integers(0, (held[largest] - held[other]) // 2))
    after = [
        power - moved if at == largest else power + moved if at == other else power for at, power in enumerate(held)
    ]
    assert (_coefficient(after) or 0) >= (_coefficient(held) or 0)


def _coefficient(held: list[int]) -> int | None:
    power = {str(place): power for place, power in enumerate(held)}
    return quorum.coefficient({name: {name} for name in power}, power)
