"""Hetzner's part of a venue: what is declared, with values that Hetzner takes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations
from typing import Any

import pytest

import offline
from components import boot, hcloud
from components.contract import Attaches, Cloud, Steers, Watches
from components.hcloud.account import PROVIDER
from components.hcloud.balancer import TYPE
from components.hcloud.host import HELD, USER_DATA_BYTES_MAX
from diversite import addresses, ports, stackfile
from diversite.catalog import catalog
from diversite.domains import SPREAD_GROUP_MAX, domains_of
from diversite.errors import PlanError
from diversite.plan import Plan, plan
from diversite.topology import Topology
from offline import UNKNOWN, Recording, Secret
from services import wireguard
from tests.components.clouds import of_provider
from tests.components.recorded import ROOT, TOKEN, declared, made, program, settings, venue_of
from tests.policies.pack import Pack

TYPES = "hcloud:index/"
SERVER = f"{TYPES}server:Server"
VOLUME = f"{TYPES}volume:Volume"
FIREWALL = f"{TYPES}firewall:Firewall"
ZONES = {"fsn1": "eu-central", "nbg1": "eu-central", "hel1": "eu-central", "ash": "us-east"}
HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""RFC 1123, which Hetzner asks of a server's name."""
LABEL_KEY = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?")
LABEL_VALUE = re.compile(r"([a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?)?")


NOISE = "".join(hashlib.sha256(bytes([number % 256, number // 256])).hexdigest() for number in range(1000))
"""Too long for Hetzner, and not to be compressed to less than half."""


@pytest.fixture(scope="module")
def venue() -> Recording:
    """Four sites, three of them in one network zone, at preview."""
    return declared("hcloud")


@pytest.fixture(scope="module")
def planned() -> Plan:
    """Their plan."""
    return venue_of("hcloud")


def test_it_declares_what_was_planned(venue: Recording, planned: Plan) -> None:
    """A network with one route a site, one backbone for the zone that has several sites, and nothing beyond."""
    keeping = [host for host in planned.hosts.values() if host.data_gib]
    assert Counter(it.type.removeprefix(TYPES) for it in venue if it.custom) == {
        "pulumi:providers:hcloud": 1,
        "network:Network": 5,
        "networkSubnet:NetworkSubnet": 5,
        "networkRoute:NetworkRoute": 4,
        "primaryIp:PrimaryIp": 4,
        "firewall:Firewall": 4,
        "placementGroup:PlacementGroup": 4,
        "server:Server": len(planned.hosts),
        "volume:Volume": len(keeping),
        "volumeAttachment:VolumeAttachment": len(keeping),
        "loadBalancer:LoadBalancer": 2,
        "loadBalancerNetwork:LoadBalancerNetwork": 2,
        "loadBalancerTarget:LoadBalancerTarget": 2,
        "loadBalancerService:LoadBalancerService": 2,
    }
    assert len(planned.hosts) == 16


def test_it_can_what_hetzner_can() -> None:
    """Balancers; no alarms, no private paths to other regions and no steering: these are absent."""
    assert isinstance(hcloud, Cloud)
    assert not any(isinstance(hcloud, capability) for capability in (Watches, Attaches, Steers))


def test_each_server_is_the_planned_host(venue: Recording, planned: Plan) -> None:
    """Its type, its location, its image for its processor and its address, all of them known at preview."""
    for host in planned.hosts.values():
        inputs = venue.named(host.name, SERVER).inputs
        assert inputs["serverType"] == host.machine
        assert inputs["location"] == planned.sites[host.site].place.zone
        assert inputs["image"] == "114690387"
        assert inputs["networks"][0] == {"ip": str(host.address), "aliasIps": [], "subnetId": UNKNOWN}
        assert inputs["deleteProtection"] is inputs["rebuildProtection"] is inputs["shutdownBeforeDeletion"] is True
        assert inputs["sshKeys"] == []
        assert inputs["placementGroupId"] is UNKNOWN


def test_an_arm_server_boots_an_arm_image() -> None:
    """The image is that of the machine's processor."""
    topology = of_provider("hetzner").model_dump(by_alias=True)
    for section in ("validators", "engines"):
        topology[section]["one"]["machine"] = "cax21"
    found = recorded(plan(Topology.model_validate(topology)))
    assert found.named("validator-one", SERVER).inputs["image"] == "114690389"
    assert found.named("validator-two", SERVER).inputs["image"] == "114690387"


def test_only_gateways_are_public(venue: Recording, planned: Plan) -> None:
    """A gateway takes the address that was made for it; others have none, and no firewall: Hetzner refuses it then."""
    for host in planned.hosts.values():
        server = venue.named(host.name, SERVER)
        (public,) = server.inputs["publicNets"]
        if host.role == "gateway":
            assert public == {"ipv4Enabled": True, "ipv4": UNKNOWN, "ipv6Enabled": False}
            (firewall,) = server.property_dependencies["firewallIds"]
            assert venue.at(firewall).name == f"{host.name}-firewall"
        else:
            assert public == {"ipv4Enabled": False, "ipv6Enabled": False}
            assert server.inputs["firewallIds"] == []


def test_gateways_share_a_backbone_where_their_zone_has_several_sites(venue: Recording, planned: Plan) -> None:
    """Gateways of eu-central have a second address there, after the site's; Ashburn's has none, and no other host."""
    pinned = addresses.underlay_addresses(planned.sites)
    for host in planned.hosts.values():
        found = [item["ip"] for item in venue.named(host.name, SERVER).inputs["networks"]]
        joined = host.role == "gateway" and planned.sites[host.site].place.region == "eu-central"
        assert found == [str(host.address), *([str(pinned[host.site])] if joined else [])]
    assert venue.named("backbone-eu-central", f"{TYPES}network:Network").inputs["ipRange"] == "10.64.0.0/16"


def test_a_network_leads_everywhere_through_its_gateway(venue: Recording, planned: Plan) -> None:
    """Its one subnet is the site's whole network, its one route is to everywhere; a route to less would overlap it."""
    for key, site in planned.sites.items():
        assert venue.named(f"network-{key}", f"{TYPES}network:Network").inputs["ipRange"] == str(site.network)
        subnet = venue.named(f"subnet-{key}").inputs
        assert (subnet["ipRange"], subnet["networkZone"], subnet["type"]) == (
            str(site.network),
            ZONES[site.place.zone],
            "cloud",
        )
        route = venue.named(f"route-{key}").inputs
        assert (route["destination"], route["gateway"]) == ("0.0.0.0/0", str(planned.gateway(key).address))


def test_no_addresses_overlap(venue: Recording, planned: Plan) -> None:
    """No two subnets share an address, none of them is the first of its network, and each is in its own."""
    subnets = [IPv4Network(it.inputs["ipRange"]) for it in venue if it.type.endswith("NetworkSubnet")]
    assert not [pair for pair in combinations(subnets, 2) if pair[0].overlaps(pair[1])]
    given = [IPv4Address(item["ip"]) for it in venue.of_type(SERVER) for item in it.inputs["networks"]]
    given += [IPv4Address(it.inputs["ip"]) for it in venue if it.type.endswith("LoadBalancerNetwork")]
    assert max(Counter(given).values()) == 1
    assert all(any(address in subnet and address != subnet[1] for subnet in subnets) for address in given)
    assert len(given) == len(planned.hosts) + 3 + 2


def test_only_tunnels_come_to_a_gateway(venue: Recording, planned: Plan) -> None:
    """A gateway's firewall lets in the tunnels over public addresses, each on its own port, and nothing else."""
    for key in planned.sites:
        listening = wireguard.listen_ports(planned, key)
        wanted = {str(port) for name, port in listening.items() if planned.links[name].kind == "wireguard"}
        rules = venue.named(f"gateway-{key}-firewall", FIREWALL).inputs["rules"]
        assert {rule["port"] for rule in rules} == wanted
        assert {(rule["direction"], rule["protocol"]) for rule in rules} == {("in", "udp")}


def test_operators_come_from_where_they_are_named(planned: Plan) -> None:
    """SSH is open at gateways only, to their networks only; their keys are on every server, which then mails none."""
    told = '{"keys": {"ops": "ssh-ed25519 AAAA ops"}, "networks": ["203.0.113.0/24"]}'
    found = recorded(planned, config={"diversite:operators": told})
    for firewall in found.of_type(FIREWALL):
        ssh = [rule for rule in firewall.inputs["rules"] if rule["port"] == str(ports.SSH)]
        gateway = firewall.name.startswith("gateway-")
        assert [rule["sourceIps"] for rule in ssh] == ([["203.0.113.0/24"]] if gateway else [])
    (key,) = found.of_type(f"{TYPES}sshKey:SshKey")
    assert key.inputs["publicKey"] == "ssh-ed25519 AAAA ops"
    assert all(it.property_dependencies["sshKeys"] == (key.urn,) for it in found.of_type(SERVER))


@pytest.mark.parametrize("told", ['["ops"]', '{"networks": ["all"]}', '{"networks": 7}', '{"keys": ["ssh-rsa"]}'])
def test_operators_of_another_form_are_refused(planned: Plan, told: str) -> None:
    """What is wrong, and the form that is wanted, are told; nobody is let in by accident."""
    with pytest.raises(PlanError, match=r"diversite:operators: .*`keys` \(name to OpenSSH public key\)"):
        recorded(planned, config={"diversite:operators": told})


def test_data_outlives_its_server(venue: Recording, planned: Plan) -> None:
    """A volume belongs to the location, is protected three times over, empty at first, and says that it is bare."""
    for host in planned.hosts.values():
        found = [it for it in venue.of_type(VOLUME) if it.name == f"{host.name}-data"]
        assert len(found) == bool(host.data_gib)
        for volume in found:
            assert volume.protect
            assert volume.retain_on_delete
            assert volume.inputs["deleteProtection"] is True
            assert volume.inputs["size"] == max(10, host.data_gib)
            assert volume.inputs["location"] == planned.sites[host.site].place.zone
            assert volume.inputs["labels"]["encryption"] == "none"
            assert not {"serverId", "format", "automount"} & volume.inputs.keys()
    assert {it.inputs["automount"] for it in venue if it.type.endswith("VolumeAttachment")} == {False}


def test_servers_wait_for_their_way_out(venue: Recording, planned: Plan) -> None:
    """A server comes after its subnet and the route, and after its gateway, through which it fetches what it runs."""
    for host in planned.hosts.values():
        before = {venue.at(urn).name for urn in venue.named(host.name, SERVER).dependencies}
        assert {f"subnet-{host.site}", f"route-{host.site}"} <= before
        assert (f"gateway-{host.site}" in before) == (host.role != "gateway")


def test_servers_are_held_until_their_sites_turn(planned: Plan) -> None:
    """What would replace or stop a server is ignored, but at the one site that rolls; the old one always goes first."""
    found = recorded(planned, rolling="two")
    for server in found.of_type(SERVER):
        assert server.delete_before_replace
        assert server.ignore_changes == (() if server.inputs["labels"]["site"] == "two" else tuple(HELD))


def test_a_balancer_tells_who_comes(venue: Recording, planned: Plan) -> None:
    """It leads to the entrance's private address by the PROXY protocol, from where the entrance expects it."""
    for host in planned.of_role("entry"):
        name = f"{host.name}-balancer"
        balancer = venue.named(name, f"{TYPES}loadBalancer:LoadBalancer").inputs
        assert (balancer["loadBalancerType"], balancer["deleteProtection"]) == (TYPE, True)
        assert balancer["location"] == planned.sites[host.site].place.zone
        service = venue.named(f"{name}-orders").inputs
        assert (service["listenPort"], service["destinationPort"]) == (ports.ORDERS, ports.ORDERS)
        assert (service["protocol"], service["proxyprotocol"]) == ("tcp", True)
        joined = venue.named(f"{name}-network").inputs
        balancers = addresses.part(planned.sites[host.site].network, "balancer")
        assert IPv4Address(joined["ip"]) in balancers
        assert f"expect-proxy layer4 if {{ src {balancers} }}" in _script(venue, host.name)
        assert venue.named(f"{name}-target").inputs["usePrivateIp"] is True


def test_the_balancer_asks_as_hetzner_lets_it(venue: Recording) -> None:
    """Every 3 to 60 s, for at most as long, once to five times, the engines' own readiness."""
    check = venue.named("entry-one-balancer-orders").inputs["healthCheck"]
    assert check["protocol"] == "http"
    assert 3 <= check["interval"] <= 60
    assert 1 <= check["timeout"] <= check["interval"]
    assert 1 <= check["retries"] <= 5
    assert check["port"] == ports.ENTRY_METRICS
    assert check["http"] == {"path": "/ready", "statusCodes": ["200"], "tls": False}


def test_names_and_labels_are_hetzners(venue: Recording) -> None:
    """A name is a host name, once in a project; labels keep to the letters and lengths that Hetzner takes."""
    named = [(it.type, it.inputs["name"]) for it in venue if it.custom and "name" in it.inputs]
    assert max(Counter(named).values()) == 1
    assert [name for _, name in named if not HOSTNAME.fullmatch(name)] == []
    for found in venue:
        labels: Mapping[str, str] = found.inputs.get("labels", {})
        assert all(LABEL_KEY.fullmatch(key) and LABEL_VALUE.fullmatch(value) for key, value in labels.items())


def test_the_longest_names_fit() -> None:
    """A venue and sites with the longest names that a topology allows."""
    long = {"one": "a" * 16, "two": "b" * 16, "three": "c" * 16, "four": "d" * 16}
    text = of_provider("hetzner").model_dump_json(by_alias=True, exclude_none=True)
    for short, name in long.items():
        text = re.sub(rf'"{short}"', f'"{name}"', text)
    topology = Topology.model_validate_json(text.replace("only-hetzner", "v" * 16))
    test_names_and_labels_are_hetzners(recorded(plan(topology)))


def test_values_are_in_the_catalogue(venue: Recording) -> None:
    """Server types and locations are those that Hetzner offers."""
    places = {place.zone for place in catalog().places.values() if place.provider == PROVIDER}
    assert {it.inputs["location"] for it in venue if "location" in it.inputs} <= places
    assert all(catalog().machine(PROVIDER, it.inputs["serverType"]) for it in venue.of_type(SERVER))


def test_the_token_is_never_in_plain(venue: Recording) -> None:
    """It is a secret of the provider object, and in no other resource, at preview or after a run."""
    for recording in (venue, made("hcloud")):
        (provider,) = recording.of_type("pulumi:providers:hcloud")
        assert isinstance(provider.inputs["token"], Secret)
        assert [it.urn for it in recording if TOKEN in str(_exposed(it.inputs)) + str(_exposed(it.outputs))] == []
        assert TOKEN not in str(_exposed(recording.outputs))


def test_each_project_has_a_token_of_its_own() -> None:
    """Another account is another provider object; without a token it is refused, with what to set."""
    topology = of_provider("hetzner").model_dump(by_alias=True)
    topology["sites"]["four"]["account"] = "second"
    planned = plan(Topology.model_validate(topology))
    with pytest.raises(PlanError, match=r"account second: .* pulumi config set --secret hcloud-second:token"):
        recorded(planned)
    found = recorded(planned, config={"hcloud-second:token": Secret("s" * 64)})
    first, second = found.of_type("pulumi:providers:hcloud")
    assert (first.inputs["token"].value, second.inputs["token"].value) == (TOKEN, "s" * 64)
    for server in found.of_type(SERVER):
        wanted = second if server.inputs["labels"]["site"] == "four" else first
        assert server.provider.startswith(wanted.urn)


def test_without_a_setting_the_environment_tells_the_token(planned: Plan) -> None:
    """The provider reads HCLOUD_TOKEN itself, as it documents."""
    found = offline.record(program(planned, "cloud"), project="diversite", stack="lab")
    assert "token" not in found.of_type("pulumi:providers:hcloud")[0].inputs


def test_a_missing_image_is_told() -> None:
    """What to add and where, with the command that lists what there is."""
    topology = of_provider("hetzner").model_copy(update={"images": {}})
    with pytest.raises(PlanError, match=r"images: .*gateway-one.*images\.hetzner\.x86_64: hcloud image list"):
        recorded(plan(topology))


def test_ten_servers_of_a_place_stand_apart() -> None:
    """The first ten hosts of a place, whom the judge counts as apart, are in one spread group; the others in a next."""
    topology = of_provider("hetzner").model_dump(by_alias=True)
    more = {f"more-{letter}": {"site": "one", "machine": "ccx23"} for letter in "abcdef"}
    for section in ("validators", "engines"):
        topology[section] |= more
    planned = plan(Topology.model_validate(topology))
    found = recorded(planned)
    racks = domains_of(planned)
    groups: dict[str, list[str]] = {}
    for server in found.of_type(SERVER):
        (group,) = server.property_dependencies["placementGroupId"]
        groups.setdefault(found.at(group).name, []).append(server.name)
    assert all(len(hosts) <= SPREAD_GROUP_MAX[PROVIDER] for hosts in groups.values())
    apart = {host for rack in racks.all("rack") for host in racks.members(rack) if len(racks.members(rack)) == 1}
    assert set(groups["spread-hetzner-nbg1"]) == {it.name for it in planned.at_site("one")[:10]}
    assert apart <= set().union(*(hosts for name, hosts in groups.items() if not name.endswith("-2")))
    assert {it.inputs["type"] for it in found if it.type.endswith("PlacementGroup")} == {"spread"}


def test_a_long_boot_script_is_compressed(monkeypatch: pytest.MonkeyPatch, planned: Plan) -> None:
    """What Hetzner would not take as text it takes compressed, and the same each time; what is too long is refused."""
    long = "#cloud-config\n" + "# again\n" * 6000
    monkeypatch.setattr(boot, "user_data", lambda *_args, **_named: long)
    found = recorded(planned).named("validator-one", SERVER).inputs["userData"]
    assert len(found) <= USER_DATA_BYTES_MAX
    assert gzip.decompress(base64.b64decode(found)).decode() == long
    monkeypatch.setattr(boot, "user_data", lambda *_args, **_named: NOISE)
    with pytest.raises(PlanError, match="boot script"):
        recorded(planned)


def test_policies_hold() -> None:
    """The pack finds nothing mandatory in the stack that stands at Hetzner alone."""
    starter = plan(stackfile.load(ROOT / "stacks" / "starter.yaml"))
    pack = Pack(ROOT / "stacks" / "starter")
    findings = pack.judge(recorded(starter))
    pack.close()
    assert [f"{it.policy}: {it.message} {it.urn}" for it in findings if it.mandatory] == []
    assert {it.rule for it in findings if not it.mandatory} == {
        "share-of-a-provider",
        "evidence-good",
        "volumes-encrypted",
    }


def test_its_sdk_is_imported_only_where_it_is_used() -> None:
    """A lab's stack never waits for it."""
    script = (
        "import sys; from tests.components.recorded import declared; declared('lab');"
        "print(*(name for name in ('pulumi_aws', 'pulumi_gcp', 'pulumi_hcloud') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def recorded(planned: Plan, *, rolling: str | None = None, config: Mapping[str, Any] | None = None) -> Recording:
    """A plan at preview, with further settings."""
    told = settings()
    told["config"] |= config or {}
    return offline.record(program(planned, "cloud", rolling=rolling), **told)


def _script(venue: Recording, host: str) -> str:
    return str(venue.named(host, SERVER).inputs["userData"])


def _exposed(value: Any) -> Any:
    """A value with its secrets taken out."""
    if isinstance(value, Secret):
        return None
    if isinstance(value, Mapping):
        return {key: _exposed(item) for key, item in value.items()}
    return [_exposed(item) for item in value] if isinstance(value, list | tuple) else value
