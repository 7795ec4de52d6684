"""Google's network: what it lets in, where hosts send, and how clients come in."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from components.gcp import names
from components.gcp.firewall import openings
from diversite import ports
from offline import Resource
from tests.components.recorded_gcp import (
    FIREWALL,
    hosts,
    planned,
    venue,
)


def test_firewalls_open_what_is_listed_and_nothing_else() -> None:
    """Every flow that hosts here take in is open, from exactly who may say it, and each port is a flow's."""
    listed = {str(flow.port) for flow in ports.FLOWS} | set(map(str, range(51820, 51820 + 128)))
    for it in venue().of_type(FIREWALL):
        opened = {port for rule in it.inputs["allows"] for port in rule["ports"]}
        assert opened <= listed, it.name
        assert it.inputs["direction"] == "INGRESS"
    assert {it.name for it in venue().of_type(FIREWALL) if _is_public(it)} == {
        "network-gcp-firewall-entry-from-client",
        *(f"network-gcp-firewall-gateway-in-{site}-tunnels-over-internet" for site in planned().sites),
    }


def _is_public(rule: Resource) -> bool:
    return "0.0.0.0/0" in rule.inputs["sourceRanges"]


def test_the_network_is_the_venues_own() -> None:
    """No subnetwork and no route that nobody declared; what a region's router learns stays in its region."""
    (found,) = venue().of_type("gcp:compute/network:Network")
    assert (found.inputs["autoCreateSubnetworks"], found.inputs["deleteDefaultRoutesOnCreate"]) == (False, True)
    assert found.inputs["routingMode"] == "REGIONAL"
    for it in venue().of_type("gcp:compute/subnetwork:Subnetwork"):
        assert it.inputs["privateIpGoogleAccess"] is True
        assert it.inputs["logConfig"]["metadata"] == "INCLUDE_ALL_METADATA"
    for it in venue().of_type("gcp:compute/router:Router"):
        assert (it.inputs["bgp"]["advertiseMode"], it.inputs["bgp"]["advertisedGroups"]) == ("CUSTOM", [])


def test_every_flow_gets_through() -> None:
    """For each two hosts and each flow between them, the network lets the target take it from the source."""
    given = planned()
    rules = openings(given, tuple(given.sites))
    for flow in ports.FLOWS:
        if flow.scope not in ("venue", "site"):
            continue
        for target in given.of_role(flow.target):
            for source in given.hosts.values():
                if source.role == flow.source and (flow.scope == "venue" or source.site == target.site):
                    tags = names.tags(given, target)
                    assert any(
                        rule.target in tags
                        and f"{source.address}/32" in rule.sources
                        and str(flow.port) in rule.allows.get(flow.protocol, ())
                        for rule in rules
                    ), (flow, source.name, target.name)


def test_operators_come_through_googles_proxy() -> None:
    """SSH is open to Google's Identity-Aware Proxy and to nobody else."""
    rules = [it for it in openings(planned(), tuple(planned().sites)) if str(ports.SSH) in it.allows.get("tcp", ())]
    assert {it.sources for it in rules} == {(ports.IAP_NETWORK,)}
    assert len(rules) == len({host.role for host in planned().hosts.values()})


def test_hosts_send_over_their_gateway() -> None:
    """Every host but the gateway has the routes of its site; the gateway none, or it would send to itself."""
    routes = [it for it in venue().of_type("gcp:compute/route:Route") if "nextHopIp" in it.inputs]
    for it in hosts(venue()):
        site, tags = it.inputs["labels"]["site"], set(it.inputs["tags"])
        mine = [route for route in routes if tags & set(route.inputs["tags"])]
        wanted = set() if it.inputs["labels"]["role"] == "gateway" else {"10.128.0.0/9", "10.0.0.0/12"}
        assert {route.inputs["destRange"] for route in mine} == wanted
        assert {route.inputs["nextHopIp"] for route in mine} <= {str(planned().gateway(site).address)}


def test_addresses_lie_in_their_subnetworks() -> None:
    """No two subnetworks overlap, and each host's address is in its site's, none of those that Google keeps."""
    ranges = {
        it.name: ip_network(it.inputs["ipCidrRange"]) for it in venue().of_type("gcp:compute/subnetwork:Subnetwork")
    }
    found = list(ranges.values())
    assert not [(a, b) for a in found for b in found if a is not b and a.overlaps(b)]
    for it in hosts(venue()):
        network = ranges[f"subnetwork-{it.inputs['labels']['site']}"]
        address = ip_address(it.inputs["networkInterfaces"][0]["networkIp"])
        assert address in network
        assert address not in (network[0], network[1], network[-2], network[-1])


def test_the_balancer_asks_what_the_plan_says() -> None:
    """Google asks the entrance's own readiness on the order port, once a second, and takes two answers."""
    for it in venue().of_type("gcp:compute/regionHealthCheck:RegionHealthCheck"):
        check = planned().health_check
        assert it.inputs["httpHealthCheck"] == {
            "port": ports.ORDERS,
            "portSpecification": "USE_FIXED_PORT",
            "requestPath": check.path,
        }
        assert (it.inputs["checkIntervalSec"], it.inputs["timeoutSec"]) == (1, 1)
        assert (it.inputs["unhealthyThreshold"], it.inputs["healthyThreshold"]) == (check.fall, check.rise)
    assert {tuple(it.inputs["ports"]) for it in venue().of_type("gcp:compute/forwardingRule:ForwardingRule")} == {
        (str(ports.ORDERS),)
    }
