"""The order in which validators propose, as part of the placement.

CometBFT gives the turn to the validator with the highest priority; each turn every validator gains its voting power and
the proposer pays the total. Equal powers rotate by key address, which nobody knows before genesis. Powers such as
10^12 + i fix the order: the highest proposes first, then the next.

A dead proposer costs a round; two dead in a row cost far more (`consensus.stall_ms`). So validators that may fail
together are kept apart in the order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations, islice, permutations

POWER_SCALE = 10**12
"""One unit of a topology's relative power. Powers that differ by one rotate like equal ones until the difference has
added up to a turn: POWER_SCALE * n / (n - 1) heights, as CometBFT's own code shows at scales of 10^3 to 10^6. At 10^6
the order changes after a day of blocks of 80 ms, at 10^12 not in the life of a venue. The sum of 200 validators
of 1,000 units stays under CometBFT's limit of 2^60, and each power is exact as a JSON number (2^53)."""
TURNS_MAX = 4_096
"""How many turns are looked at where relative powers are so uneven that their rotation is longer."""
PRIORITY_WINDOW_FACTOR = 2
"""CometBFT keeps priorities within so many times the total power (PriorityWindowSizeFactor)."""
EXHAUSTIVE_MAX = 8
"""Up to so many validators every order is tried; beyond, swaps improve a greedy one."""

Domains = Mapping[str, frozenset[str] | None]
"""A validator's domains of each kind, several where they overlap; None is unknown and counts as shared."""


def spread_order(domains: Mapping[str, Domains], weights: Mapping[str, int]) -> tuple[str, ...]:
    """The cyclic order with the fewest neighbours that share a domain, each kind weighted; ties by the given order."""
    names = tuple(domains)
    shared = {(a, b): _shared(domains[a], domains[b], weights) for a in names for b in names if a != b}
    if len(names) <= 2:
        return names
    if len(names) <= EXHAUSTIVE_MAX:
        head, *rest = names
        return min(((head, *tail) for tail in permutations(rest)), key=lambda order: _cost(order, shared))
    return _improved(_greedy(names, shared), shared)


def voting_powers(relative: Mapping[str, int], order: Sequence[str]) -> dict[str, int]:
    """Exact voting powers that make CometBFT propose in this order among equals."""
    return {name: relative[name] * POWER_SCALE + len(order) - place for place, name in enumerate(order)}


def in_units(power: int) -> int:
    """Voting power as the topology states it: without the offsets that fix the order, rounded down."""
    return power // POWER_SCALE


def proposers(powers: Mapping[str, int], turns: int, addresses: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Who proposes at each of the first `turns` heights of a set new at genesis, by CometBFT's own algorithm.

    Equal priorities go to the lower key address (hexadecimal); before genesis nobody knows the addresses, and names
    stand for them. Source: CometBFT 0.38.26, types/validator_set.go.
    """
    return tuple(islice(_turns(powers, addresses or {name: name for name in powers}), turns))


def rotation_of(powers: Mapping[str, int]) -> tuple[str, ...]:
    """One whole rotation, or its first TURNS_MAX turns where it is longer: who proposes, as often as its power says."""
    return proposers(powers, _turn_count(powers))


def longest_run(turns: Sequence[str], members: Collection[str]) -> int:
    """The most turns in a row that belong to `members`, the rotation taken as a circle."""
    return max(dead_runs(turns, members), default=0)


def dead_runs(turns: Sequence[str], dead: Collection[str]) -> tuple[int, ...]:
    """For each turn how many in a row, it included, belong to the dead; a circle of dead ones counts once."""
    runs, following = [0] * len(turns), 0
    for turn in range(2 * len(turns) - 1, -1, -1):
        place = turn % len(turns)
        following = min(following + 1, len(turns)) if turns[place] in dead else 0
        runs[place] = following
    return tuple(runs)


def worst_run(powers: Mapping[str, int], members: Collection[str]) -> int:
    """The longest run of proposers among `members`; the worst order is assumed where powers are equal.

    Equal powers rotate by key address, so any order among them may be the real one: all of the members of one power are
    then taken to follow each other.
    """
    equal = len(set(powers.values())) < len(powers)
    names = {name: ("0" if name in members else "1") + name for name in powers}
    first = longest_run(proposers(powers, _turn_count(powers), names), members)
    return max(first, sum(name in members for name in powers)) if equal and members else first


def _turn_count(powers: Mapping[str, int]) -> int:
    unit = POWER_SCALE if min(powers.values()) >= POWER_SCALE else 1
    return min(TURNS_MAX, sum(power // unit for power in powers.values()))


def _turns(powers: Mapping[str, int], addresses: Mapping[str, str]) -> Iterator[str]:
    total = sum(powers.values())
    names = sorted(powers, key=addresses.__getitem__)
    priority = _centred(dict.fromkeys(names, -(total + (total >> 3))), total)
    while True:
        priority = _centred(priority, total)
        for name in names:
            priority[name] += powers[name]
        turn = max(names, key=priority.__getitem__)  # the first of equals, so the lowest address
        priority[turn] -= total
        yield turn


def _centred(priority: dict[str, int], total: int) -> dict[str, int]:
    """Squeezed into the window, as Go divides (towards zero), then shifted to an average of zero (rounded down)."""
    spread, window = max(priority.values()) - min(priority.values()), PRIORITY_WINDOW_FACTOR * total
    if spread > window:
        ratio = -(-spread // window)
        priority = {name: (abs(value) // ratio) * (1 if value > 0 else -1) for name, value in priority.items()}
    average = sum(priority.values()) // len(priority)
    return {name: value - average for name, value in priority.items()}


def _shared(a: Domains, b: Domains, weights: Mapping[str, int]) -> int:
    return sum(weight for kind, weight in weights.items() if _overlap(a[kind], b[kind]))


def _overlap(a: frozenset[str] | None, b: frozenset[str] | None) -> bool:
    return a is None or b is None or bool(a & b)


def _cost(order: Sequence[str], shared: Mapping[tuple[str, str], int]) -> int:
    return sum(shared[a, b] for a, b in zip(order, [*order[1:], order[0]], strict=True))


def _greedy(names: Sequence[str], shared: Mapping[tuple[str, str], int]) -> tuple[str, ...]:
    order, left = [names[0]], list(names[1:])
    while left:
        following = min(left, key=lambda name: shared[order[-1], name])
        left.remove(following)
        order.append(following)
    return tuple(order)


def _improved(order: tuple[str, ...], shared: Mapping[tuple[str, str], int]) -> tuple[str, ...]:
    """The first swap that makes it cheaper, again and again; only the neighbours of the two places are counted anew."""
    best, improved = list(order), True
    while improved:
        improved = False
        for i, j in combinations(range(1, len(best)), 2):
            before = _cost_at(best, shared, i, j)
            best[i], best[j] = best[j], best[i]
            if _cost_at(best, shared, i, j) < before:
                improved = True
            else:
                best[i], best[j] = best[j], best[i]
    return tuple(best)


def _cost_at(order: Sequence[str], shared: Mapping[tuple[str, str], int], *places: int) -> int:
    """What those at these places share with their neighbours."""
    firsts = {(place - 1) % len(order) for place in places} | set(places)
    return sum(shared[order[first], order[(first + 1) % len(order)]] for first in firsts)
