"""Venues of one provider alone, with all that a cloud's hosts need: images, releases, accounts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from diversite.topology import Topology
from tests.support.topologies import CLOUD_BUILD, CLOUD_IMAGES, CLOUD_MACHINES, image_place, of

ACCOUNTS = {"aws": "123456789012", "gcp": "venue-example", "hetzner": "venue-example"}
"""What a provider itself calls an account."""
PLACES = {
    "aws": ("aws/eu-west-3/euw3-az1", "aws/eu-west-3/euw3-az2", "aws/eu-west-1/euw1-az1", "aws/eu-west-2/euw2-az1"),
    "gcp": (
        "gcp/europe-west2/europe-west2-a",
        "gcp/europe-west2/europe-west2-b",
        "gcp/europe-north2/europe-north2-a",
        "gcp/europe-west3/europe-west3-a",
    ),
    "hetzner": ("hetzner/eu-central/nbg1", "hetzner/eu-central/fsn1", "hetzner/eu-central/hel1", "hetzner/us-east/ash"),
}
BACKBONE_APART = {"aws": True, "gcp": True, "hetzner": False}
"""Whether the provider joins its regions: Hetzner joins the locations of one network zone only."""


def of_provider(provider: str) -> Topology:
    """Four sites of a provider in two regions or more, joined by tunnels, and over its backbone where it has one."""
    sites = ("one", "two", "three", "four")
    places = dict(zip(sites, PLACES[provider], strict=True))
    return Topology.model_validate(
        {
            "venue": f"only-{provider}",
            "survive": ({"any": "site"},),
            "sites": {site: {"at": place} for site, place in places.items()},
            "links": links(provider, places),
            **hosts(provider, sites),
            **software([*places.values()]),
        }
    )


def hosts(provider: str, sites: Sequence[str]) -> dict[str, Any]:
    """A validator and an engine at each site, entrances at the first two, monitors at the last two."""
    each = {site: {"site": site, "machine": CLOUD_MACHINES[provider][0]} for site in sites}
    return {
        "validators": each,
        "engines": each,
        "order_entry": {site: each[site] for site in sites[:2]},
        "monitoring": {site: each[site] for site in sites[-2:]},
    }


def links(provider: str, places: dict[str, str]) -> dict[str, Any]:
    """`wireguard` between every two sites, and `backbone` where the provider can."""
    found: dict[str, Any] = {}
    for a, b in combinations(places, 2):
        found[f"{a}-{b}"] = {"kind": "wireguard", "ends": (a, b), "carrier": "transit", "preference": 2}
        if BACKBONE_APART[provider] or region(places[a]) == region(places[b]):
            found[f"{a}-{b}-own"] = {"kind": "backbone", "ends": (a, b), "carrier": provider}
    return found


def software(places: Sequence[str]) -> dict[str, Any]:
    """Images for every place, and a release for both roles that need one."""
    images = {image_place(place): CLOUD_IMAGES[of(place)] for place in places}
    return {
        "images": images,
        "releases": {"r-1": {"x86_64": CLOUD_BUILD, "arm64": CLOUD_BUILD}},
        "software": {"validator": "r-1", "engine": "r-1"},
    }


def region(place: str) -> str:
    """`provider/region`."""
    return place.rpartition("/")[0]
