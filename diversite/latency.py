"""The round trip between two places: an interval with its evidence, never a bare number.

Which figure is typical. Links are made of a provider's backbone or of a private circuit, so the path to plan with is
the idle path of such a network, not the public Internet under load and not the best sample of one source. For two
places of one provider the figures of that very pair of regions decide; otherwise every figure between the two metros,
whoever measured it, because a circuit follows the same ducts. `typical_ms` is the median over the sources of each
source's own middle figure: the lowest of all is what one lucky path had once, and a mean would follow the source with
the overhead. The interval reaches at least as far as sources and providers were seen to disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import median
from typing import Literal

from diversite.catalog import Measurement, Place, catalog
from diversite.catalog.node import Node
from diversite.geography import fibre_floor_rtt_ms, great_circle_km

Basis = Literal["same-site", "same-metro", "same-region", "measured", "estimated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rtt:
    """A round trip in milliseconds; floor_ms <= low_ms <= typical_ms <= high_ms."""

    low_ms: float
    typical_ms: float
    """What a venue plans with."""
    high_ms: float
    floor_ms: float
    """Light in common fibre along the great circle; towns, not buildings, are its ends."""
    basis: Basis
    evidence: str
    """One sentence that says where the figures come from."""
    sources: tuple[str, ...]
    measured: str | None
    """The day of the newest measurement, ISO; None where it is a model."""
    old: bool = False
    """Whether even the newest measurement is older than the catalogue lets latency be."""


def rtt(a: Place, b: Place) -> Rtt:
    """The round trip between two places, the same in both directions."""
    return _rtt(*sorted((a, b), key=lambda place: place.id))


@cache
def _rtt(a: Place, b: Place) -> Rtt:
    floor_ms = fibre_floor_rtt_ms(great_circle_km((a.latitude, a.longitude), (b.latitude, b.longitude)))
    if a.id == b.id:
        return _modelled("same-site", floor_ms, catalog().latency_model.node("same_site"), f"two machines in {a.zone}")
    if (a.provider, a.region, a.metro) == (b.provider, b.region, b.metro):
        return _same_region(a, floor_ms)
    if rows := _own_path(a, b):
        return _measured(rows, floor_ms, f"between {a.region} and {b.region}", own=True)
    if a.metro == b.metro:
        return _same_metro(a, b, floor_ms)
    if rows := _between_metros(a, b):
        return _measured(rows, floor_ms, f"between the metros {a.metro} and {b.metro}", own=False)
    return _estimated(a, b, floor_ms)


def _same_metro(a: Place, b: Place, floor_ms: float) -> Rtt:
    """What was measured there went over public addresses; a circuit in one building may take as little as any."""
    model = catalog().latency_model.node("same_metro")
    rows = _between_metros(a, b)
    if not rows:
        return _modelled("same-metro", floor_ms, model, f"both in the metro {a.metro}")
    found = _measured(rows, floor_ms, f"within the metro {a.metro}", own=False)
    return replace(found, low_ms=max(floor_ms, min(found.low_ms, model.number("low_ms"))))


def _own_path(a: Place, b: Place) -> Sequence[Measurement]:
    if a.provider != b.provider:
        return ()
    return [row for row in _between_metros(a, b) if set(row.ends) == {a.region, b.region}]


def _between_metros(a: Place, b: Place) -> Sequence[Measurement]:
    return catalog().measurements.get(frozenset((a.metro, b.metro)), ())


def _same_region(place: Place, floor_ms: float) -> Rtt:
    model = catalog().latency_model.node("same_region").node(place.provider)
    return _modelled("same-region", floor_ms, model, f"two zones of {place.region}")


def _modelled(basis: Basis, floor_ms: float, model: Node, what: str) -> Rtt:
    low_ms, typical_ms, high_ms = (max(floor_ms, model.number(key)) for key in ("low_ms", "typical_ms", "high_ms"))
    return Rtt(
        low_ms=low_ms,
        typical_ms=typical_ms,
        high_ms=high_ms,
        floor_ms=floor_ms,
        basis=basis,
        evidence=f"not measured here: {what}, so what such pairs were seen to take",
        sources=catalog().latency_model.texts("sources"),
        measured=None,
    )


def _measured(rows: Sequence[Measurement], floor_ms: float, what: str, *, own: bool) -> Rtt:
    typical_ms = median(row.typical_ms for row in rows)
    factor = _disagreement(typical_ms, own=own)
    newest = max(rows, key=lambda row: row.measured)
    old = catalog().is_old(newest.source)
    return Rtt(
        low_ms=max(floor_ms, min(typical_ms / factor, *(row.lowest_ms for row in rows))),
        typical_ms=typical_ms,
        high_ms=max(typical_ms * factor, *(row.typical_ms for row in rows)),
        floor_ms=floor_ms,
        basis="measured",
        evidence=_account(rows, what, newest, old=old),
        sources=tuple(sorted({row.source for row in rows})),
        measured=newest.measured,
        old=old,
    )


def _disagreement(typical_ms: float, *, own: bool) -> float:
    """By what factor another source, or another provider's path, may be off."""
    model = catalog().latency_model
    if own:
        return model.number("own_path_factor")
    steps = list(model.items("other_path_factors"))
    return next((s for s in steps if typical_ms <= s.number("typical_ms_max")), steps[-1]).number("factor")


def _account(rows: Sequence[Measurement], what: str, newest: Measurement, *, old: bool) -> str:
    age = f"old, the newest of {newest.measured}" if old else f"the newest of {newest.measured}"
    figures = ", ".join(
        f"{row.typical_ms:.1f} ms ({row.source})" for row in sorted(rows, key=lambda r: r.typical_ms)[:6]
    )
    return f"measured {what}, {age}: {figures}{' and more' * (len(rows) > 6)}"


def _estimated(a: Place, b: Place, floor_ms: float) -> Rtt:
    distance_km = great_circle_km((a.latitude, a.longitude), (b.latitude, b.longitude))
    model = next(s for s in catalog().latency_model.items("inflation") if distance_km <= s.number("distance_km_max"))
    low, typical, high = (model.number(key) for key in ("low", "typical", "high"))
    return Rtt(
        low_ms=floor_ms * low,
        typical_ms=floor_ms * typical,
        high_ms=floor_ms * high,
        floor_ms=floor_ms,
        basis="estimated",
        evidence=f"nobody measured {a.metro} to {b.metro}, {distance_km:.0f} km: {low} to {high} times the floor",
        sources=catalog().latency_model.texts("sources"),
        measured=None,
    )
