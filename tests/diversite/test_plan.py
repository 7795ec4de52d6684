"""The plan: everything about a venue, decided once."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from diversite import naming, network, ports, stackfile
from diversite.errors import PlanError
from diversite.plan import Plan, plan

STACKS = Path(__file__).parents[2] / "stacks"


@pytest.fixture(scope="module")
def europe() -> Plan:
    """The flagship, planned."""
    return plan(stackfile.load(STACKS / "europe.yaml"))


def test_the_same_topology_gives_the_same_plan(europe: Plan) -> None:
    """Nothing in a plan comes from a clock or from chance."""
    assert plan(europe.topology) == europe


def test_every_address_is_used_once(europe: Plan) -> None:
    """No two hosts, link ends or accesses share an address."""
    used = [host.address for host in europe.hosts.values()]
    used += [end.address.ip for link in europe.links.values() for end in (link.a, link.b)]
    used += [end.ip for access in europe.accesses.values() for end in (access.address, access.client_address)]
    assert len(used) == len(set(used))


def test_no_two_proposers_in_a_row_share_what_they_need_not(europe: Plan) -> None:
    """The flagship's proposers alternate between sites, metros, local grids and providers."""
    places = [europe.sites[site].place for site in europe.proposer_sites]
    for one, following in pairwise([*places, places[0]]):
        assert one.metro != following.metro
        assert one.grid.local_grid != following.grid.local_grid
        assert one.provider != following.provider


def test_the_order_of_proposers_is_fixed_by_power(europe: Plan) -> None:
    """Powers fall along the order, so that key addresses decide nothing, and stay equal to a part in 100,000."""
    powers = [europe.hosts[naming.host("validator", key)].voting_power for key in europe.proposer_order]
    assert powers == sorted(powers, reverse=True)
    assert len(set(powers)) == len(powers)
    assert max(powers) / min(powers) < 1 + 1e-5


def test_an_engine_executes_the_blocks_of_a_validator_beside_it(europe: Plan) -> None:
    """Validators and engines are partners, one to one, at the same site."""
    for validator in europe.of_role("validator"):
        engine = europe.hosts[validator.partner or ""]
        assert (engine.role, engine.site, engine.partner) == ("engine", validator.site, validator.name)


def test_sites_without_a_way_to_each_other_are_refused(europe: Plan) -> None:
    """A venue in two halves is no venue, and the error names the half that is cut off."""
    with pytest.raises(PlanError, match="no way leads from site par to "):
        plan(europe.topology.model_copy(update={"links": {}}))


def test_every_two_sites_reach_each_other(europe: Plan) -> None:
    """There is a route for each pair, and its round trip is that of its links."""
    for one in europe.sites:
        for other in europe.sites:
            route = europe.routes[one, other]
            assert route.path[0] == one
            assert route.path[-1] == other
            assert route.rtt_ms == pytest.approx(sum(europe.links[link].rtt_ms for link in route.links))


def test_time_outs_cover_the_longest_way(europe: Plan) -> None:
    """A proposal from the farthest site arrives before anybody gives up on it."""
    assert europe.timing.propose_ms > 4 * europe.timing.hop_ms_max
    assert europe.timing.precommit_ms > 2 * europe.timing.hop_ms_max


def test_names_fit_the_tightest_limit(europe: Plan) -> None:
    """Interfaces fit Linux; hosts fit a DNS label."""
    assert all(
        len(end.interface) <= naming.INTERFACE_LENGTH_MAX for link in europe.links.values() for end in (link.a, link.b)
    )
    assert all(len(name) <= naming.RESOURCE_LENGTH_MAX for name in europe.hosts)


def test_interfaces_of_a_site_differ(europe: Plan) -> None:
    """Two links of one router never share an interface name."""
    for site in europe.sites:
        names = [here.interface for _, here, _ in europe.links_at(site)]
        assert len(names) == len(set(names))


def test_a_lower_preference_carries_only_what_is_left() -> None:
    """Whatever the round trips, a link of preference 2 costs more than any way of preference 1 in Europe."""
    assert network.cost(1.0, 2) > network.cost(500.0, 1)
    assert network.cost(9_999.0, 3) == network.COST_MAX


def test_every_port_is_listed_once() -> None:
    """Two services never claim one port of one protocol on the same role."""
    claimed = {(flow.target, flow.protocol, flow.port) for flow in ports.FLOWS}
    by_port: dict[tuple[str, str, int], set[str]] = {}
    for flow in ports.FLOWS:
        by_port.setdefault((flow.target, flow.protocol, flow.port), set()).add(flow.source)
    assert len(claimed) == len(by_port)
    assert not {flow for flow in ports.FLOWS if flow.scope == "public" and flow.target not in ("entry", "gateway")}
