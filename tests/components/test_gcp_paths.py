"""Google's ends of private paths to AWS: managed tunnels, a carrier's circuit, the managed path."""

from __future__ import annotations

import pytest

from components.gcp.circuit import facilities
from components.gcp.watches import watches
from diversite.errors import PlanError
from diversite.underlay import Region
from offline import Secret
from tests.components.recorded_gcp import (
    ACCOUNTS,
    FAR_ADDRESSES,
    changed,
    ends,
    google_ends,
    joined,
    planned,
)


def test_a_vpn_has_four_tunnels() -> None:
    """Two tunnels leave by each address of Google's, each to an address of AWS's and with a secret of its own."""
    tunnels = joined().of_type("gcp:compute/vPNTunnel:VPNTunnel")
    assert [it.inputs["vpnGatewayInterface"] for it in tunnels] == [0, 0, 1, 1]
    assert [it.inputs["peerExternalGatewayInterface"] for it in tunnels] == [0, 1, 2, 3]
    assert {it.inputs["ikeVersion"] for it in tunnels} == {2}
    secrets = [it.inputs["sharedSecret"] for it in tunnels]
    assert all(isinstance(it, Secret) for it in secrets)
    assert len({it.value for it in secrets}) == 4
    (far,) = joined().of_type("gcp:compute/externalVpnGateway:ExternalVpnGateway")
    assert [it["ipAddress"] for it in far.inputs["interfaces"]] == list(FAR_ADDRESSES.values())


def test_routers_tell_of_gateways_only() -> None:
    """Over each path the other end learns of the gateways that it carries, and of nothing else."""
    given = planned("google-and-aws")
    wanted = {f"{given.sites[site].gateway_address}/32" for site in ("ldn", "fra")}
    peers = joined().of_type("gcp:compute/routerPeer:RouterPeer")
    assert {it.inputs["advertiseMode"] for it in peers} == {"CUSTOM"}
    told = [it["range"] for peer in peers for it in peer.inputs["advertisedIpRanges"]]
    told += [
        it["range"]
        for router in joined().of_type("gcp:compute/router:Router")
        for it in router.inputs["bgp"].get("advertisedIpRanges", [])
    ]
    told += [
        it
        for found in joined().of_type("gcp:networkconnectivity/transport:Transport")
        for it in found.inputs["advertisedRoutes"]
    ]
    assert set(told) == wanted


def test_sessions_have_the_plans_addresses() -> None:
    """Inside a tunnel the first address of its /30 is AWS's, the second Google's; AWS's number is the region's."""
    (vpn,) = [(it, region) for it, region in google_ends(planned("google-and-aws")) if it.kind == "vpn"]
    underlay, region = vpn
    for peer, subnet in zip(joined().of_type("gcp:compute/routerPeer:RouterPeer"), underlay.tunnels, strict=True):
        assert (peer.inputs["peerIpAddress"], peer.inputs["ipAddress"]) == (str(subnet[1]), str(subnet[2]))
        assert peer.inputs["peerAsn"] == underlay.far(region).asn
        assert peer.inputs["advertisedRoutePriority"] == 200  # the second choice
        assert "bfd" not in peer.inputs  # Cloud VPN speaks none


def test_a_circuit_comes_in_twice() -> None:
    """Its attachments stand in both availability domains of the edge, on a router with Google's number for partners."""
    found = joined().of_type("gcp:compute/interconnectAttachment:InterconnectAttachment")
    assert {it.inputs["edgeAvailabilityDomain"] for it in found} == {"AVAILABILITY_DOMAIN_1", "AVAILABILITY_DOMAIN_2"}
    assert {it.inputs["type"] for it in found} == {"PARTNER"}
    router = joined().named("circuit-eu-central-1-europe-west3-europe-west3-circuit", "gcp:compute/router:Router")
    assert router.inputs["bgp"]["asn"] == 16550


def test_the_order_form_says_where_to_bring_it() -> None:
    """A carrier is told the buildings, the size of packets and the timers; the keys are there, and secret."""
    (circuit,) = joined().of_type("diversite:gcp:Circuit")
    order = circuit.outputs["order"]
    plain = order.value if isinstance(order, Secret) else order
    assert plain["bfd"] == "1000 ms x 5"
    assert plain["facilities"] == facilities(Region(provider="gcp", name="europe-west3", account="gcp"))
    assert any("Frankfurt" in it for it in plain["facilities"])
    assert {"pairing_key1", "pairing_key2"} <= plain.keys()


def test_a_managed_path_is_for_pairs_that_exist() -> None:
    """Google's transport leads to the paired region, for the account of the settings; elsewhere it is refused."""
    (found,) = joined().of_type("gcp:networkconnectivity/transport:Transport")
    assert found.inputs["remoteAccountId"] == ACCOUNTS["aws"]
    assert found.inputs["remoteProfile"].endswith("/europe-west2/remoteTransportProfiles/aws-eu-west-2")
    with pytest.raises(PlanError, match=r"accounts\.aws: missing"):
        ends(planned("google-and-aws"), {"gcp": "venue-example"})
    given = planned("google-and-aws").topology
    astray = given.links["managed"].model_copy(update={"ends": ("ldn", "ffm")})
    with pytest.raises(PlanError, match=r"no managed path between aws/eu-central-1 and gcp/europe-west2"):
        ends(changed(planned("google-and-aws"), links={**given.links, "managed": astray}))


def test_hosts_reach_far_gateways_over_their_own() -> None:
    """A far gateway's address, which a router learns for the whole region, still leads hosts to their own gateway."""
    given = planned("google-and-aws")
    far = f"{given.sites['lon'].gateway_address}/32"
    routes = [it for it in joined().of_type("gcp:compute/route:Route") if it.inputs["destRange"] == far]
    assert {it.inputs["nextHopIp"] for it in routes} == {str(given.sites["ldn"].gateway_address)}
    assert {tuple(it.inputs["tags"]) for it in routes} == {("joined-in-ldn",)}


def test_paths_have_alarms() -> None:
    """Where tunnels and sessions are, somebody is told when they are gone."""
    assert [it.name for it in watches(planned("google-and-aws"), "gcp")] == [
        "machine-gone",
        "host-error",
        "tunnel-down",
        "session-down",
    ]
