"""AWS's ends of private paths, and the name that leads clients: peerings, tunnels, lines, records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from components.aws import circuit
from components.aws.steering import near_regions, nearest_elsewhere, ttl_seconds
from components.aws.transit import destinations
from diversite.catalog import catalog
from diversite.errors import PlanError
from diversite.geography import great_circle_km
from diversite.plan import plan
from diversite.underlay import regions, underlays
from offline import Secret
from tests.components.recorded_aws import (
    CONTACTS,
    FAR_OFFER,
    KEY,
    ROUTE,
    SECRET,
    ends,
    flagship_part,
    joined,
    made,
    path,
    plain,
    planned,
    steered,
    ways,
    with_steering,
)

TRANSIT = "aws:ec2transitgateway/"
VPN, RECORD = "aws:ec2/vpnConnection:VpnConnection", "aws:route53/record:Record"


def test_gateways_lead_to_gateways_and_nowhere_else() -> None:
    """In every route table of a transit gateway there are /32s of gateways only."""
    part = planned("google-and-aws")
    known = {f"{site.gateway_address}/32" for site in part.sites.values()}
    routes = joined().of_type(f"{TRANSIT}route:Route")
    assert {it.inputs["destinationCidrBlock"] for it in routes} <= known
    by_table = Counter((it.inputs["transitGatewayRouteTableId"], it.inputs["destinationCidrBlock"]) for it in routes)
    assert max(by_table.values()) == 1


def test_a_peering_has_routes_bothways() -> None:
    """One side asks, the other accepts, and only then does either route over it, each to the far gateways."""
    part = flagship_part()
    for underlay in underlays(part):
        asked = made().named(underlay.name, f"{TRANSIT}peeringAttachment:PeeringAttachment")
        accepted = made().named(underlay.name, f"{TRANSIT}peeringAttachmentAccepter:PeeringAttachmentAccepter")
        assert accepted.inputs["transitGatewayAttachmentId"] == asked.id
        assert asked.provider != accepted.provider
        assert asked.inputs["peerAccountId"] == "123456789012"
        for region in (underlay.a, underlay.b):
            for address in underlay.gateways[underlay.far(region)]:
                route = made().named(f"{underlay.name}-{region.name}-{address}", f"{TRANSIT}route:Route")
                assert route.inputs["transitGatewayRouteTableId"].endswith(f"transit-{region.name}-near")
                assert accepted.urn in route.dependencies
                assert f"::aws-{region.name}::" in route.provider


def test_only_gateways_subnets_lead_out() -> None:
    """Hosts reach far sites through their gateway; the gateway reaches far gateways through the transit gateway."""
    part = planned("google-and-aws")
    led = {
        (it.inputs["routeTableId"], it.inputs["destinationCidrBlock"])
        for it in joined().of_type(ROUTE)
        if "transitGatewayId" in it.inputs
    }
    assert led == {
        (f"RouteTable/{site}-public", f"{address}/32")
        for region in regions(part, "aws")
        for site, found in destinations(part, region).items()
        for address in found
    }
    ldn, ffm = (part.sites[site].gateway_address for site in ("ldn", "ffm"))
    (london,) = [region for region in regions(part, "aws") if region.name == "eu-west-2"]
    assert set(destinations(part, london)["lon"]) == {ldn, ffm}


def test_a_transit_gateway_is_made_where_it_is_needed() -> None:
    """A venue whose links all go over public addresses has none."""
    topology = flagship_part().topology
    links = {name: link.model_copy(update={"kind": "wireguard"}) for name, link in topology.links.items()}
    assert (
        ends(plan(topology.model_copy(update={"links": links}))).of_type(f"{TRANSIT}transitGateway:TransitGateway")
        == ()
    )
    numbers = {it.inputs["amazonSideAsn"] for it in made().of_type(f"{TRANSIT}transitGateway:TransitGateway")}
    assert numbers == {region.asn for region in regions(flagship_part(), "aws")}


def test_four_tunnels_lead_to_google() -> None:
    """Two connections of two, to either interface, with the given inner networks and a secret of its own each."""
    vpn = path("vpn")
    customers = joined().of_type("aws:ec2/customerGateway:CustomerGateway")
    assert [it.inputs["ipAddress"] for it in customers] == list(FAR_OFFER.values())
    (google,) = [region for region in (vpn.a, vpn.b) if region.provider == "gcp"]
    assert {it.inputs["bgpAsnExtended"] for it in customers} == {str(google.asn)}
    connections = joined().of_type(VPN)
    tunnels = [(it.inputs, number) for it in connections for number in (1, 2)]
    assert [told[f"tunnel{number}InsideCidr"] for told, number in tunnels] == list(map(str, vpn.tunnels))
    secrets = [told[f"tunnel{number}PresharedKey"] for told, number in tunnels]
    assert secrets == [Secret(f"{SECRET}.{number}") for number in range(4)]
    for told, number in tunnels:
        assert told[f"tunnel{number}IkeVersions"] == ["ikev2"]
        assert told[f"tunnel{number}StartupAction"] == "start"
        assert told[f"tunnel{number}LogOptions"]["cloudwatchLogOptions"]["logEnabled"] is True
    assert all(it.inputs["staticRoutesOnly"] is False for it in connections)


def test_tunnels_are_watched() -> None:
    """Each of the four has an alarm of its own, by the address that AWS gave it."""
    alarms = [it for it in joined() if it.inputs.get("metricName") == "TunnelState"]
    assert len({it.inputs["dimensions"]["TunnelIpAddress"] for it in alarms}) == 4
    assert {it.inputs["dimensions"]["VpnId"] for it in alarms} == {it.id for it in joined().of_type(VPN)}


def test_bgp_tells_the_way_back() -> None:
    """Routes over tunnels and lines come and go with their sessions; nothing is pinned to one that may be down."""
    propagated = {
        it.inputs["transitGatewayAttachmentId"]
        for it in joined().of_type(f"{TRANSIT}routeTablePropagation:RouteTablePropagation")
    }
    vpns = {f"attachment/{it.name}" for it in joined().of_type(VPN)}
    lines = {f"attachment/{path(kind).name}-{region}" for kind, region in LINE_ENDS}
    assert propagated == vpns | lines


LINE_ENDS = (("circuit", "eu-central-1"), ("cross_cloud", "eu-west-2"))


def test_a_line_is_told_gateways_only() -> None:
    """A Direct Connect gateway is told the /32s of this end, and has a number of its own."""
    part = planned("google-and-aws")
    told = {it.name: it.inputs for it in joined().of_type("aws:directconnect/gatewayAssociation:GatewayAssociation")}
    for (kind, region), site in zip(LINE_ENDS, ("ffm", "lon"), strict=True):
        name = f"{path(kind).name}-{region}"
        assert told[name]["allowedPrefixes"] == [f"{part.sites[site].gateway_address}/32"]
    numbers = [int(it.inputs["amazonSideAsn"]) for it in joined().of_type("aws:directconnect/gateway:Gateway")]
    taken = {it.inputs["amazonSideAsn"] for it in joined().of_type(f"{TRANSIT}transitGateway:TransitGateway")}
    assert not taken & set(numbers)


def test_a_circuit_is_ordered_before_it_is_made() -> None:
    """Until the carrier's connection is named there is an order form with the buildings of each end, and no more."""
    name = path("circuit").name
    assert joined().of_type("aws:directconnect/transitVirtualInterface:TransitVirtualInterface") == ()
    order = joined().named(f"{name}-eu-central-1", "diversite:aws:Attachment").outputs["order"]
    assert "EQFA5: Equinix FR5 - Frankfurt, Frankfurt, DE" in order["ends"]["aws/eu-central-1"]
    assert any("Frankfurt" in it for it in order["ends"]["gcp/europe-west3"])
    assert (order["carrier"], order["bfd"], order["lines"]) == ("carrier-a", "300 ms x 3", 2)


def test_a_delivered_line_is_used() -> None:
    """What the carrier told is in the settings, and then there is an interface, and an alarm for its line."""
    line = {"connection": "dxcon-ffabc123", "vlan": 101, "asn": 64_512}
    found = ends(planned("google-and-aws"), _circuits({path("circuit").name: [line]}))
    (interface,) = found.of_type("aws:directconnect/transitVirtualInterface:TransitVirtualInterface")
    assert (interface.inputs["connectionId"], interface.inputs["vlan"]) == ("dxcon-ffabc123", 101)
    assert (interface.inputs["bgpAsnLong"], interface.inputs["mtu"]) == ("64512", 1500)
    (alarm,) = [it for it in found if it.inputs.get("metricName") == "ConnectionState"]
    assert alarm.inputs["dimensions"] == {"ConnectionId": "dxcon-ffabc123"}


@pytest.mark.parametrize(
    "line",
    [
        {"connection": "line-7", "vlan": 101, "asn": 64_512},
        {"connection": "dxcon-ffabc123", "vlan": 4095, "asn": 64_512},
        {"connection": "dxcon-ffabc123", "vlan": 101},
        "dxcon-ffabc123",
    ],
)
def test_a_line_that_cannot_be_one_is_refused(line: Any) -> None:
    """With the setting, its value, and what is allowed."""
    name = path("circuit").name
    with pytest.raises(PlanError, match=rf"diversite:circuits\.{name}: .*dxcon-…"):
        ends(planned("google-and-aws"), _circuits({name: [line]}))


def test_the_managed_line_is_accepted_by_a_person() -> None:
    """The commands are told with Google's key, and are a secret with it."""
    attachment = joined().named(f"{path('cross_cloud').name}-eu-west-2", "diversite:aws:Attachment")
    told = attachment.outputs["steps"]
    assert isinstance(told, Secret)
    assert f"--activation-key {KEY} --attach-point directConnectGateway=Gateway/{attachment.name}" in told.value[1]


def test_secrets_are_never_plain() -> None:
    """A planted secret is found nowhere in what is declared, but where it is marked as one."""
    shown = json.dumps([[plain(it.inputs), plain(it.outputs)] for it in joined()])
    assert SECRET not in shown
    assert KEY not in shown
    assert "<secret>" in shown


def test_every_building_is_of_the_catalogue() -> None:
    """An order form names on-ramps of the region's own metros."""
    (region,) = [it for it in regions(planned("google-and-aws"), "aws") if it.name == "eu-west-2"]
    codes = {code for ramp in catalog().on_ramps("london") if ramp.provider == "aws" for code in ramp.codes}
    assert {it.partition(":")[0] for it in circuit.facilities(region)} == codes


def test_clients_are_led_to_the_nearest() -> None:
    """An entrance of another provider counts to the region of AWS that is nearest; each is checked, each has a next."""
    part = planned("google")
    found = steered(with_steering(part), ways(part))
    records = found.of_type(RECORD)
    for region, near in near_regions(part, ways(part)).items():
        by_latency = next(it for it in records if it.inputs.get("latencyRoutingPolicies") == [{"region": region}])
        assert by_latency.inputs["name"] == "orders.venue.example"
        assert by_latency.inputs["aliases"][0]["name"] == f"{region}.orders.venue.example"
        leading = [it for it in records if it.inputs["name"] == f"near-{region}.orders.venue.example"]
        assert [it.inputs["setIdentifier"] for it in leading] == near
        assert all(it.inputs["healthCheckId"] == f"HealthCheck/{it.inputs['setIdentifier']}" for it in leading)
        next_best = nearest_elsewhere(part, near, ways(part))
        spare = [it for it in records if it.inputs.get("failoverRoutingPolicies") == [{"type": "SECONDARY"}]]
        assert next_best is None or next_best in {it.inputs["setIdentifier"] for it in spare}


def test_a_check_asks_what_the_engines_answer() -> None:
    """Every ten seconds from each checker, at the order port, whatever provider the entrance is of."""
    part = planned("google")
    checks = steered(with_steering(part), ways(part)).of_type("aws:route53/healthCheck:HealthCheck")
    assert {it.name for it in checks} == {host.name for host in part.of_role("entry")}
    for check in checks:
        told = check.inputs
        assert (told["type"], told["port"], told["resourcePath"]) == ("HTTP", 8443, part.health_check.path)
        assert (told["requestInterval"], told["failureThreshold"]) == (10, 2)


def test_steering_alone_needs_one_provider_object() -> None:
    """A venue without a site in AWS has nothing there but names."""
    part = planned("google")
    found = steered(with_steering(part), ways(part))
    assert {it.type for it in found if it.custom} == {
        "pulumi:providers:aws",
        "aws:route53/healthCheck:HealthCheck",
        RECORD,
    }
    (provider,) = found.of_type("pulumi:providers:aws")
    assert provider.inputs["region"] == "us-east-1"


def test_an_answer_is_kept_no_longer_than_recovery_takes() -> None:
    """The time to live comes from the recovery bound, and is a minute where there is none."""
    part = flagship_part()
    assert ttl_seconds(part) == part.topology.bounds.recovery.rto_seconds_max == 3
    assert ttl_seconds(planned("google-and-aws")) == 60


def test_the_nearest_region_is_the_nearest() -> None:
    """Of all regions of AWS that Route 53 knows, none is nearer to the entrance."""
    part = planned("google")
    for region, near in near_regions(part, ways(part)).items():
        for host in near:
            place = part.sites[part.hosts[host].site].place
            here = (place.latitude, place.longitude)
            distances = {
                it.region: great_circle_km(here, (it.latitude, it.longitude))
                for it in catalog().places.values()
                if it.provider == "aws" and it.partition in (None, "aws")
            }
            assert distances[region] == min(distances.values())


def _circuits(told: Mapping[str, Any]) -> Mapping[str, str]:
    return {**CONTACTS, "circuits": json.dumps(told)}
