"""What a firewall lets in, read from whoever's firewall it is."""

from __future__ import annotations

from typing import Any

import pytest

from policies import tokens
from policies.declared import UNKNOWN, Resource
from policies.rules.packets import Opening, openings

ANYBODY = ["0.0.0.0/0"]
US = ["10.128.0.0/9"]


def read(type_: str, **inputs: Any) -> list[tuple[str, bool]]:
    """What is open, in words, and whether to anybody."""
    found = openings(Resource(urn="r", name="r", type=type_, inputs=inputs))
    return [(str(opening), opening.to_anybody) for opening in found]


def aws_rule(**changes: Any) -> list[tuple[str, bool]]:
    """The same of a rule of an AWS security group."""
    declared = {"type": "ingress", "protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": ANYBODY}
    return read(tokens.AWS_SECURITY_GROUP_RULE, **{**declared, **changes})


def gcp(**changes: Any) -> list[tuple[str, bool]]:
    """The same of a Google firewall."""
    return read(tokens.GCP_FIREWALL, **{"allows": [{"protocol": "tcp", "ports": ["22"]}], **changes})


@pytest.mark.parametrize(("first", "last", "told"), [(22, 22, "tcp 22"), (1, 2, "tcp 1-2"), (0, 9, "tcp 0-9")])
def test_a_range_is_told_as_one_and_a_port_as_itself(first: int, last: int, told: str) -> None:
    """A port that is alone is no range."""
    assert str(Opening(protocol="tcp", first=first, last=last, to_anybody=True)) == told
    assert aws_rule(fromPort=first, toPort=last) == [(told, True)]


@pytest.mark.parametrize(
    "changes",
    [
        {"protocol": "-1"},
        {"protocol": "-1", "fromPort": 22},
        {"protocol": "all"},
        {"fromPort": UNKNOWN},
        {"toPort": UNKNOWN},
        {"fromPort": -1, "toPort": -1},
        {"protocol": UNKNOWN},
    ],
)
def test_what_is_not_known_is_every_port(changes: dict[str, Any]) -> None:
    """An unknown port, or every protocol, is all 65,536 of them."""
    assert [told.partition(" ")[2] for told, _ in aws_rule(**changes)] == ["0-65535"]


@pytest.mark.parametrize(("type_", "read_"), [("ingress", True), ("egress", False), ("unlike", False)])
def test_only_what_comes_in_is_an_opening_at_aws(type_: str, read_: bool) -> None:
    """What goes out lets nobody in."""
    assert bool(aws_rule(type=type_)) is read_


@pytest.mark.parametrize(("direction", "read_"), [("in", True), ("out", False), ("a", False)])
def test_only_what_comes_in_is_an_opening_at_hetzner(direction: str, read_: bool) -> None:
    """The same at Hetzner."""
    rule = {"direction": direction, "protocol": "tcp", "port": "22", "sourceIps": US}
    assert read(tokens.HCLOUD_FIREWALL, rules=[rule]) == [("tcp 22", False)] * read_


@pytest.mark.parametrize(
    ("sources", "to_anybody"),
    [
        ({}, True),
        ({"sourceRanges": US}, False),
        ({"sourceRanges": ANYBODY}, True),
        ({"sourceTags": ["a"]}, False),
        ({"sourceServiceAccounts": ["a"]}, False),
        ({"sourceTags": ["a"], "sourceRanges": ANYBODY}, True),
    ],
)
def test_google_lets_anybody_in_where_no_source_is_named(sources: dict[str, Any], to_anybody: bool) -> None:
    """A tag or a service account is a source, too; a range beside it lets in more."""
    assert gcp(**sources) == [("tcp 22", to_anybody)]


def test_what_goes_out_of_google_is_no_opening() -> None:
    """EGRESS rules are not read."""
    assert gcp(direction="EGRESS") == []


def test_only_the_input_chain_of_nftables_is_read() -> None:
    """What is forwarded, or stands before the chain, does not come in; with a source it is not open to anybody."""
    ruleset = "\n".join(
        [
            "  chain other {",
            "    tcp dport 1 accept",
            "  chain input {",
            "    tcp dport { 22, 80-81 } accept",
            "    ip saddr 10.0.0.0/8 udp dport 53 accept",
            "  chain forward {",
            "    tcp dport 9 accept",
        ]
    )
    assert read(tokens.LAB_HOST, firewall=ruleset) == [("tcp 22", True), ("tcp 80-81", True), ("udp 53", False)]
    assert read(tokens.LAB_HOST, firewall="tcp dport 7 accept") == [("tcp 7", True)]
