"""Distances and floors agree with known figures and with the geometry of a sphere."""

from __future__ import annotations

from math import pi

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversite.geography import (
    COMMON_GROUP_INDEX,
    EARTH_MEAN_RADIUS_KM,
    LOWEST_GROUP_INDEX,
    fibre_floor_rtt_ms,
    great_circle_km,
)

points = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


def test_london_to_paris_is_344_km() -> None:
    """A known pair of towns has its known distance."""
    assert great_circle_km((51.50853, -0.12574), (48.85341, 2.3488)) == pytest.approx(343.8, abs=0.1)


def test_a_hundred_kilometres_of_common_fibre_take_0_979_ms() -> None:
    """The floor is the round trip at the group index of the data sheet."""
    assert fibre_floor_rtt_ms(100) == pytest.approx(0.97948, abs=1e-5)


def test_the_refusal_is_more_lenient_than_the_floor_shown() -> None:
    """Low-index fibre is never refused as faster than light."""
    assert LOWEST_GROUP_INDEX < COMMON_GROUP_INDEX
    assert fibre_floor_rtt_ms(1000, LOWEST_GROUP_INDEX) < fibre_floor_rtt_ms(1000)


@given(points, points)
def test_distance_is_the_same_in_both_directions(a: tuple[float, float], b: tuple[float, float]) -> None:
    """There and back are equally far."""
    assert great_circle_km(a, b) == pytest.approx(great_circle_km(b, a), abs=1e-6)


@given(points, points)
def test_no_two_points_are_further_apart_than_half_the_circumference(
    a: tuple[float, float], b: tuple[float, float]
) -> None:
    """Distance is bounded by the antipode, and nothing is nearer than itself."""
    assert 0 <= great_circle_km(a, b) <= pi * EARTH_MEAN_RADIUS_KM + 1e-6
    assert great_circle_km(a, a) == pytest.approx(0, abs=1e-6)


@given(points, points, points)
def test_a_detour_is_never_shorter(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> None:
    """The triangle inequality holds on the sphere."""
    assert great_circle_km(a, c) <= great_circle_km(a, b) + great_circle_km(b, c) + 1e-6
