"""AWS's networks: address plan, ways out, what is open, and that sites of one region speak through their gateways."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations
from typing import Any

from components.aws import firewall
from components.aws.firewall import RULES_MAX, Rule
from diversite import addresses, ports
from diversite.plan import Host, Plan, plan
from diversite.topology import Topology
from services import wireguard
from tests.components.recorded_aws import GROUP, ROUTE, flagship_part, hosts, made, regional, two_in_a_region, venue

CROWD = 70
"""Sites enough for more rules than a group holds."""


def test_subnets_are_in_their_zones() -> None:
    """Each by its AZ ID, within the site's range, apart from every other; none gives public addresses away."""
    part = two_in_a_region()
    subnets = {it.name: it.inputs for it in regional().of_type("aws:ec2/subnet:Subnet")}
    for site, planned in part.sites.items():
        for name in addresses.PARTS:
            told = subnets[f"{site}-{name}"]
            assert told["availabilityZoneId"] == planned.place.zone
            assert IPv4Network(told["cidrBlock"]) == addresses.part(planned.network, name)
            assert told["mapPublicIpOnLaunch"] is False
    networks = [IPv4Network(it["cidrBlock"]) for it in subnets.values()]
    assert not [pair for pair in combinations(networks, 2) if pair[0].overlaps(pair[1])]


def test_a_network_holds_its_sites_ranges() -> None:
    """A VPC a region, made with the range of its first site, to which those of the others are added."""
    part = two_in_a_region()
    vpcs = {it.name: it.inputs["cidrBlock"] for it in regional().of_type("aws:ec2/vpc:Vpc")}
    assert vpcs == {
        "network-eu-west-3": str(part.sites["one"].network),
        "network-eu-west-1": str(part.sites["three"].network),
        "network-eu-west-2": str(part.sites["four"].network),
    }
    (added,) = regional().of_type("aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation")
    assert added.inputs["cidrBlock"] == str(part.sites["two"].network)
    for name in addresses.PARTS:
        assert added.urn in regional().named(f"two-{name}", "aws:ec2/subnet:Subnet").dependencies


def test_hosts_stand_in_their_subnets() -> None:
    """A host's address is in its subnet, and none that AWS keeps: the first four and the last."""
    subnets = {it.id: it.inputs["cidrBlock"] for it in made().of_type("aws:ec2/subnet:Subnet")}
    for found in hosts(made()).values():
        network = IPv4Network(subnets[found.inputs["subnetId"]])
        address = IPv4Address(found.inputs["privateIp"])
        assert address in network
        assert address not in [*list(network)[:4], network[-1]]


def test_nothing_that_aws_places_meets_a_host() -> None:
    """Transit gateways and balancers take any free address of a part in which no address is planned."""
    for attachment in made().of_type("aws:ec2transitgateway/vpcAttachment:VpcAttachment"):
        assert all(subnet.endswith("-balancer") for subnet in attachment.inputs["subnetIds"])
    assert not [it for it in hosts(made()).values() if it.inputs["subnetId"].endswith("-balancer")]
    taken = {it.inputs["privateIp"] for it in hosts(made()).values()}
    assert not [it for it in made().of_type("aws:ec2/natGateway:NatGateway") if it.inputs["privateIp"] in taken]


def test_only_edges_reach_the_world() -> None:
    """The private parts go out through the NAT gateway of their own site."""
    for site in flagship_part().sites:
        for kind, target in (("public", "gatewayId"), ("private", "natGatewayId")):
            route = made().named(f"{site}-{kind}", ROUTE).inputs
            assert (route["destinationCidrBlock"], route["routeTableId"]) == ("0.0.0.0/0", f"RouteTable/{site}-{kind}")
            assert [key for key in route if key.endswith("Id") and key != "routeTableId"] == [target]
        association = "aws:ec2/routeTableAssociation:RouteTableAssociation"
        tables = {part: made().named(f"{site}-{part}", association).inputs["routeTableId"] for part in addresses.PARTS}
        assert {part for part, table in tables.items() if table.endswith("-public")} == {"edge", "balancer"}


def test_the_venue_is_reached_through_the_gateway() -> None:
    """Hosts send what is for the venue to their own gateway, also for a site of the same VPC."""
    part = two_in_a_region()
    led = {
        (it.inputs["routeTableId"].partition("/")[2], it.inputs["destinationCidrBlock"]): it.inputs[
            "networkInterfaceId"
        ]
        for it in regional().of_type(ROUTE)
        if "networkInterfaceId" in it.inputs
    }
    for site in part.sites:
        for space in (addresses.SITE_SPACE, addresses.LINK_SPACE):
            assert led.pop((f"{site}-private", str(space))) == f"eni/gateway-{site}"
    for site, other in (("one", "two"), ("two", "one")):
        for name in ("edge", "service", "node"):
            network = addresses.part(part.sites[other].network, name)
            assert led.pop((f"{site}-private", str(network))) == f"eni/gateway-{site}"
    assert led == {}


def test_a_gateways_address_comes_before_it() -> None:
    """The address by which the world knows a site outlives its gateway."""
    for site in flagship_part().sites:
        endpoint = made().named(f"{site}-gateway", "aws:ec2/eip:Eip")
        bound = made().named(site, "aws:ec2/eipAssociation:EipAssociation").inputs
        assert (bound["allocationId"], bound["instanceId"]) == (endpoint.id, f"Instance/gateway-{site}")
        assert endpoint.inputs["domain"] == "vpc"


def test_defaults_are_closed() -> None:
    """What nobody put into a group or behind a list of ours can neither hear nor speak."""
    for kind in ("defaultSecurityGroup:DefaultSecurityGroup", "defaultNetworkAcl:DefaultNetworkAcl"):
        for found in venue().of_type(f"aws:ec2/{kind}"):
            assert (found.inputs.get("ingress"), found.inputs.get("egress")) == ([], [])
    assert not any(it.inputs["enabled"] for it in venue().of_type("aws:ec2/serialConsoleAccess:SerialConsoleAccess"))


def test_flows_are_logged() -> None:
    """Every network's, encrypted, for longer than an incident stays unseen, by a role that can do nothing else."""
    logs = {it.inputs["name"]: it.inputs for it in made().of_type("aws:cloudwatch/logGroup:LogGroup")}
    assert set(logs) == {"/diversite/amazon/flows"}
    assert all(it["retentionInDays"] == 90 and it["kmsKeyId"] for it in logs.values())
    for policy in venue().of_type("aws:iam/rolePolicy:RolePolicy"):
        (statement,) = json.loads(policy.inputs["policy"])["Statement"]
        region = policy.name.removeprefix("network-").removesuffix("-flows")
        group = f"arn:aws:logs:{region}:123456789012:log-group:/diversite/amazon/flows"
        assert statement["Resource"] == [group, f"{group}:*"]
        assert all(action.startswith("logs:") and "*" not in action for action in statement["Action"])


def test_a_group_lets_in_what_ports_list() -> None:
    """Each host's group is made of the flows into its role, from the addresses of those who may say them."""
    part = flagship_part()
    for host in part.hosts.values():
        rules = firewall.into(part, host)
        listed = {flow.port for flow in ports.flows_into(host.role) if flow.scope in ("venue", "site", "public")}
        tunnels = set(wireguard.listen_ports(part, host.site).values()) if host.role == "gateway" else set()
        opened = {rule.first for rule in rules if rule.protocol in ("tcp", "udp")}
        assert opened <= (listed - {ports.WIREGUARD}) | tunnels
        anybody = {rule.first for rule in rules if firewall.ANYWHERE in rule.sources}
        public = {port for name, port in _ports(part, host).items() if part.links[name].kind == "wireguard"}
        assert anybody == ({ports.ORDERS} if host.role == "entry" else public)


def test_a_validator_hears_validators_only() -> None:
    """Gossip comes from the other validators' own addresses."""
    part = flagship_part()
    host = part.hosts["validator-par"]
    (gossip,) = [rule for rule in firewall.into(part, host) if rule.first == ports.COMETBFT_P2P]
    others = {str(it.address) for it in part.of_role("validator") if it != host}
    assert {str(address) for network in gossip.sources for address in network} == others


def test_a_private_path_is_open_to_its_far_gateway() -> None:
    """A tunnel that a provider's own network carries is not for the world to knock at."""
    part = flagship_part()
    found = firewall.into(part, part.gateway("par"))
    for name, port in _ports(part, part.gateway("par")).items():
        link = part.links[name]
        far = next(site for site in link.sites if site != "par")
        assert link.kind == "backbone"
        (rule,) = [it for it in found if it.first == port]
        assert rule.sources == (IPv4Network(part.sites[far].gateway_address),)


def test_a_gateway_passes_on_what_its_site_says() -> None:
    """Its second group takes from its own site what any flow between sites may be, and tells no role."""
    part = flagship_part()
    through = firewall.through(part, part.gateway("par"))
    passed = {(rule.protocol, rule.first) for rule in through if rule.protocol != "icmp"}
    assert passed == {(flow.protocol, flow.port) for flow in ports.FLOWS if flow.scope == "venue"}
    assert {source for rule in through[1:] for source in rule.sources} == {part.sites["par"].network}
    assert "role" not in made().named("gateway-par-through", GROUP).inputs["tags"]
    assert hosts(made())["gateway-par"].inputs["vpcSecurityGroupIds"] == [
        "SecurityGroup/gateway-par",
        "SecurityGroup/gateway-par-through",
    ]


def test_a_group_never_holds_more_than_aws_takes() -> None:
    """Where the addresses are too many, a group names networks, and its host's own filter stays exact."""
    few = flagship_part()
    many = _crowd()
    for part, host in ((few, few.hosts["validator-par"]), (many, many.hosts["validator-s0"])):
        rules = firewall.into(part, host)
        assert sum(len(rule.sources) for rule in rules) <= RULES_MAX
        needed = [it.address for it in part.of_role("validator") if it != host]
        (gossip,) = [rule for rule in rules if rule.first == ports.COMETBFT_P2P]
        assert all(any(address in source for source in gossip.sources) for address in needed)


def test_no_port_names_a_source_twice() -> None:
    """AWS refuses a group that does."""
    for group in made().of_type(GROUP):
        for direction in ("ingress", "egress"):
            sources = [
                (rule["protocol"], rule["fromPort"], cidr)
                for rule in group.inputs.get(direction, [])
                for cidr in rule["cidrBlocks"]
            ]
            assert len(sources) == len(set(sources)), group.urn


def test_what_a_rule_is_for_is_told_in_letters_that_aws_takes() -> None:
    """A purpose with an apostrophe would fail the deployment."""
    rule = Rule(protocol="tcp", first=1, last=1, sources=(), purpose="dead man's switch; " + "x" * 300)
    assert rule.description.startswith("dead mans switch; x")
    assert len(rule.description) == 255


def _ports(part: Plan, host: Host) -> dict[str, int]:
    return dict(wireguard.listen_ports(part, host.site)) if host.role == "gateway" else {}


def _crowd() -> Plan:
    """As many validators at as many sites as there may be."""
    sites = {f"s{n}": {"at": "aws/eu-west-3/euw3-az1"} for n in range(CROWD - 6)}
    each: dict[str, Any] = {site: {"site": site, "machine": "c7i.xlarge"} for site in sites}
    first = {"s0": each["s0"]}
    pairs = {
        f"l{n}": {"kind": "wireguard", "ends": (f"s{n}", f"s{n + 1}"), "carrier": "t"} for n in range(len(sites) - 1)
    }
    told = {"venue": "crowd", "survive": ({"any": "host"},), "sites": sites, "links": pairs}
    hosted = {"validators": each, "engines": each, "order_entry": first, "monitoring": first}
    return plan(Topology.model_validate({**told, **hosted}))
