"""The network as a graph: routes, what a loss leaves of them, and islands."""

from __future__ import annotations

from dataclasses import dataclass

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversite import network

SITES = "abcdef"


@dataclass(frozen=True)
class Wire:
    """A link as routing sees it."""

    name: str
    sites: tuple[str, str]
    rtt_ms: float
    preference: int = 1

    @property
    def cost(self) -> int:
        """As the plan gives it."""
        return network.cost(self.rtt_ms, self.preference)


@st.composite
def wirings(draw: st.DrawFn) -> list[Wire]:
    """Up to twelve links among six sites, parallel ones included."""
    ends = st.tuples(st.sampled_from(SITES), st.sampled_from(SITES)).filter(lambda ends: ends[0] != ends[1])
    count = draw(st.integers(0, 12))
    return [Wire(f"l{i}", draw(ends), draw(st.integers(1, 50)) / 1, draw(st.integers(1, 2))) for i in range(count)]


@given(wirings())
def test_routes_are_the_cheapest(links: list[Wire]) -> None:
    """Every route costs what an independent shortest-path search finds, and its round trip is that of its links."""
    by_name = {link.name: link for link in links}
    graph: networkx.Graph[str] = networkx.Graph()
    graph.add_nodes_from(SITES)
    for link in sorted(links, key=lambda link: -link.cost):
        graph.add_edge(*link.sites, cost=link.cost)
    lengths = dict(networkx.all_pairs_dijkstra_path_length(graph, weight="cost"))
    found = network.routes(SITES, links)
    assert found.keys() == {(a, b) for a in SITES for b in lengths[a]}
    for (a, b), route in found.items():
        assert sum(by_name[name].cost for name in route.links) == lengths[a][b]
        assert route.rtt_ms == pytest.approx(sum(by_name[name].rtt_ms for name in route.links))


@given(wirings())
def test_a_route_is_the_same_in_both_directions(links: list[Wire]) -> None:
    """Equal ways are told apart alike at both ends, so a round trip is one path."""
    found = network.routes(SITES, links)
    assert all(found[b, a].path == route.path[::-1] for (a, b), route in found.items())


@given(wirings(), st.sets(st.sampled_from([*SITES, "l0", "l1", "l2", "l3"]), max_size=3))
def test_mending_routes_gives_what_a_new_search_gives(links: list[Wire], lost: set[str]) -> None:
    """Only broken routes are searched anew, and the result is the same."""
    before = network.routes(SITES, links)
    after = network.routes_after(before, links, frozenset(lost))
    anew = network.routes(SITES, links, lost)
    assert {pair: route.rtt_ms for pair, route in after.items()}.keys() == anew.keys()
    by_name = {link.name: link for link in links}
    for pair, route in after.items():
        assert sum(by_name[name].cost for name in route.links) == sum(by_name[name].cost for name in anew[pair].links)
        assert route.avoids(lost)


@given(wirings(), st.sets(st.sampled_from([*SITES, "l0", "l1", "l2"]), max_size=3))
def test_islands_are_connected_components(links: list[Wire], lost: set[str]) -> None:
    """Sites are on one island exactly when a route joins them; a site without its router stands alone."""
    parts = network.islands(SITES, links, frozenset(lost))
    assert sorted(site for part in parts for site in part) == sorted(SITES)
    reach = network.routes(SITES, links, lost)
    for part in parts:
        assert all((a, b) in reach for a in part for b in part if a != b)
        assert not any((a, b) in reach for a in part for b in set(SITES) - part)


@given(wirings())
def test_a_bridge_is_a_link_that_cuts_alone(links: list[Wire]) -> None:
    """A link is a bridge exactly when there are more islands without it."""
    whole = len(network.islands(SITES, links, frozenset()))
    cutting = {link.name for link in links if len(network.islands(SITES, links, frozenset({link.name}))) > whole}
    assert network.bridges(SITES, links) == cutting


@given(wirings())
def test_pairs_of_links_that_cut_are_all_found(links: list[Wire]) -> None:
    """Every two links of which only both together cut sites off are told, with the smaller part."""
    found = dict(network.cut_pairs(SITES, links))
    whole = len(network.islands(SITES, links, frozenset()))
    for at, one in enumerate(links):
        for other in links[at + 1 :]:
            pair = frozenset({one.name, other.name})
            alone = any(len(network.islands(SITES, links, frozenset({name}))) > whole for name in pair)
            cuts = len(network.islands(SITES, links, pair)) > whole
            assert ((one.name, other.name) in found) == (cuts and not alone and whole == 1)
    for cut, off in found.items():
        assert off == network.smallest(network.islands(SITES, links, frozenset(cut)))


def test_a_ring_is_cut_by_any_two_of_its_links() -> None:
    """Every pair of the links of a ring cuts it in two."""
    ring = [Wire(f"l{at}", (SITES[at], SITES[(at + 1) % 6]), 1.0) for at in range(6)]
    assert len(dict(network.cut_pairs(SITES, ring))) == 15
