"""Voting power arithmetic, exact at the boundary: what a fault model tolerates, and how few domains break it.

A byzantine quorum is lost when `3 * lost >= total`, a crash quorum when `2 * lost >= total`. Integers only: a third of
ten is not three.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import combinations
from typing import Literal

FaultModel = Literal["byzantine", "crash"]

PARTS: Mapping[FaultModel, int] = {"byzantine": 3, "crash": 2}
"""One part of so many is what must not be lost."""
SHARE_TOLD_MIN = 0.0005
"""The smallest share of the power that words can tell from nothing, with one decimal of a percent."""


def is_lost(lost: int, total: int, fault_model: FaultModel = "byzantine") -> bool:
    """Whether a quorum is lost with `lost` of `total` power missing; a set without power never had one."""
    return PARTS[fault_model] * lost >= total


def holds(up: int, total: int, fault_model: FaultModel = "byzantine") -> bool:
    """Whether `up` of `total` power is a quorum."""
    return not is_lost(total - up, total, fault_model)


def lost_max(total: int, fault_model: FaultModel = "byzantine") -> int:
    """The most power that may be missing while a quorum holds; -1 for a set without power."""
    return (total - 1) // PARTS[fault_model]


def could_be_gone(destroyed: int, total: int, fault_model: FaultModel = "byzantine") -> bool:
    """Whether every copy of an acknowledged order may be among `destroyed` power.

    An acknowledged order is at a quorum; which one is not known. All of a quorum can be gone exactly when what was
    destroyed is itself a quorum.
    """
    return total > 0 and holds(destroyed, total, fault_model)


def domains_needed(fault_model: FaultModel) -> int:
    """The fewest domains over which power can be spread so that each may be lost: four, or three for crash faults."""
    return PARTS[fault_model] + 1


def coefficient(
    domains: Mapping[str, Collection[str]], power: Mapping[str, int], fault_model: FaultModel = "byzantine"
) -> int | None:
    """The Nakamoto coefficient: the fewest domains whose loss halts the venue; None where all together do not.

    `domains` holds the validators of each domain, overlapping ones included; `power` the power of each validator.
    Exact: for disjoint domains the largest first, for overlapping ones every set of them, the smallest sets first.
    """
    total = sum(power.values())
    members = _distinct(frozenset(names).intersection(power) for names in domains.values())
    if not is_lost(_power_of(frozenset().union(*members), power), total, fault_model):
        return None
    weights = sorted((_power_of(names, power) for names in members), reverse=True)
    fewest = _fewest(weights, total, fault_model)  # a lower bound where domains overlap: power counts twice in it
    if sum(map(len, members)) == len(frozenset().union(*members)):
        return fewest
    return _fewest_overlapping(members, power, fewest, fault_model)


def _distinct(members: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    """Without empty domains, repeated ones, and those that lie within another."""
    found = set(members)
    return [names for names in found if names and not any(names < other for other in found)]


def _fewest(weights: list[int], total: int, fault_model: FaultModel) -> int:
    lost = 0
    for count, weight in enumerate(weights, start=1):
        lost += weight
        if is_lost(lost, total, fault_model):
            return count
    return len(weights)


def _fewest_overlapping(
    members: list[frozenset[str]], power: Mapping[str, int], at_least: int, fault_model: FaultModel
) -> int:
    total = sum(power.values())
    for count in range(at_least, len(members)):
        if any(
            is_lost(_power_of(frozenset().union(*chosen), power), total, fault_model)
            for chosen in combinations(members, count)
        ):
            return count
    return len(members)


def _power_of(names: frozenset[str], power: Mapping[str, int]) -> int:
    return sum(power[name] for name in names)
