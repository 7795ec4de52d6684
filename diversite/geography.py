"""Distance on the earth and the least time that light in fibre needs for it.

A figure below the floor is wrong or is not fibre. Two group indices are kept apart: the common fibre's for the floor
that is shown, and the lowest sold (SMF-28 ULL) for refusal, so that no honest measurement is refused.
"""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt
from typing import Final

SPEED_OF_LIGHT_KM_PER_S: Final = 299_792.458
EARTH_MEAN_RADIUS_KM: Final = 6_371.0088

COMMON_GROUP_INDEX: Final = 1.4682
"""Corning SMF-28 Ultra at 1550 nm (data sheet PI-1424): the floor that is shown."""

LOWEST_GROUP_INDEX: Final = 1.4620
"""Corning SMF-28 ULL at 1550 nm (data sheet PI1470, March 2020): below it a measurement is refused."""


def great_circle_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The distance between two points, each (latitude, longitude) in degrees; haversine on the mean radius."""
    (latitude_a, longitude_a), (latitude_b, longitude_b) = a, b
    phi_a, phi_b = radians(latitude_a), radians(latitude_b)
    across = sin(radians(longitude_b - longitude_a) / 2) ** 2
    along = sin((phi_b - phi_a) / 2) ** 2
    return 2 * EARTH_MEAN_RADIUS_KM * asin(min(1.0, sqrt(along + cos(phi_a) * cos(phi_b) * across)))


def fibre_floor_rtt_ms(distance_km: float, group_index: float = COMMON_GROUP_INDEX) -> float:
    """The round trip in milliseconds over fibre laid along the great circle."""
    return 2 * distance_km * group_index / SPEED_OF_LIGHT_KM_PER_S * 1000
