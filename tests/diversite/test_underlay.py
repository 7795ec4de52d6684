"""What carries the tunnels between sites in clouds."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diversite import stackfile
from diversite.plan import Plan, plan
from diversite.topology import Topology
from diversite.underlay import (
    PRIVATE_ASNS,
    TUNNEL_SPACE,
    TUNNELS,
    Region,
    joined_within,
    region_of,
    regions,
    underlays,
)
from tests.support.topologies import CLOUD_MACHINES, of
from tests.test_boundaries import ROOT

PAR, PAR2, DUB = "aws/eu-west-3/euw3-az1", "aws/eu-west-3/euw3-az2", "aws/eu-west-1/euw1-az1"
LDN, STO = "gcp/europe-west2/europe-west2-a", "gcp/europe-north2/europe-north2-a"
NBG, HEL, ASH = "hetzner/eu-central/nbg1", "hetzner/eu-central/hel1", "hetzner/us-east/ash"
RESERVED_BY_AWS = [IPv4Network(f"169.254.{third}.0/30") for third in range(6)] + [IPv4Network("169.254.169.252/30")]
"""What AWS refuses as the inside of a tunnel."""

AWS_PAR = Region(provider="aws", name="eu-west-3", account="aws")
AWS_DUB = Region(provider="aws", name="eu-west-1", account="aws")
GCP_LDN = Region(provider="gcp", name="europe-west2", account="gcp")


def venue(at: Mapping[str, str], links: Mapping[str, Mapping[str, Any]], accounts: Mapping[str, str] = {}) -> Plan:
    """A plan of sites at places, in a row of tunnels, with further links."""
    sites = list(at)
    hosts = {site: {"site": site, "machine": CLOUD_MACHINES[of(at[site])][0]} for site in sites}
    row = {
        f"row-{a}-{b}": {"kind": "wireguard", "ends": (a, b), "carrier": "transit", "preference": 3}
        for a, b in pairwise(sites)
    }
    topology = {
        "venue": "small",
        "survive": ({"any": "site"},),
        "sites": {site: {"at": place, "account": accounts.get(site)} for site, place in at.items()},
        "validators": hosts,
        "engines": hosts,
        "order_entry": {sites[0]: hosts[sites[0]]},
        "monitoring": {sites[0]: hosts[sites[0]]},
        "links": {**row, **{name: {"carrier": "own", **link} for name, link in links.items()}},
    }
    return plan(Topology.model_validate(topology))


def test_a_tunnel_over_public_addresses_needs_nothing() -> None:
    """`wireguard` links have no underlay, whoever's sites they join."""
    assert underlays(venue({"a": PAR, "b": LDN, "c": NBG}, {})) == ()


@pytest.mark.parametrize(
    ("at", "kind"), [((PAR, PAR2), "backbone"), ((NBG, HEL), "backbone"), ((LDN, STO), "backbone")]
)
def test_sites_of_one_network_need_nothing(at: tuple[str, str], kind: str) -> None:
    """An AWS or Hetzner region is one network already, and Google's is one over all of its regions."""
    a, b = at
    assert underlays(venue({"a": a, "b": b}, {"own": {"kind": kind, "ends": ("a", "b")}})) == ()


def test_networks_of_two_accounts_are_two() -> None:
    """Google's network ends at its project, as any other does at its account."""
    accounts = {"b": "second"}
    found = underlays(venue({"a": LDN, "b": LDN}, {"own": {"kind": "backbone", "ends": ("a", "b")}}, accounts))
    assert [(it.a.account, it.b.account) for it in found] == [("gcp", "second")]
    assert found[0].name == "backbone-europe-west2-europe-west2-second"


def test_links_between_two_regions_share_a_path() -> None:
    """Two sites in Paris and one in Dublin: one path with both links, which leads to the three gateways only."""
    planned = venue({"a": PAR, "b": PAR2, "c": DUB}, {"own": {"kind": "backbone", "ends": ("a", "b", "c")}})
    (found,) = underlays(planned)
    assert (found.kind, found.name, found.preference) == ("backbone", "backbone-eu-west-1-eu-west-3", 1)
    assert {found.a, found.b} == {AWS_PAR, AWS_DUB}
    assert found.links == ("own-a-c", "own-b-c")
    assert found.gateways[AWS_PAR] == (planned.sites["a"].gateway_address, planned.sites["b"].gateway_address)
    assert found.gateways[AWS_DUB] == (planned.sites["c"].gateway_address,)
    assert found.far(AWS_PAR) == AWS_DUB
    assert found.far(AWS_DUB) == AWS_PAR
    assert found.tunnels == ()


def test_a_second_preference_is_a_second_path() -> None:
    """What is to take over when the first fails may not be the first."""
    links: dict[str, dict[str, Any]] = {
        "vpn": {"kind": "vpn", "ends": ("a", "b")},
        "spare": {"kind": "vpn", "ends": ("a", "b"), "preference": 2},
    }
    first, second = underlays(venue({"a": PAR, "b": LDN}, links))
    assert (first.name, second.name) == ("vpn-eu-west-3-europe-west2", "vpn-eu-west-3-europe-west2-2")
    assert not set(first.tunnels) & set(second.tunnels)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from([PAR, DUB, "aws/eu-west-2/euw2-az1"]), min_size=1, max_size=3, unique=True))
def test_tunnels_are_pinned(places: list[str]) -> None:
    """Each VPN has four /30 of its own, none that AWS reserves; a VPN that is added moves no other's."""
    at = {"ldn": LDN, "sto": STO, **{f"aws-{number}": place for number, place in enumerate(places)}}
    ends = [("ldn", site) for site in at if site.startswith("aws-")] + [("sto", "aws-0")]
    links = {f"v{number}": {"kind": "vpn", "ends": pair} for number, pair in enumerate(ends)}
    found = underlays(venue(at, links))
    tunnels = [tunnel for it in found for tunnel in it.tunnels]
    assert len(tunnels) == TUNNELS * len(found) == TUNNELS * len(links)
    assert not [pair for pair in combinations(tunnels, 2) if pair[0].overlaps(pair[1])]
    assert all(tunnel.subnet_of(TUNNEL_SPACE) and tunnel not in RESERVED_BY_AWS for tunnel in tunnels)
    without = {name: link for name, link in links.items() if name != f"v{len(ends) - 1}"}
    before = {it.name: it.tunnels for it in underlays(venue(at, without))}
    assert before.items() <= {it.name: it.tunnels for it in found}.items()


def test_regions_hold_their_sites() -> None:
    """By provider, region and account, in the topology's order."""
    planned = venue({"a": PAR, "b": LDN, "c": PAR2, "d": PAR}, {}, {"d": "second"})
    assert regions(planned) == {
        AWS_PAR: ("a", "c"),
        GCP_LDN: ("b",),
        Region(provider="aws", name="eu-west-3", account="second"): ("d",),
    }
    assert list(regions(planned, "gcp")) == [GCP_LDN]
    assert region_of(planned, "b") == GCP_LDN


def test_autonomous_systems_are_private_and_apart() -> None:
    """Every region of the flagship and of each other stack has a number of its own, of those that nobody owns."""
    for path in (ROOT / "stacks").glob("[a-z]*.yaml"):
        numbers = [region.asn for region in regions(plan(stackfile.load(path)))]
        assert all(number in PRIVATE_ASNS for number in numbers), path.name
        assert len(set(numbers)) == len(numbers), path.name


def test_gateways_are_joined_within_a_zone_where_a_link_says_so() -> None:
    """Falkenstein to Helsinki by Hetzner's own network; Ashburn, and whoever has only tunnels, is not in it."""
    at = {"a": NBG, "b": ASH, "c": HEL, "d": "hetzner/eu-central/fsn1"}
    planned = venue(at, {"own": {"kind": "backbone", "ends": ("a", "c")}})
    central, east = regions(planned)
    assert joined_within(planned, central) == ("a", "c")
    assert joined_within(planned, east) == ()
