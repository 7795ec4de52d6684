"""AWS's part of a venue: what is declared of the flagship's three sites there, counted and compared with the plan."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from components.aws.host import HELD, image
from components.aws.provider import account_id
from components.contract import tags
from diversite.domains import SPREAD_GROUP_MAX
from diversite.errors import PlanError
from diversite.plan import Plan, plan
from diversite.stackfile.writing import dumps
from offline import UNKNOWN
from tests.components.recorded_aws import (
    INSTANCE,
    VOLUME,
    computed,
    declared,
    flagship_part,
    hosts,
    made,
    venue,
)
from tests.policies.pack import Pack

TYPES = "aws:"


def test_it_declares_what_was_planned() -> None:
    """Three regions with a site each, and nothing beyond what hosts, links and entrances ask for."""
    part = flagship_part()
    sites, machines = len(part.sites), len(part.hosts)
    keeping = sum(host.data_gib > 0 for host in part.hosts.values())
    entries, paths = len(part.of_role("entry")), sites * (sites - 1) // 2
    assert Counter(it.type.removeprefix(TYPES) for it in venue() if it.custom) == {
        "pulumi:providers:aws": sites,
        "kms/key:Key": sites,
        "kms/alias:Alias": sites,
        "sns/topic:Topic": sites,
        "sns/topicPolicy:TopicPolicy": sites,
        "sns/topicSubscription:TopicSubscription": sites,
        "ec2/serialConsoleAccess:SerialConsoleAccess": sites,
        "ec2/vpc:Vpc": sites,
        "ec2/defaultSecurityGroup:DefaultSecurityGroup": sites,
        "ec2/defaultNetworkAcl:DefaultNetworkAcl": sites,
        "ec2/internetGateway:InternetGateway": sites,
        "ec2/flowLog:FlowLog": sites,
        "cloudwatch/logGroup:LogGroup": sites,
        "iam/rolePolicy:RolePolicy": sites,
        "ec2/subnet:Subnet": 4 * sites,
        "ec2/routeTable:RouteTable": 2 * sites,
        "ec2/routeTableAssociation:RouteTableAssociation": 4 * sites,
        "ec2/networkAcl:NetworkAcl": 2 * sites,
        "ec2/natGateway:NatGateway": sites,
        "ec2/eip:Eip": 2 * sites + entries,
        "ec2/eipAssociation:EipAssociation": sites,
        # out, over the NAT gateway, to the gateway (sites, links), and to the gateways of the two others
        "ec2/route:Route": (2 + 2 + (sites - 1)) * sites,
        "ec2/placementGroup:PlacementGroup": sites,
        "ec2/instance:Instance": machines,
        "ec2/securityGroup:SecurityGroup": machines + sites + entries,
        "iam/role:Role": machines + sites,
        "iam/rolePolicyAttachment:RolePolicyAttachment": machines,
        "iam/instanceProfile:InstanceProfile": machines,
        "ebs/volume:Volume": keeping,
        "ec2/volumeAttachment:VolumeAttachment": keeping,
        "ec2transitgateway/transitGateway:TransitGateway": sites,
        "ec2transitgateway/vpcAttachment:VpcAttachment": sites,
        "ec2transitgateway/routeTable:RouteTable": 2 * sites,
        "ec2transitgateway/routeTableAssociation:RouteTableAssociation": sites + 2 * paths,
        "ec2transitgateway/route:Route": sites + 2 * paths,
        "ec2transitgateway/peeringAttachment:PeeringAttachment": paths,
        "ec2transitgateway/peeringAttachmentAccepter:PeeringAttachmentAccepter": paths,
        "lb/loadBalancer:LoadBalancer": entries,
        "lb/targetGroup:TargetGroup": entries,
        "lb/targetGroupAttachment:TargetGroupAttachment": entries,
        "lb/listener:Listener": entries,
        "cloudwatch/metricAlarm:MetricAlarm": machines + entries + sites,
    }


def test_what_is_not_asked_for_is_not_there() -> None:
    """No default network, no key pair, no address given away, no access key, no secret in the parameter store."""
    unwanted = ("defaultVpc", "keyPair", "accessKey", "secretsmanager", "ssm/parameter", "iam/user", "egressOnly")
    assert [it.urn for it in venue() if any(word in it.type for word in unwanted)] == []


def test_nothing_is_looked_up() -> None:
    """A preview needs no network: providers know their regions and accounts, and nothing asks AWS for anything."""
    providers = venue().of_type("pulumi:providers:aws")
    assert {it.inputs["region"] for it in providers} == {"eu-west-1", "eu-west-2", "eu-west-3"}
    assert {str(it.inputs["allowedAccountIds"]) for it in providers} == {'["123456789012"]'}
    assert all("accessKey" not in it.inputs and "token" not in it.inputs for it in providers)


def test_a_host_is_as_planned() -> None:
    """Type, address and image are declared as plain values; metadata, disks and identity are the strict ones."""
    part = flagship_part()
    for name, found in hosts(venue()).items():
        host, told = part.hosts[name], found.inputs
        assert (told["instanceType"], told["privateIp"]) == (host.machine, str(host.address))
        assert told["ami"] == image(part, host)
        assert told["metadataOptions"]["httpTokens"] == "required"
        assert told["metadataOptions"]["httpPutResponseHopLimit"] == 1
        assert told["rootBlockDevice"]["encrypted"] is True
        assert told["rootBlockDevice"]["tags"] == told["tags"] == tags(part, host)
        assert (told["disableApiTermination"], told["userDataReplaceOnChange"], told["monitoring"]) == (True,) * 3
        assert told["sourceDestCheck"] is (host.role != "gateway")
        assert told.get("associatePublicIpAddress") is (None if host.role == "gateway" else False)
        assert found.delete_before_replace
        assert "keyName" not in told


def test_a_boot_script_is_what_services_render() -> None:
    """Compressed, and known at preview, but for a gateway's: it tunnels to addresses that AWS gives."""
    for name, found in hosts(venue()).items():
        script = found.inputs["userDataBase64"]
        assert (script is UNKNOWN) == (flagship_part().hosts[name].role == "gateway"), name
    for found in hosts(made()).values():
        assert gzip.decompress(base64.b64decode(found.inputs["userDataBase64"])).startswith(b"#cloud-config\n")


def test_a_held_host_stays_as_it_is() -> None:
    """Only the site whose turn it is takes new images and boot scripts; the others are blind to them."""
    assert {it.ignore_changes for it in venue().of_type(INSTANCE)} == {tuple(HELD)}
    rolling = hosts(declared(flagship_part(), rolling="par"))
    assert {name for name, it in rolling.items() if not it.ignore_changes} == {
        host.name for host in flagship_part().at_site("par")
    }


def test_a_data_disk_is_kept() -> None:
    """Encrypted and protected, it stays though it be forgotten, and its host is stopped before it goes."""
    part = flagship_part()
    volumes = {it.name: it for it in venue().of_type(VOLUME)}
    assert set(volumes) == {host.name for host in part.hosts.values() if host.data_gib}
    for name, volume in volumes.items():
        assert volume.inputs["size"] == part.hosts[name].data_gib
        assert volume.inputs["encrypted"] is True
        assert (volume.protect, volume.retain_on_delete, volume.delete_before_replace) == (True, True, True)
        assert "snapshotId" not in volume.inputs
    attachments = venue().of_type("aws:ec2/volumeAttachment:VolumeAttachment")
    assert all(it.inputs["stopInstanceBeforeDetaching"] for it in attachments)


def test_keys_outlive_everything() -> None:
    """Without its key every disk of a region is noise."""
    for key in venue().of_type("aws:kms/key:Key"):
        assert (key.protect, key.retain_on_delete) == (True, True)
        assert key.inputs["enableKeyRotation"] is True


def test_what_a_host_may_do_is_one_thing() -> None:
    """Its role lets operators' sessions through and nothing else, and nobody but a machine may act in it."""
    attached = venue().of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    assert {it.inputs["policyArn"] for it in attached} == {"arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"}
    assert len({it.property_dependencies["role"] for it in attached}) == len(flagship_part().hosts)
    roles = [json.loads(it.inputs["assumeRolePolicy"]) for it in venue().of_type("aws:iam/role:Role")]
    trusted = {it["Statement"][0]["Principal"]["Service"] for it in roles}
    assert trusted == {"ec2.amazonaws.com", "vpc-flow-logs.amazonaws.com"}


def test_hosts_are_spread() -> None:
    """As many hosts to a group as AWS spreads in a zone; what is more than that has a group of its own."""
    part = flagship_part()
    groups = Counter(it.property_dependencies["placementGroup"] for it in hosts(made()).values())
    assert max(groups.values()) <= SPREAD_GROUP_MAX["aws"]
    more = {f"{key}{n}": item for key, item in part.topology.validators.items() for n in range(4)}
    engines = {f"{key}{n}": item for key, item in part.topology.engines.items() for n in range(4)}
    crowded = hosts(declared(changed(part, validators=more, engines=engines), answer=computed))
    placed = Counter(it.inputs["placementGroup"] for it in crowded.values())
    assert set(placed) == {f"{zone}{n}" for zone in ("euw3-az1", "euw1-az1", "euw2-az1") for n in ("", "-2")}
    assert max(placed.values()) <= SPREAD_GROUP_MAX["aws"]


def test_an_entrance_is_behind_a_balancer() -> None:
    """One fixed address, one port, the client's address kept, and checks of the engine's own readiness."""
    part = flagship_part()
    for entry in part.of_role("entry"):
        balancer = made().named(entry.name, "aws:lb/loadBalancer:LoadBalancer").inputs
        assert (balancer["loadBalancerType"], balancer["enableDeletionProtection"]) == ("network", True)
        assert balancer["subnetMappings"] == [
            {"allocationId": f"Eip/{entry.name}", "subnetId": f"Subnet/{entry.site}-balancer"}
        ]
        targets = made().named(entry.name, "aws:lb/targetGroup:TargetGroup").inputs
        check = targets["healthCheck"]
        assert (targets["port"], targets["preserveClientIp"], check["path"]) == (8443, "true", part.health_check.path)
        assert check["interval"] * check["unhealthyThreshold"] <= 10
        (listener,) = [it for it in made().of_type("aws:lb/listener:Listener") if it.name == entry.name]
        assert (listener.inputs["port"], listener.inputs["protocol"]) == (8443, "TCP")


def test_alarms_tell_somebody() -> None:
    """Every alarm has its region's topic, which is encrypted, and which a person who is named hears."""
    alarms = made().of_type("aws:cloudwatch/metricAlarm:MetricAlarm")
    for alarm in alarms:
        (action,) = alarm.inputs["alarmActions"]
        assert action.startswith("arn:Topic/eu-west-")
        assert action == alarm.inputs["okActions"][0]
    failing = {it.name for it in alarms if it.inputs["metricName"] == "StatusCheckFailed"}
    assert failing == set(flagship_part().hosts)
    assert all(it.inputs["kmsMasterKeyId"] for it in made().of_type("aws:sns/topic:Topic"))
    told = made().of_type("aws:sns/topicSubscription:TopicSubscription")
    assert {(it.inputs["protocol"], it.inputs["endpoint"]) for it in told} == {("email", "operators@venue.example")}
    assert declared(flagship_part(), {}).of_type("aws:sns/topicSubscription:TopicSubscription") == ()


def test_an_account_is_named() -> None:
    """Nothing is built in an account that nobody named; an account of another name is a profile's."""
    with pytest.raises(PlanError, match=r"diversite:accounts\.aws: missing; it is the AWS account's number"):
        account_id({}, "aws")
    with pytest.raises(PlanError, match=r"diversite:accounts\.aws: 42; "):
        account_id({"aws": "42"}, "aws")
    part = flagship_part()
    sites = {**part.topology.sites, "par": part.topology.sites["par"].model_copy(update={"account": "second"})}
    found = declared(changed(part, sites=sites)).of_type("pulumi:providers:aws")
    assert {it.name: it.inputs.get("profile") for it in found} == {
        "aws-eu-west-3-second": "second",
        "aws-eu-west-1": None,
        "aws-eu-west-2": None,
    }


def _without_arm_images(given: Plan) -> Plan:
    images = {name: item.model_copy(update={"arm64": None}) for name, item in given.topology.images.items()}
    return changed(given, images=images)


def _without_images(given: Plan) -> Plan:
    return changed(given, images={})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_without_arm_images, r"images: there is none for \w+-lon, a c7g\.\w+ with arm64 in aws/eu-west-2. Add the id"),
        (_without_images, r"images: there is none for gateway-par, a t3\.small with x86_64 in aws/eu-west-3"),
    ],
)
def test_what_cannot_be_built_is_told(change: Callable[[Plan], Plan], says: str) -> None:
    """What is missing, where, and what to write there."""
    with pytest.raises(PlanError, match=says):
        declared(change(flagship_part()))


def test_the_pack_finds_nothing_wrong(tmp_path: Any) -> None:
    """The policy pack says nothing mandatory of hosts, networks and entrances, at the first preview and the next."""
    path = tmp_path / "amazon.yaml"
    path.write_text(dumps(flagship_part().topology))
    pack = Pack(path.with_suffix(""))
    try:
        for recording in (venue(), made()):
            assert [(it.rule, it.urn, it.message) for it in pack.judge(recording) if _is_ours(it)] == []
    finally:
        pack.close()


def test_only_awss_sdk_is_imported() -> None:
    """Who builds in AWS alone waits for no other cloud's SDK, and who builds elsewhere not for AWS's."""
    program = "import sys, components.{}; print(sorted(n for n in sys.modules if n.startswith('pulumi_')))"
    assert _imported(program.format("aws")) == {"pulumi_aws"}
    assert _imported(program.format("venue")) == set()


def changed(given: Plan, **parts: Any) -> Plan:
    """A plan of the same topology but for some parts."""
    return plan(given.topology.model_copy(update=parts))


def _is_ours(finding: Any) -> bool:
    """A part of a venue meets fewer objectives than the whole."""
    of_the_whole = ("survive", "recovery", "monitors-apart", "disjoint-ways", "every-node-watched")
    return finding.mandatory and finding.rule not in of_the_whole


def _imported(program: str) -> set[str]:
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    return {name.partition(".")[0] for name in re.findall(r"'([^']+)'", found)}
