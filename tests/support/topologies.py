"""Hypothesis strategies for topologies that a stack file may state."""

from __future__ import annotations

import datetime
import re
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
