"""What AWS publishes of its own interfaces: the service models that come with botocore.

`faults` holds a declared resource against them: enumerated values, bounds, lengths and patterns of the shapes that a
property ends up in, and where a model says only in words which values are valid, those words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from ipaddress import IPv4Network
from typing import Any

from botocore.session import get_session  # type: ignore[import-untyped]  # it comes without types

from offline import UNKNOWN, Resource, Secret

RANDOM_LENGTH = len("-0123456")
"""What Pulumi adds to a name that is not declared."""
VALID = re.compile(r"valid values:(.*?)(?:</p>|$)", re.IGNORECASE | re.DOTALL)
CODE = re.compile(r"<code>\s*([^<]+?)\s*</code>")
DESCRIPTION = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}")
"""Of a group and of its rules: botocore has it in words only."""
DEVICE = re.compile(r"/dev/sd[f-p]")
"""What AWS recommends for a volume beside the root's."""
SECRET = re.compile(r"(?!0)[A-Za-z0-9._]{8,64}")
PROTOCOL_NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1, "-1": -1}
"""Names that the provider's schema takes, by the numbers of the interface."""

Test = Callable[[Any], bool]


def shape(service: str, name: str) -> Test:
    """Whether a value fits a shape: its enumeration, bounds, length and pattern."""
    return lambda value: _fits(_shapes(service)[name], value)


def worded(service: str, structure: str, member: str) -> Test:
    """Whether a value is among those that a member's description calls valid."""
    return lambda value: str(value) in valid(service, structure, member)


def told_in(service: str, name: str) -> Test:
    """Whether a number stands in a shape's description."""
    return lambda value: re.search(rf"\b{value}\b", _shapes(service)[name].documentation) is not None


def cidr(shortest: int, longest: int) -> Test:
    """Whether a value is a network, written as networks are, with a prefix within these bounds."""

    def test(value: Any) -> bool:
        try:
            return shortest <= IPv4Network(value).prefixlen <= longest
        except ValueError:  # such as 10.0.0.1/8, which AWS refuses too
            return False

    return test


def one_of(*values: Any) -> Test:
    """Whether a value is one of these: the interface takes any text, and the service these."""
    return lambda value: value in values


def matching(pattern: re.Pattern[str]) -> Test:
    """Whether the whole value matches."""
    return lambda value: pattern.fullmatch(str(value)) is not None


def between(least: float, most: float) -> Test:
    """Whether a number is within these bounds."""
    return lambda value: least <= float(value) <= most


TUNNEL: Mapping[str, Test] = {
    "InsideCidr": lambda value: IPv4Network(value).prefixlen == 30 and value not in reserved_tunnels(),
    "PresharedKey": matching(SECRET),
    "IkeVersions": worded("ec2", "VpnTunnelOptionsSpecification", "IKEVersions"),
    "Phase1EncryptionAlgorithms": worded("ec2", "VpnTunnelOptionsSpecification", "Phase1EncryptionAlgorithms"),
    "Phase1IntegrityAlgorithms": worded("ec2", "VpnTunnelOptionsSpecification", "Phase1IntegrityAlgorithms"),
    "Phase1DhGroupNumbers": worded("ec2", "VpnTunnelOptionsSpecification", "Phase1DHGroupNumbers"),
    "Phase2EncryptionAlgorithms": worded("ec2", "VpnTunnelOptionsSpecification", "Phase2EncryptionAlgorithms"),
    "Phase2IntegrityAlgorithms": worded("ec2", "VpnTunnelOptionsSpecification", "Phase2IntegrityAlgorithms"),
    "Phase2DhGroupNumbers": worded("ec2", "VpnTunnelOptionsSpecification", "Phase2DHGroupNumbers"),
    "StartupAction": worded("ec2", "VpnTunnelOptionsSpecification", "StartupAction"),
    "DpdTimeoutAction": worded("ec2", "VpnTunnelOptionsSpecification", "DPDTimeoutAction"),
    "DpdTimeoutSeconds": between(30, 3600),
    "LogOptions.cloudwatchLogOptions.logOutputFormat": one_of("json", "text"),
    "LogOptions.cloudwatchLogOptions.bgpLogOutputFormat": one_of("json", "text"),
}
"""Of either tunnel of a connection, by what follows `tunnel1` or `tunnel2`."""
GROUP_RULES: Mapping[str, Test] = {
    f"{direction}.{name}": test
    for direction in ("ingress", "egress")
    for name, test in {
        "protocol": one_of(*PROTOCOL_NUMBERS),
        "fromPort": between(-1, 65_535),
        "toPort": between(-1, 65_535),
        "cidrBlocks": cidr(0, 32),
        "description": matching(DESCRIPTION),
    }.items()
}
LIST_RULES: Mapping[str, Test] = {
    f"{direction}.{name}": test
    for direction in ("ingress", "egress")
    for name, test in {
        "ruleNo": between(1, 32_766),
        "action": shape("ec2", "RuleAction"),
        "protocol": one_of(*PROTOCOL_NUMBERS),
        "cidrBlock": cidr(0, 32),
        "icmpType": between(-1, 255),
    }.items()
}
PUBLISHED: Mapping[str, Mapping[str, Test]] = {
    "aws:ec2/instance:Instance": {
        "instanceType": shape("ec2", "InstanceType"),
        "instanceInitiatedShutdownBehavior": shape("ec2", "ShutdownBehavior"),
        "metadataOptions.httpTokens": shape("ec2", "HttpTokensState"),
        "metadataOptions.httpEndpoint": shape("ec2", "InstanceMetadataEndpointState"),
        "metadataOptions.instanceMetadataTags": shape("ec2", "InstanceMetadataTagsState"),
        "metadataOptions.httpPutResponseHopLimit": between(1, 64),
        "rootBlockDevice.volumeType": shape("ec2", "VolumeType"),
        "rootBlockDevice.volumeSize": between(8, 65_536),
        "userDataBase64": lambda value: len(value) * 3 // 4 <= 16_384 + 2,
    },
    "aws:ebs/volume:Volume": {"type": shape("ec2", "VolumeType"), "size": between(1, 65_536)},
    "aws:ec2/volumeAttachment:VolumeAttachment": {"deviceName": matching(DEVICE)},
    "aws:ec2/placementGroup:PlacementGroup": {
        "strategy": shape("ec2", "PlacementStrategy"),
        "spreadLevel": shape("ec2", "SpreadLevel"),
    },
    "aws:ec2/vpc:Vpc": {"cidrBlock": cidr(16, 28)},
    "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation": {"cidrBlock": cidr(16, 28)},
    "aws:ec2/subnet:Subnet": {"cidrBlock": cidr(16, 28)},
    "aws:ec2/route:Route": {"destinationCidrBlock": cidr(0, 32)},
    "aws:ec2/eip:Eip": {"domain": shape("ec2", "DomainType")},
    "aws:ec2/natGateway:NatGateway": {"connectivityType": shape("ec2", "ConnectivityType")},
    "aws:ec2/securityGroup:SecurityGroup": {"description": matching(DESCRIPTION), **GROUP_RULES},
    "aws:ec2/networkAcl:NetworkAcl": LIST_RULES,
    "aws:ec2/flowLog:FlowLog": {
        "trafficType": shape("ec2", "TrafficType"),
        "logDestinationType": shape("ec2", "LogDestinationType"),
        "maxAggregationInterval": one_of(60, 600),
    },
    "aws:cloudwatch/logGroup:LogGroup": {
        "name": shape("logs", "LogGroupName"),
        "retentionInDays": told_in("logs", "Days"),
    },
    "aws:cloudwatch/metricAlarm:MetricAlarm": {
        "comparisonOperator": shape("cloudwatch", "ComparisonOperator"),
        "statistic": shape("cloudwatch", "Statistic"),
        "namespace": shape("cloudwatch", "Namespace"),
        "metricName": shape("cloudwatch", "MetricName"),
        "alarmDescription": shape("cloudwatch", "AlarmDescription"),
        "treatMissingData": worded("cloudwatch", "PutMetricAlarmInput", "TreatMissingData"),
        "period": lambda value: value in (10, 20, 30) or value % 60 == 0,
        "evaluationPeriods": shape("cloudwatch", "EvaluationPeriods"),
    },
    "aws:sns/topicSubscription:TopicSubscription": {"protocol": one_of("email", "https", "sqs", "lambda", "sms")},
    "aws:kms/key:Key": {"deletionWindowInDays": between(7, 30)},
    "aws:kms/alias:Alias": {"name": shape("kms", "AliasNameType")},
    "aws:lb/loadBalancer:LoadBalancer": {
        "loadBalancerType": shape("elbv2", "LoadBalancerTypeEnum"),
        "ipAddressType": shape("elbv2", "IpAddressType"),
    },
    "aws:lb/listener:Listener": {"protocol": shape("elbv2", "ProtocolEnum"), "port": shape("elbv2", "Port")},
    "aws:lb/targetGroup:TargetGroup": {
        "protocol": shape("elbv2", "ProtocolEnum"),
        "targetType": shape("elbv2", "TargetTypeEnum"),
        "port": shape("elbv2", "Port"),
        "preserveClientIp": one_of("true", "false"),
        "deregistrationDelay": between(0, 3600),
        "healthCheck.protocol": shape("elbv2", "ProtocolEnum"),
        "healthCheck.path": shape("elbv2", "Path"),
        "healthCheck.interval": shape("elbv2", "HealthCheckIntervalSeconds"),
        "healthCheck.timeout": shape("elbv2", "HealthCheckTimeoutSeconds"),
        "healthCheck.healthyThreshold": shape("elbv2", "HealthCheckThresholdCount"),
        "healthCheck.unhealthyThreshold": shape("elbv2", "HealthCheckThresholdCount"),
    },
    "aws:ec2transitgateway/transitGateway:TransitGateway": {
        "amazonSideAsn": between(4_200_000_000, 4_294_967_294),
        "autoAcceptSharedAttachments": shape("ec2", "AutoAcceptSharedAttachmentsValue"),
        "defaultRouteTableAssociation": shape("ec2", "DefaultRouteTableAssociationValue"),
        "defaultRouteTablePropagation": shape("ec2", "DefaultRouteTablePropagationValue"),
        "vpnEcmpSupport": shape("ec2", "VpnEcmpSupportValue"),
    },
    "aws:ec2transitgateway/route:Route": {"destinationCidrBlock": cidr(32, 32)},
    "aws:ec2transitgateway/peeringAttachment:PeeringAttachment": {
        "peerRegion": shape("route53", "ResourceRecordSetRegion")
    },
    "aws:ec2/customerGateway:CustomerGateway": {
        "type": shape("ec2", "GatewayType"),
        "bgpAsnExtended": between(2_147_483_648, 4_294_967_295),
    },
    "aws:ec2/vpnConnection:VpnConnection": {
        "type": shape("ec2", "GatewayType"),
        **{f"tunnel{number}{name}": test for number in (1, 2) for name, test in TUNNEL.items()},
    },
    "aws:directconnect/gateway:Gateway": {"amazonSideAsn": between(4_200_000_000, 4_294_967_294)},
    "aws:directconnect/gatewayAssociation:GatewayAssociation": {"allowedPrefixes": cidr(32, 32)},
    "aws:directconnect/transitVirtualInterface:TransitVirtualInterface": {
        "addressFamily": shape("directconnect", "AddressFamily"),
        "vlan": between(1, 4094),
        "mtu": one_of(1500, 8500),
        "bgpAsnLong": between(1, 4_294_967_294),
    },
    "aws:route53/healthCheck:HealthCheck": {
        "type": shape("route53", "HealthCheckType"),
        "port": shape("route53", "Port"),
        "requestInterval": one_of(10, 30),
        "failureThreshold": shape("route53", "FailureThreshold"),
        "resourcePath": shape("route53", "ResourcePath"),
    },
    "aws:route53/record:Record": {
        "type": shape("route53", "RRType"),
        "name": shape("route53", "DNSName"),
        "ttl": shape("route53", "TTL"),
        "setIdentifier": shape("route53", "ResourceRecordSetIdentifier"),
        "latencyRoutingPolicies.region": shape("route53", "ResourceRecordSetRegion"),
        "failoverRoutingPolicies.type": shape("route53", "ResourceRecordSetFailover"),
        "weightedRoutingPolicies.weight": shape("route53", "ResourceRecordSetWeight"),
    },
}
"""By type, what each of its properties must be."""
NAMES: Mapping[str, int] = {
    "aws:iam/role:Role": 64,
    "aws:iam/instanceProfile:InstanceProfile": 128,
    "aws:iam/rolePolicy:RolePolicy": 128,
    "aws:lb/loadBalancer:LoadBalancer": 32,
    "aws:lb/targetGroup:TargetGroup": 32,
    "aws:cloudwatch/metricAlarm:MetricAlarm": 255,
    "aws:ec2/securityGroup:SecurityGroup": 255,
    "aws:ec2/placementGroup:PlacementGroup": 255,
    "aws:sns/topic:Topic": 256,
    "aws:directconnect/gateway:Gateway": 100,
}
"""The longest name of what Pulumi names, with what it adds."""


def faults(resource: Resource) -> Iterator[str]:
    """What AWS would refuse of a resource."""
    for path, test in PUBLISHED.get(resource.type, {}).items():
        for value in values(resource.inputs, path.split(".")):
            if not test(value):
                yield f"{resource.urn}: {path} is {value!r}"
    limit = NAMES.get(resource.type)
    if limit and len(resource.name) + RANDOM_LENGTH > limit:
        yield f"{resource.urn}: the name {resource.name} is too long for {limit} characters"


def values(inputs: Any, path: list[str]) -> Iterator[Any]:
    """The known values at a path; every item of a list, what is secret among them."""
    if isinstance(inputs, Secret):
        yield from values(inputs.value, path)
    elif isinstance(inputs, list | tuple):
        for item in inputs:
            yield from values(item, path)
    elif path and isinstance(inputs, Mapping):
        yield from values(inputs.get(path[0]), path[1:])
    elif not path and inputs is not None and inputs is not UNKNOWN:
        yield inputs


def valid(service: str, structure: str, member: str) -> list[str]:
    """The values that a member's description calls valid."""
    found = VALID.search(_shapes(service)[structure].members[member].documentation)
    return [it.strip() for code in CODE.findall(found[1]) for it in code.split("|")] if found else []


def reserved_tunnels() -> list[str]:
    """The /30s that AWS keeps for itself."""
    told = _shapes("ec2")["VpnTunnelOptionsSpecification"].members["TunnelInsideCidr"].documentation
    return [it for it in CODE.findall(told) if it.endswith("/30")]


def _fits(told: Any, value: Any) -> bool:
    if told.type_name in ("integer", "long"):
        least, most = told.metadata.get("min", 0), told.metadata.get("max", float("inf"))
        return bool(least <= int(value) <= most)
    text, pattern = str(value), told.metadata.get("pattern")
    if told.metadata.get("enum") and text not in told.metadata["enum"]:
        return False
    in_length = told.metadata.get("min", 0) <= len(text) <= told.metadata.get("max", len(text))
    return in_length and (pattern is None or re.fullmatch(pattern, text) is not None)


class _Shapes(dict[str, Any]):
    """The shapes of a service by name, resolved when they are asked for."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._model = get_session().get_service_model(service)

    def __missing__(self, name: str) -> Any:
        self[name] = self._model.shape_for(name)
        return self[name]


@cache
def _shapes(service: str) -> _Shapes:
    return _Shapes(service)
