"""The private network between sites as a graph: which way traffic takes, how long it takes, and what a cut leaves.

Routing is by cost, as OSPF does it: a tenth of a millisecond of round trip is one, and a link of a lower preference
costs a class more, so that it carries traffic only when better ones are gone. Of equal ways the one with the fewest
links counts, then the first by name, the same in both directions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from itertools import pairwise
from typing import Protocol

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

    def avoids(self, lost: Collection[str]) -> bool:
        """Whether it needs none of the named sites and links."""
        return self._needs.isdisjoint(lost)

    @cached_property
    def _needs(self) -> frozenset[str]:
        return frozenset((*self.links, *self.path))


Routes = Mapping[tuple[str, str], Route]


def cost(rtt_ms: float, preference: int) -> int:
    """The routing cost of a link."""
    return min(COST_MAX, max(1, round(rtt_ms * COST_PER_MS)) + (preference - 1) * COST_PER_PREFERENCE)


def routes(sites: Iterable[str], links: Iterable[Edge], without: Collection[str] = frozenset()) -> Routes:
    """The route between every ordered pair of sites that still reach each other, without the named sites and links."""
    standing = sorted(site for site in sites if site not in without)
    ways = _ways(links, without)
    return _both_directions(route for at, start in enumerate(standing) for route in _from(start, ways, standing[at:]))


def routes_after(before: Routes, links: Iterable[Edge], lost: frozenset[str]) -> Routes:
    """The routes when `lost` sites and links are gone: `before`, with new ways only where the old ones are broken."""
    kept = {pair: route for pair, route in before.items() if lost.isdisjoint(route._needs)}
    broken = {pair for pair in before if pair not in kept and lost.isdisjoint(pair)}
    if not broken:
        return kept
    ways, ends = _ways(links, lost), defaultdict[str, list[str]](list)
    for a, b in broken:
        if a < b:
            ends[a].append(b)
    return kept | _both_directions(route for start, wanted in ends.items() for route in _from(start, ways, wanted))


def islands(sites: Iterable[str], links: Iterable[Edge], without: frozenset[str]) -> tuple[frozenset[str], ...]:
    """The groups of sites that still reach each other; a site whose router is among `without` is one by itself."""
    tree = {site: site for site in sites}
    joins_left = sum(site not in without for site in tree) - 1
    for link in links:
        if joins_left <= 0:
            break
        a, b = link.sites
        if link.name not in without and a not in without and b not in without:
            top, other = _root(tree, a), _root(tree, b)
            tree[other] = top
            joins_left -= top != other
    parts: dict[str, list[str]] = {}
    for site in tree:
        parts.setdefault(_root(tree, site), []).append(site)
    return tuple(map(frozenset, parts.values()))


def bridges(sites: Iterable[str], links: Iterable[Edge]) -> frozenset[str]:
    """The links of which each alone cuts sites off."""
    ways: dict[str, list[tuple[str, str]]] = {site: [] for site in sites}
    for link in links:
        a, b = link.sites
        ways[a].append((b, link.name))
        ways[b].append((a, link.name))
    found: set[str] = set()
    reached: dict[str, int] = {}
    for start in ways:
        if start not in reached:
            found |= _bridges_from(start, ways, reached)
    return frozenset(found)


def smallest(parts: Iterable[frozenset[str]]) -> frozenset[str]:
    """The part with the fewest sites: the one that is said to be cut off."""
    return min(parts, key=lambda part: (len(part), sorted(part)))


def cut_pairs(sites: Collection[str], links: Collection[Edge]) -> Iterator[tuple[tuple[str, str], frozenset[str]]]:
    """Every two links that together, but neither alone, cut sites off, with the sites of the smaller part.

    Three spanning forests, one after the other, keep every cut of fewer than three links (Nagamochi and Ibaraki, 1992):
    only their links are tried, so a full mesh costs little more than a ring.
    """
    kept = [link for forest in _forests(sites, links, 3) for link in forest]
    alone, place = bridges(sites, kept), {link.name: at for at, link in enumerate(links)}
    if len(islands(sites, kept, frozenset())) > 1:
        return
    for link in sorted(kept, key=lambda link: place[link.name]):
        rest = [other for other in kept if other is not link]
        others = () if link.name in alone else bridges(sites, rest) - alone
        for other in sorted(others, key=place.__getitem__):
            if place[other] > place[link.name]:
                yield (link.name, other), smallest(islands(sites, kept, frozenset({link.name, other})))


def _forests(sites: Collection[str], links: Iterable[Edge], count: int) -> Iterator[list[Edge]]:
    """Spanning forests: the second of what the first leaves, and so on."""
    left = list(links)
    for _ in range(count):
        tree, group = {site: site for site in sites}, []
        for link in left:
            a, b = (_root(tree, site) for site in link.sites)
            if a != b:
                tree[a] = b
                group.append(link)
        taken = {link.name for link in group}
        left = [link for link in left if link.name not in taken]
        yield group


def _root(tree: dict[str, str], site: str) -> str:
    while tree[site] != site:
        tree[site] = tree[tree[site]]
        site = tree[site]
    return site


def _bridges_from(start: str, ways: Mapping[str, list[tuple[str, str]]], reached: dict[str, int]) -> set[str]:
    """Bridges of one island: a link below which no other link leads back above it (Tarjan, 1974)."""
    found: set[str] = set()
    lowest = {start: len(reached)}
    reached[start] = len(reached)
    trail = [(start, "", iter(ways[start]))]
    while trail:
        site, by, onward = trail[-1]
        for following, name in onward:
            if name == by:
                continue
            if following in reached:
                lowest[site] = min(lowest[site], reached[following])
                continue
            lowest[following] = reached[following] = len(reached)
            trail.append((following, name, iter(ways[following])))
            break
        else:
            trail.pop()
            if trail:
                above = trail[-1][0]
                lowest[above] = min(lowest[above], lowest[site])
                found |= {by} if lowest[site] > reached[above] else set()
    return found


_Ways = Mapping[str, Mapping[str, Edge]]


def _ways(links: Iterable[Edge], without: Collection[str]) -> _Ways:
    """The cheapest link to each neighbour."""
    ways: dict[str, dict[str, Edge]] = defaultdict(dict)
    for link in sorted(links, key=lambda link: (link.cost, link.name), reverse=True):  # the cheapest comes last
        a, b = link.sites
        if not {link.name, a, b}.intersection(without):
            ways[a][b] = ways[b][a] = link
    return ways


def _from(start: str, ways: _Ways, ends: Collection[str]) -> Iterator[Route]:
    """The best routes to those of `ends` that `start` reaches, by Dijkstra's algorithm."""
    left, passed = set(ends), set[str]()
    best = {start: (0, 1)}
    queue: list[tuple[int, int, tuple[str, ...]]] = [(0, 1, (start,))]
    while queue and left:
        spent, length, path = heappop(queue)
        site = path[-1]
        if site in passed:
            continue
        passed.add(site)
        if site in left:
            left.remove(site)
            yield _route(path, ways)
        for following, link in ways.get(site, {}).items():
            way = spent + link.cost, length + 1
            if following not in passed and way <= best.get(following, way):
                best[following] = way
                heappush(queue, (*way, (*path, following)))


def _route(path: tuple[str, ...], ways: _Ways) -> Route:
    taken = [ways[a][b] for a, b in pairwise(path)]
    return Route(path=path, links=tuple(link.name for link in taken), rtt_ms=sum(link.rtt_ms for link in taken))


def _both_directions(found: Iterable[Route]) -> dict[tuple[str, str], Route]:
    both = {}
    for route in found:
        a, b = route.path[0], route.path[-1]
        both[a, b] = route
        both[b, a] = Route(path=route.path[::-1], links=route.links[::-1], rtt_ms=route.rtt_ms)
    return both
