"""Every value that AWS's part declares is one that AWS publishes."""

from __future__ import annotations

import dataclasses
import json

import pytest

from offline import Recording
from tests.components import published_aws
from tests.components.recorded_aws import (
    CONTACTS,
    ends,
    joined,
    made,
    path,
    planned,
    regional,
    steered,
    venue,
    ways,
    with_steering,
)


def everything() -> list[Recording]:
    """All that this sibling can be asked for."""
    google = planned("google")
    line = {path("circuit").name: [{"connection": "dxcon-ffabc123", "vlan": 101, "asn": 64_512}]}
    delivered = ends(planned("google-and-aws"), {**CONTACTS, "circuits": json.dumps(line)})
    return [venue(), made(), regional(), joined(), delivered, steered(with_steering(google), ways(google))]


def test_every_value_is_published() -> None:
    """Enumerations, bounds, lengths and patterns of botocore's models hold for all that is declared."""
    recorded = everything()
    assert [fault for recording in recorded for it in recording for fault in published_aws.faults(it)] == []
    declared = {it.type for recording in recorded for it in recording}
    assert set(published_aws.PUBLISHED) <= declared


@pytest.mark.parametrize(
    ("name", "type_", "wrong"),
    [
        ("validator-par", "aws:ec2/instance:Instance", {"instanceType": "c7i.enormous"}),
        ("validator-par", "aws:ebs/volume:Volume", {"type": "gp9"}),
        ("par-private", "aws:ec2/networkAcl:NetworkAcl", {"ingress": [{"protocol": "tpc"}]}),
        ("validator-par", "aws:ec2/securityGroup:SecurityGroup", {"ingress": [{"cidrBlocks": ["10.0.0.1/8"]}]}),
        ("entry-par", "aws:lb/targetGroup:TargetGroup", {"healthCheck": {"interval": 3}}),
        ("validator-par", "aws:cloudwatch/metricAlarm:MetricAlarm", {"comparisonOperator": "Greater"}),
        ("validator-par", "aws:cloudwatch/metricAlarm:MetricAlarm", {"treatMissingData": "notbreaching"}),
        ("network-eu-west-3-flows", "aws:cloudwatch/logGroup:LogGroup", {"retentionInDays": 42}),
    ],
)
def test_what_aws_would_refuse_is_found(name: str, type_: str, wrong: dict[str, object]) -> None:
    """A wrong value is a fault, so that the test above means something."""
    found = dataclasses.replace(venue().named(name, type_), inputs=wrong)
    assert len(list(published_aws.faults(found))) == 1


def test_a_tunnel_of_weak_ciphers_is_found() -> None:
    """What AWS takes for a tunnel it tells in words; they are read."""
    (first, _) = joined().of_type("aws:ec2/vpnConnection:VpnConnection")
    wrong = {"tunnel1Phase1DhGroupNumbers": [5], "tunnel2InsideCidr": "169.254.5.0/30", "tunnel1PresharedKey": "0short"}
    assert len(list(published_aws.faults(dataclasses.replace(first, inputs=wrong)))) == 3
