"""The order in which validators propose, as part of the placement.

CometBFT gives the turn to the validator with the highest priority; each turn every validator gains its voting power and
the proposer pays the total. Equal powers rotate by key address, which nobody knows before genesis. Powers such as
1,000,000 + i fix the order: the highest proposes first, then the next.

A dead proposer costs a round; two dead in a row cost far more (`consensus.stall_ms`). So validators that may fail
together are kept apart in the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

POWER_SCALE = 1_000_000
"""One unit of a topology's relative power; small enough that the sum of 200 validators of 1,000 stays under CometBFT's
limit of 2^60, large enough that the offsets that fix the order never decide a quorum among them."""
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


def proposers(powers: Mapping[str, int], turns: int) -> tuple[str, ...]:
    """Who proposes at each of the first `turns` heights, by CometBFT's own algorithm for a set new at genesis.

    Ties (equal powers) go by key address, which is not known here; they are broken by name. Source: CometBFT 0.38,
    types/validator_set.go.
    """
    total = sum(powers.values())
    priority = dict.fromkeys(powers, 0)
    taken = []
    for _ in range(turns):
        for name, power in powers.items():
            priority[name] += power
        turn = max(sorted(priority), key=priority.__getitem__)
        priority[turn] -= total
        taken.append(turn)
    return tuple(taken)


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
    best, best_cost = order, _cost(order, shared)
    improved = True
    while improved:
        improved = False
        for i in range(1, len(best)):
            for j in range(i + 1, len(best)):
                swapped = list(best)
                swapped[i], swapped[j] = swapped[j], swapped[i]
                if (found := _cost(swapped, shared)) < best_cost:
                    best, best_cost, improved = tuple(swapped), found, True
    return best
