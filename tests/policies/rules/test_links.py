"""What a link, its addresses, its secret and its timers may be, at the edge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies import tokens
from policies.declared import UNKNOWN, Resource
from policies.rules.links import (
    addresses_apart,
    detection_fast,
    disjoint_ways,
    encrypted,
    mtu_fits,
    private_only,
    range_private,
    tunnel_secrets_differ,
)
from policies.venue import Venue
from tests.policies import asked
from tests.policies.asked import blamed, said, said_of

EMPTY = Venue(resources={}, expected=asked.right().expected)


def beside(*resources: Resource, venue: Venue = EMPTY) -> Venue:
    """A stack with further resources."""
    return Venue(resources={**venue.resources, **{item.urn: item for item in resources}}, expected=venue.expected)


def resource(name: str, type_: str, uses: dict[str, tuple[str, ...]] | None = None, /, **inputs: Any) -> Resource:
    """A resource of which a rule reads little."""
    return Resource(urn=name, name=name, type=type_, inputs=inputs, uses=uses or {})


def test_a_stack_without_hosts_is_not_in_parts() -> None:
    """Nothing is joined, and nothing needs to be."""
    assert said(disjoint_ways, EMPTY) == []


# Addresses.


def host(address: object, name: str = "host") -> Resource:
    """A lab's host."""
    told = {"node": name, "role": "engine", "site": "par"}
    return resource(name, tokens.LAB_HOST, site="par", networks=[{"name": name, "address": address}], tags=told)


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("10.0.0.0", True),
        ("10.255.255.255", True),
        ("11.0.0.0", False),
        ("172.16.0.1", True),
        ("172.32.0.1", False),
        ("192.168.0.1", True),
        ("192.169.0.1", False),
        ("100.64.0.1", False),
        ("2001:db8::1", False),
        ("nowhere", False),
        (UNKNOWN, True),
    ],
)
def test_a_hosts_address_is_one_of_the_private_ones(address: object, private: bool) -> None:
    """What is no address of IPv4 is not private; what is not known yet is judged when it is."""
    assert said(private_only, beside(host(address))) == [f"the address {address} is not private"] * (not private)


@pytest.mark.parametrize(("address", "private"), [("8.8.8.8/31", False), ("10.1.2.2/31", True), (UNKNOWN, True)])
def test_a_links_end_has_a_private_address(address: object, private: bool) -> None:
    """What is not known yet is judged when it is."""
    end = {"address": address, "host": "gateway-par-id", "interface": "nbg0"}
    told = ["the address 8.8.8.8 of a link's end at par is not private"]
    assert said(private_only, asked.changed(asked.right(), "par-nbg", a=end)) == told * (not private)


def test_a_wire_to_an_entrance_may_have_an_end_that_nobody_knows() -> None:
    """An entrance alone is no host that should not be joined to the outside."""
    access = next(item for item in asked.right().resources.values() if item.name == "entry-par-access" and item.uses)
    half = replace(access, uses={**access.uses, "a": ()})
    assert said(private_only, beside(half, venue=asked.right())) == []


def test_networks_overlap_whatever_their_names_are() -> None:
    """The order of names says nothing of the order of addresses."""
    for first, second in (("a", "b"), ("b", "a")):
        wide = resource(first, tokens.AWS_SUBNET, cidrBlock="10.1.0.0/16")
        narrow = resource(second, tokens.GCP_SUBNETWORK, ipCidrRange="10.1.2.0/24")
        told = f"the networks 10.1.0.0/16 of {first} and 10.1.2.0/24 of {second} overlap"
        assert said(addresses_apart, beside(wide, narrow)) == [told]


def test_networks_side_by_side_do_not_overlap() -> None:
    """The next network begins where the last one ends."""
    subnets = (resource(name, tokens.AWS_SUBNET, cidrBlock=f"10.1.{name}.0/24") for name in ("1", "2"))
    assert said(addresses_apart, beside(*subnets)) == []


def test_one_network_of_a_site_does_not_overlap_with_itself() -> None:
    """Its hosts may declare it with different masks."""
    hosts = [host(f"10.1.0.{mask}/{mask}", name=f"host-{mask}") for mask in (22, 24)]
    one = [replace(it, inputs={**it.inputs, "networks": [{**it.inputs["networks"][0], "name": "par"}]}) for it in hosts]
    assert said(addresses_apart, beside(*one)) == []


@pytest.mark.parametrize("declared", [UNKNOWN, "nothing", None])
def test_a_network_that_nobody_knows_overlaps_with_none(declared: object) -> None:
    """An address or a range that is not known yet, or none at all, breaks no other rule than its own."""
    known = resource("a", tokens.AWS_SUBNET, cidrBlock="10.1.0.0/16")
    unknown = resource("b", tokens.HCLOUD_NETWORK_SUBNET, ipRange=declared)
    assert said(addresses_apart, beside(known, unknown, host(declared))) == []


def test_a_network_that_is_public_is_found() -> None:
    """That of a host as that of a cloud."""
    stack = beside(host("8.8.4.4/24"), resource("a", tokens.AWS_SUBNET, cidrBlock="9.0.0.0/16"))
    told = ["the network 8.8.4.0/24 of par/host is not private", "the network 9.0.0.0/16 of a is not private"]
    assert said(addresses_apart, stack) == told


def test_hosts_with_one_address_are_blamed_and_no_others() -> None:
    """Two share it; the third has its own."""
    stack = beside(
        host("10.1.0.4/22", "b"), host("10.1.0.4/22", "c"), host("10.1.0.3/22", "a"), host("10.1.0.5/22", "d")
    )
    assert blamed(addresses_apart, stack) == ["b", "c"]


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ("10.0.0.0/8", []),
        ("172.16.0.0/12", []),
        ("10.0.0.0/7", ["cidrBlock is 10.0.0.0/7: not private"]),
        ("nothing", ["cidrBlock is nothing: not private"]),
        (UNKNOWN, ["cidrBlock is not declared"]),
        (None, ["cidrBlock is not declared"]),
    ],
)
def test_a_range_may_be_as_wide_as_a_private_one(declared: object, says: list[str]) -> None:
    """A range of which a part is public is public."""
    assert said_of(range_private, tokens.AWS_VPC, {"cidrBlock": declared}) == says


# Secrets.


def in_cloud(kind: str, **more: str) -> Venue:
    """The right venue, with its way from Paris to Nuremberg a link of a cloud instead of a lab's wire."""
    fact = asked.right().facts.links["par-nbg"]
    ends = {
        key: {"site": site, "address": address} for key, (site, address) in zip("ab", sorted(fact.ends), strict=True)
    }
    link = resource("link", "diversite:clouds:Link", link="par-nbg", kind=kind, carrier=fact.carrier, **ends, **more)
    return beside(link, venue=asked.without(asked.right(), "par-nbg"))


@pytest.mark.parametrize(
    ("kind", "more", "passes"),
    [
        ("wireguard", {}, True),
        ("vpn", {}, True),
        ("circuit", {}, False),
        ("cross_cloud", {}, False),
        ("backbone", {}, False),
        ("circuit", {"encryption": "macsec"}, True),
        ("backbone", {"encryption": "ipsec"}, True),
        ("circuit", {"encryption": "wireguard"}, True),
        ("circuit", {"encryption": "rot13"}, False),
    ],
)
def test_between_two_clouds_a_link_is_encrypted(kind: str, more: dict[str, str], passes: bool) -> None:
    """By its kind, or by what it declares; a carrier's promise is none."""
    assert (not said(encrypted, in_cloud(kind, **more))) is passes


@pytest.mark.parametrize(("kind", "passes"), [("circuit", True), ("cross_cloud", True), ("backbone", False)])
def test_a_labs_wire_rehearses_a_circuit_without_its_encryption(kind: str, passes: bool) -> None:
    """MACsec is a matter of two switches; a backbone ends where its provider does."""
    assert (not said(encrypted, asked.tagged(asked.right(), "par-nbg", kind=kind))) is passes


def test_within_one_provider_nothing_needs_to_be_encrypted() -> None:
    """A backbone between two of its regions is the provider's own."""
    assert asked.right().facts.links["aws-par-dub"].kind == "backbone"
    assert said(encrypted, asked.right()) == []


def test_a_link_that_ends_nowhere_leaves_no_provider() -> None:
    """Which sites it joins is another rule's matter."""
    fact = asked.right().facts.links["par-nbg"]
    stray = resource("stray", "diversite:clouds:Link", link="stray", kind="backbone", carrier=fact.carrier)
    assert said(encrypted, beside(stray, venue=asked.right())) == []


def tunnel(name: str, secret: object, *source: str) -> Resource:
    """A Google tunnel, whose secret comes from a resource."""
    return resource(name, tokens.GCP_VPN_TUNNEL, {"sharedSecret": source} if source else None, sharedSecret=secret)


@pytest.mark.parametrize(
    ("one", "two", "shared"),
    [
        (tunnel("a", "x"), tunnel("b", "x"), ["a", "b"]),
        (tunnel("a", "x"), tunnel("b", "y"), []),
        (tunnel("a", "x", "s"), tunnel("b", "y", "s"), []),
        (tunnel("a", UNKNOWN, "s"), tunnel("b", UNKNOWN, "s"), ["a", "b"]),
        (tunnel("a", UNKNOWN, "s"), tunnel("b", UNKNOWN, "t"), []),
        (tunnel("a", UNKNOWN), tunnel("b", UNKNOWN), ["a", "b"]),
    ],
)
def test_secrets_are_told_apart_by_their_value_or_by_where_they_come_from(
    one: Resource, two: Resource, shared: list[str]
) -> None:
    """A known secret is its value; one that is not known yet is the resource that will make it."""
    assert blamed(tunnel_secrets_differ, beside(one, two)) == shared


def test_both_tunnels_of_one_connection_have_secrets_of_their_own() -> None:
    """One connection of AWS is two tunnels, and is blamed once."""
    keys = {"tunnel1PresharedKey": "x", "tunnel2PresharedKey": "x"}
    assert blamed(tunnel_secrets_differ, beside(resource("a", tokens.AWS_VPN_CONNECTION, None, **keys))) == ["a"]


# Timers and sizes.


def bird(*settings: str) -> Venue:
    """The right venue, with other BFD settings of the router in Paris."""
    return asked.changed(asked.right(), "gateway-par-bird", files={"/bird.conf": "\n".join(settings)})


FAST, SLOW = "interval 200 ms;\n multiplier 3;", "interval 500 ms;\n multiplier 3;"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ([FAST, FAST, FAST], []),
        ([FAST, FAST, FAST, FAST], []),
        ([FAST, FAST], ["1 of 3 links are not watched with BFD"]),
        ([FAST, SLOW, FAST], ["BFD takes 1500 ms; 1000 ms is the most"]),
    ],
)
def test_every_link_is_watched(settings: list[str], says: list[str]) -> None:
    """A link more than there are does no harm; one less is not seen to die."""
    assert said(detection_fast, bird(*settings)) == says


@pytest.mark.parametrize(("most", "passes"), [(600, True), (599, False)])
def test_bfd_may_take_as_long_as_the_bound(most: int, passes: bool) -> None:
    """Three intervals of 200 ms are fast enough where 600 ms are the most."""
    assert (not said(detection_fast, asked.right(), detection_ms_max=most)) is passes


@pytest.mark.parametrize(
    ("size", "fits"),
    [(1280, True), (1279, False), (1420, True), (1421, False), (1350, True), (9000, False), (68, False)],
)
@pytest.mark.parametrize("at", ["aws/eu-west-3/euw3-az1", "nowhere"])
def test_a_tunnels_packets_are_within_both_bounds(at: str, size: int, fits: bool) -> None:
    """From what IPv6 needs to what the Internet carries, less what WireGuard adds; the latter wherever it stands."""
    told = {"node": "gateway-x", "role": "gateway", "site": "x", "at": at, "machine": "t3.small"}
    gateway = resource("gateway-x", tokens.LAB_HOST, site="x", tags=told)
    service = resource("wg", tokens.LAB_SERVICE, files={"/wg.conf": f"[Interface]\nMTU = {size}\n"}, tags=told)
    says = f"a tunnel's MTU is {size}; 1280 to 1420 bytes fit"
    assert said(mtu_fits, beside(gateway, service)) == [says] * (not fits)
