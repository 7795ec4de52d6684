"""Hypothesis strategies for topologies that a stack file may state."""

from __future__ import annotations

import datetime
import re
from itertools import pairwise
from typing import Any, get_args

from hypothesis import strategies as st

from diversite.catalog import catalog
from diversite.topology import (
    Acceptance,
    Bounds,
    Build,
    DomainKind,
    Engine,
    Link,
    Market,
    Monitor,
    Objective,
    OrderEntry,
    Recovery,
    Release,
    Site,
    Topology,
    Validator,
)

MACHINES = {"aws": "c7i.xlarge", "gcp": "c3-standard-4", "hetzner": "ccx23"}

names = st.from_regex(re.compile(r"[a-z]([a-z0-9-]{0,14}[a-z0-9])?"), fullmatch=True)
milliseconds = st.none() | st.floats(0.001, 60_000)
dates = st.dates(datetime.date(2020, 1, 1), datetime.date(2040, 1, 1))


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """A venue of one to six sites in a ring, with one or two validators each and a second link beside each."""
    sites = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    at = {site: draw(st.sampled_from(sorted(catalog().places))) for site in sites}
    machine = {site: MACHINES[place.split("/")[0]] for site, place in at.items()}
    hosts = {f"{site[:14]}-{n}": site for site in sites for n in range(draw(st.integers(1, 2)))}
    releases = draw(st.dictionaries(names, _releases, max_size=2))
    release = draw(st.sampled_from([None, *releases]))
    return Topology(
        venue=draw(names),
        survive=draw(_objectives),
        bounds=draw(_bounds),
        markets=draw(
            st.dictionaries(st.from_regex(r"[A-Z0-9-]{1,16}", fullmatch=True), _markets, min_size=1, max_size=3)
        ),
        sites={site: Site(at=at[site], account=draw(st.none() | names)) for site in sites},
        validators={
            host: Validator(site=site, machine=machine[site], power=draw(st.integers(1, 1_000)), release=release)
            for host, site in hosts.items()
        },
        engines={host: Engine(site=site, machine=machine[site]) for host, site in hosts.items()},
        links=draw(_rings(sites)),
        order_entry={site: OrderEntry(site=site, machine=machine[site]) for site in sites[:2]},
        monitoring={site: Monitor(site=site, machine=machine[site]) for site in sites[-2:]},
        terms=draw(st.dictionaries(st.sampled_from(["aws", "gcp", "hetzner"]), _acceptances, max_size=3)),
        releases=releases,
    )


@st.composite
def _rings(draw: st.DrawFn, sites: list[str]) -> dict[str, Link]:
    pairs = [(a, b) for a, b in zip(sites, sites[1:] + sites[:1], strict=True) if a != b][
        : len(sites) if len(sites) > 2 else 1
    ]
    carriers = st.sampled_from(["transit-a", "transit-b"])
    return {
        f"{n}-{preference}".translate(str.maketrans("0123456789", "abcdefghij")): Link(
            kind="wireguard", ends=pair, carrier=draw(carriers), duct=draw(st.none() | names), preference=preference
        )
        for n, pair in enumerate(pairs)
        for preference in range(1, draw(st.integers(1, 3)) + 1)
    }


def _objective(values: tuple[Any, Any, Any]) -> Objective:
    kind, outcome, circumstance = values
    return Objective.model_validate({"any": kind, "outcome": outcome, "while": circumstance})


_objectives = st.lists(
    st.tuples(
        st.sampled_from(get_args(DomainKind)),
        st.sampled_from(["continues", "halts_safely"]),
        st.sampled_from([None, "maintenance"]),
    ).map(_objective),
    min_size=1,
    max_size=8,
    unique_by=lambda objective: (objective.any, objective.while_),
).map(tuple)
_bounds = st.builds(
    Bounds,
    quorum_rtt_ms_max=milliseconds,
    quorum_rtt_after_loss_ms_max=milliseconds,
    pair_rtt_ms_max=milliseconds,
    recovery=st.builds(
        Recovery, rto_seconds_max=st.none() | st.floats(0.001, 86_400), orders_lost_max=st.integers(0, 1_000_000)
    ),
)
_markets = st.builds(Market, tick=st.integers(1, 10**9), lot=st.integers(1, 10**9))
_acceptances = st.builds(
    Acceptance,
    accepted_by=st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), min_size=3, max_size=200),
    accepted_on=dates,
)
_builds = st.builds(
    Build,
    address=st.just("https://releases.invalid/engine"),
    sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
)
_releases = st.builds(Release, x86_64=_builds, arm64=st.none() | _builds)


@st.composite
def cloud_venues(draw: st.DrawFn, providers: tuple[str, ...]) -> Topology:
    """A venue that clouds can build: sites of some providers and their accounts, joined in a row by tunnels and, where
    providers make one, by a private path; with images and releases for every machine.
    """
    places = sorted(place.id for place in catalog().places.values() if place.provider in providers)
    at = dict(zip(draw(_site_names), draw(st.lists(st.sampled_from(places), min_size=6, max_size=6)), strict=False))
    accounts = {site: draw(st.sampled_from([None, None, f"{of(at[site])}-b"])) for site in at}
    machines = {site: draw(st.sampled_from(CLOUD_MACHINES[of(at[site])])) for site in at}
    hosts = {f"{site[:14]}-{n}": site for site in at for n in range(draw(st.integers(1, 2)))}
    each = {host: {"site": site, "machine": machines[site]} for host, site in hosts.items()}
    some = draw(st.lists(st.sampled_from(sorted(each)), min_size=1, max_size=3, unique=True))
    return Topology.model_validate(
        {
            "venue": draw(names),
            "survive": ({"any": "site"},),
            "sites": {site: {"at": place, "account": accounts[site]} for site, place in at.items()},
            "validators": each,
            "engines": each,
            "order_entry": {host: each[host] for host in some},
            "monitoring": {host: each[host] for host in some[:2]},
            "links": draw(_cloud_links(at, accounts)),
            "images": {image_place(place): CLOUD_IMAGES[of(place)] for place in at.values()},
            "releases": {"r-1": {"x86_64": CLOUD_BUILD, "arm64": CLOUD_BUILD}},
            "software": {"validator": "r-1", "engine": "r-1"},
        }
    )


def of(place: str) -> str:
    """The provider of a place."""
    return place.partition("/")[0]


def image_place(place: str) -> str:
    """Where a place's image is named: AWS has images of its own in each region."""
    return place.rpartition("/")[0] if of(place) == "aws" else of(place)


CLOUD_MACHINES = {
    "aws": ("c7i.xlarge", "c7g.xlarge"),
    "gcp": ("c3-standard-4", "c3d-standard-4"),
    "hetzner": ("ccx23", "cax21", "cx23"),
}
CLOUD_IMAGES = {
    "aws": {"x86_64": "ami-0123456789abcdef0", "arm64": "ami-0fedcba9876543210"},
    "gcp": {"x86_64": "projects/debian-cloud/global/images/debian-12-bookworm-v20251014"},
    "hetzner": {"x86_64": "114690387", "arm64": "114690389"},
}
CLOUD_BUILD = {"address": "https://releases.invalid/release.tar.gz", "sha256": "0" * 64}
_site_names = st.lists(names, min_size=1, max_size=5, unique_by=lambda name: name[:14])


@st.composite
def _cloud_links(draw: st.DrawFn, at: dict[str, str], accounts: dict[str, str | None]) -> dict[str, Any]:
    """Tunnels over public addresses in a row; beside some of them, preferred, the path that the providers make."""
    found = {}
    for number, (a, b) in enumerate(pairwise(at)):
        found[f"link-{chr(97 + number)}"] = {"kind": "wireguard", "ends": (a, b), "carrier": "transit", "preference": 2}
        kind = _private_kind(at[a], at[b]) if accounts[a] is accounts[b] is None else None
        if kind and draw(st.booleans()):
            found[f"own-{chr(97 + number)}"] = {"kind": kind, "ends": (a, b), "carrier": "providers"}
    return found


def _private_kind(a: str, b: str) -> str | None:
    if {of(a), of(b)} == {"aws", "gcp"}:
        return "vpn"
    joined = of(a) == of(b) and (of(a) != "hetzner" or a.rpartition("/")[0] == b.rpartition("/")[0])
    return "backbone" if joined else None
