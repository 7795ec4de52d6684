"""The private network between sites as a graph: which way traffic takes, how long it takes, and what a cut leaves.

Routing is by cost, as OSPF does it: a tenth of a millisecond of round trip is one, and a link of a lower preference
costs a class more, so that it carries traffic only when better ones are gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import networkx

COST_PER_MS = 10
COST_PER_PREFERENCE = 20_000
COST_MAX = 65_535
"""The largest metric of an OSPF link (RFC 2328)."""


class Edge(Protocol):
    """What routing needs to know of a link."""

    @property
    def name(self) -> str: ...
    @property
    def sites(self) -> tuple[str, str]: ...
    @property
    def rtt_ms(self) -> float: ...
    @property
    def cost(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Route:
    """The way between two sites: the sites passed, the links taken, the round trip over them."""

    path: tuple[str, ...]
    links: tuple[str, ...]
    rtt_ms: float


def cost(rtt_ms: float, preference: int) -> int:
    """The routing cost of a link."""
    return min(COST_MAX, max(1, round(rtt_ms * COST_PER_MS)) + (preference - 1) * COST_PER_PREFERENCE)


def routes(
    sites: Iterable[str], links: Iterable[Edge], without: Collection[str] = frozenset()
) -> Mapping[tuple[str, str], Route]:
    """The route between every ordered pair of sites that still reach each other, without the named sites and links."""
    graph = _graph(sites, links, without)
    found = {}
    for start, (_, paths) in networkx.all_pairs_dijkstra(graph, weight="cost"):
        for end, path in paths.items():
            found[start, end] = _route(graph, tuple(path))
    return found


def _graph(sites: Iterable[str], links: Iterable[Edge], without: Collection[str]) -> networkx.Graph[str]:
    graph: networkx.Graph[str] = networkx.Graph()
    graph.add_nodes_from(site for site in sites if site not in without)
    for link in sorted(links, key=lambda link: (-link.cost, link.name)):  # of parallel links the cheapest is kept
        if link.name not in without and all(site in graph for site in link.sites):
            graph.add_edge(*link.sites, cost=link.cost, rtt_ms=link.rtt_ms, name=link.name)
    return graph


def _route(graph: networkx.Graph[str], path: tuple[str, ...]) -> Route:
    taken = [graph.edges[step] for step in pairwise(path)]
    return Route(path=path, links=tuple(edge["name"] for edge in taken), rtt_ms=sum(edge["rtt_ms"] for edge in taken))
