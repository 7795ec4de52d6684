"""Small venues and strategies for them: real places, every field of a stack file that the judge reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from hypothesis import strategies as st

from diversite.topology import Bounds, Link, Topology

PLACES = (
    "aws/eu-west-3/euw3-az1",
    "hetzner/eu-central/nbg1",
    "gcp/europe-north2/europe-north2-a",
    "aws/eu-west-1/euw1-az1",
    "hetzner/eu-central/hel1",
    "gcp/europe-west2/europe-west2-a",
    "aws/eu-west-2/euw2-az1",
    "hetzner/eu-central/fsn1",
    "aws/eu-central-1/euc1-az1",
    "aws/eu-west-2/euw2-az2",
)
"""Places of three providers; the last ones share a metro, a grid or a region with earlier ones."""
MACHINES = {"aws": "c7i.xlarge", "gcp": "c3-standard-4", "hetzner": "ccx23"}
SURVIVABLE = ("host", "rack", "site", "metro", "local_grid", "control_area", "synchronous_area", "provider", "country")


def venue(
    powers: Sequence[int] = (1, 1, 1, 1),
    *,
    places: Sequence[str] = PLACES,
    names: Sequence[str] | None = None,
    survive: Iterable[Mapping[str, str]] = ({"any": "site"},),
    links: Mapping[str, Link] | None = None,
    entrances: Iterable[int] = (0, 1),
    monitors: Iterable[int] = (0, 1),
    bounds: Bounds | None = None,
) -> Topology:
    """A venue with one site a power; every two sites are joined, by two carriers, unless `links` says how."""
    sites = list(names or (f"s{number}" for number in range(len(powers))))
    machines = {site: MACHINES[place.split("/")[0]] for site, place in zip(sites, places, strict=False)}
    hosts = {site: {"site": site, "machine": machines[site]} for site in sites}
    return Topology.model_validate(
        {
            "venue": "small",
            "survive": tuple(survive),
            "bounds": bounds or Bounds(),
            "sites": {site: {"at": place} for site, place in zip(sites, places, strict=False)},
            "validators": {site: {**hosts[site], "power": power} for site, power in zip(sites, powers, strict=True)},
            "engines": hosts,
            "links": mesh(sites) if links is None else links,
            "order_entry": {sites[number]: hosts[sites[number]] for number in entrances},
            "monitoring": {sites[number]: hosts[sites[number]] for number in monitors},
        }
    )


def mesh(sites: Sequence[str]) -> dict[str, Link]:
    """A link between every two sites: one carrier joins neighbours, another the rest, so that either may fail."""
    return {
        f"l{number}": Link(kind="wireguard", ends=(a, b), carrier=f"carrier-{sites.index(b) - sites.index(a) == 1:d}")
        for number, (a, b) in enumerate(combinations(sites, 2))
    }


@st.composite
def venues(draw: st.DrawFn, sites_min: int = 3, sites_max: int = 6) -> Topology:
    """Venues of a few sites, all joined, with uneven powers, some links missing, some places that share domains."""
    count = draw(st.integers(sites_min, sites_max))
    places = draw(st.permutations(PLACES))[:count]
    powers = draw(st.lists(st.integers(1, 4), min_size=count, max_size=count))
    whole = mesh([f"s{number}" for number in range(count)])
    chain = {tuple(f"s{number + step}" for step in (0, 1)) for number in range(count)}
    spare = sorted(name for name, link in whole.items() if link.ends not in chain)
    absent = draw(st.sets(st.sampled_from(spare))) if spare else set()
    kinds = draw(st.lists(st.sampled_from(SURVIVABLE), min_size=1, max_size=3, unique=True))
    return venue(
        powers,
        places=places,
        links={name: link for name, link in whole.items() if name not in absent},
        survive=[{"any": kind} for kind in kinds],
        entrances=draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=2)),
        monitors=draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=2)),
    )


def renamed(topology: Topology, prefix: str = "zz-") -> Topology:
    """The same venue with every site, host and link by another name, in the same order."""
    data = topology.model_dump(by_alias=True)
    for section in ("sites", "validators", "engines", "links", "order_entry", "monitoring"):
        data[section] = {f"{prefix}{name}": item for name, item in data[section].items()}
    for section in ("validators", "engines", "order_entry", "monitoring"):
        for item in data[section].values():
            item["site"] = f"{prefix}{item['site']}"
    for link in data["links"].values():
        link["ends"] = tuple(f"{prefix}{end}" for end in link["ends"])
    return Topology.model_validate(data)
