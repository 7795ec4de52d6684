"""Nearly the largest venue that a stack file may state: sites all over the world, a ring with two kinds of chords."""

from __future__ import annotations

from diversite.catalog import Place, catalog
from diversite.edits import distance_km
from diversite.topology import Topology
from tests.support.venues import MACHINES

CHORDS = {1: "transit-a", 2: "transit-b", 7: "transit-c"}
"""By how many sites of the ring a link skips to, and the carrier of all such links."""


def large(like: Topology, sites: int = 64, validators_a_site: int = 2) -> Topology:
    """A venue with the objectives and bounds of another one; the ring goes from each place to the nearest left."""
    places = _tour(sites)
    names = [f"s{number}" for number in range(sites)]
    hosts = {
        name: {"site": name, "machine": MACHINES[place.provider]} for name, place in zip(names, places, strict=True)
    }
    voting = {f"{name}-{n}": host for name, host in hosts.items() for n in range(validators_a_site)}
    links = {
        f"by-{skip}-{at}": {"kind": "wireguard", "ends": (name, names[(at + skip) % sites]), "carrier": carrier}
        for skip, carrier in CHORDS.items()
        for at, name in enumerate(names)
    }
    return Topology.model_validate(
        {
            "venue": "large",
            "survive": like.survive,
            "bounds": like.bounds,
            "sites": {name: {"at": place.id} for name, place in zip(names, places, strict=True)},
            "validators": voting,
            "engines": voting,
            "links": links,
            "order_entry": {name: hosts[name] for name in names[::16]},
            "monitoring": {name: hosts[name] for name in names[8::16]},
        }
    )


def _tour(sites: int) -> list[Place]:
    every = sorted(catalog().places.values(), key=lambda place: place.id)
    left = every[:: len(every) // sites][:sites]
    tour = [left.pop(0)]
    while left:
        following = min(left, key=lambda place: distance_km(tour[-1], place))
        left.remove(following)
        tour.append(following)
    return tour
