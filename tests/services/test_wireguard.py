"""Two ends of a link agree, and no two links of a gateway share a port."""

from __future__ import annotations

from configparser import ConfigParser

from hypothesis import HealthCheck, given, settings

from diversite.plan import plan
from diversite.topology import Topology
from services import Facts, Paths, firewall, wireguard
from services.wireguard import Far
from tests.services.venues import small
from tests.support.topologies import topologies

PATHS = Paths(etc="/etc/wireguard", data="/var/lib/wireguard")
FAR = Far(public_key="A" * 43 + "=", address="192.0.2.7")


def test_the_ends_of_a_link_fit() -> None:
    """Each end sends to the port on which the other listens, from the other address of one /31."""
    venue = small()
    link = venue.links["all-par-nbg"]
    ends = {site: _read(wireguard.config(venue, link, site, FAR, PATHS)) for site in link.sites}
    a, b = ends.values()
    assert a["Peer"]["Endpoint"] == f"192.0.2.7:{b['Interface']['ListenPort']}"
    assert {a["Interface"]["Address"], b["Interface"]["Address"]} == {str(link.a.address), str(link.b.address)}


def test_routing_is_left_to_bird() -> None:
    """wg-quick adds no route, and the tunnel carries whatever OSPF sends through it."""
    venue = small()
    end = _read(wireguard.config(venue, venue.links["all-par-nbg"], "par", FAR, PATHS))
    assert (end["Interface"]["Table"], end["Peer"]["AllowedIPs"]) == ("off", "0.0.0.0/0")


def test_a_link_without_a_key_waits() -> None:
    """A link that came after the others has no tunnel at an end until the far end has told its key."""
    venue = small()
    links = [link.name for link, _, _ in venue.links_at("par")]
    ends = {far.site for _, _, far in venue.links_at("par")}
    told = {site: {name: FAR.public_key for name in links if name != "all-par-nbg"} for site in ends}
    known = Facts(tunnels=told)
    found = wireguard.configs(venue, "par", known, dict.fromkeys(ends, FAR.address), PATHS)
    waiting = venue.links["all-par-nbg"]
    here = waiting.a if waiting.a.site == "par" else waiting.b
    assert {end.interface for _, end, _ in venue.links_at("par")} - set(found) == {here.interface}


def test_the_firewall_opens_the_ports_of_encrypted_links_only() -> None:
    """A rehearsal's gateway listens for the links of kind wireguard; the vpn beside them is a tunnel in clouds only."""
    venue = small()
    every = wireguard.listen_ports(venue, "par")
    ports = {link: port for link, port in every.items() if venue.links[link].kind == "wireguard"}
    assert set(ports) == {"all-par-lon", "all-par-nbg", "all-par-hel"} < set(every)
    opened = ", ".join(str(port) for port in sorted(ports.values()))
    assert f"udp dport {{ {opened} }} accept" in firewall.ruleset(venue, venue.gateway("par"))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(topologies())
def test_ports_never_collide(topology: Topology) -> None:
    """At no gateway do two links share a port, and every port is in the range."""
    venue = plan(topology)
    for site in venue.sites:
        ports = list(wireguard.listen_ports(venue, site).values())
        assert len(ports) == len(set(ports))
        assert set(ports) <= set(wireguard.PORTS)


def _read(text: str) -> ConfigParser:
    parser = ConfigParser()
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return parser
