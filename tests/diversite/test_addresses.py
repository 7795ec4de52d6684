"""The address plan: private, without overlap, pinned by name."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversite import addresses
from diversite.errors import PlanError

NAMES = st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,15}", fullmatch=True), min_size=1, max_size=64, unique=True)


@given(NAMES)
def test_sites_never_overlap(names: list[str]) -> None:
    """Every site has a network of its own, inside the space of sites."""
    networks = addresses.site_networks(names)
    assert all(network.subnet_of(addresses.SITE_SPACE) for network in networks.values())
    assert not any(a.overlaps(b) for a, b in combinations(networks.values(), 2))


@given(NAMES)
def test_an_item_added_at_the_end_moves_no_other(names: list[str]) -> None:
    """A venue that grows keeps every address that it had."""
    before = addresses.link_networks(names[:-1])
    after = addresses.link_networks(names)
    assert all(after[name] == network for name, network in before.items())


def test_spaces_are_private_and_apart() -> None:
    """Sites, links and accesses never share an address, and none of them is public."""
    spaces = [addresses.SITE_SPACE, addresses.LINK_SPACE, addresses.ACCESS_SPACE]
    assert not any(a.overlaps(b) for a, b in combinations(spaces, 2))
    assert not any(space.is_global for space in spaces)


def test_roles_have_spans_of_their_own() -> None:
    """No two roles are given the same address of a site."""
    network = addresses.site_networks(["par"])["par"]
    given_out = [
        addresses.host_address(network, role, position)
        for role, span in addresses.ROLE_SPAN.items()
        for position in range(span)
    ]
    assert len(given_out) == len(set(given_out))
    assert all(address in network for address in given_out)


def test_exhaustion_is_an_error_that_says_what_to_do() -> None:
    """A host beyond the span of its role is refused, with the limit."""
    network = addresses.site_networks(["par"])["par"]
    with pytest.raises(PlanError, match="a site holds at most 32 hosts of that role"):
        addresses.host_address(network, "entry", 32)


def test_a_full_space_is_an_error() -> None:
    """More networks than a space holds are refused by count."""
    space = IPv4Network("10.0.0.0/30")
    with pytest.raises(PlanError, match="all 2 networks are taken"):
        addresses.zip_slots(["a", "b", "c"], space, 31)


def test_the_unique_local_networks_differ_by_site() -> None:
    """Each site has its own /64 in the venue's own /48."""
    networks = addresses.site_networks_v6("europe", addresses.site_networks(["par", "lon", "hel"]))
    assert len({str(network) for network in networks.values()}) == 3
    assert len({str(network.supernet(new_prefix=48)) for network in networks.values()}) == 1
    assert all(network.is_private and network.prefixlen == 64 for network in networks.values())
