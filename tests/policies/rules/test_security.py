"""What is public, open, readable or allowed, on each cloud."""

from __future__ import annotations

import json
from typing import Any

import pytest

from diversite import ports
from diversite.topology import SITES_MAX
from policies import tokens
from policies.declared import UNKNOWN, Resource
from policies.rules.security import (
    default_network_unused,
    deletion_protected,
    disks_encrypted,
    least_identity,
    metadata_service_v2,
    only_listed_ports_open,
    releases_pinned,
    volumes_encrypted,
)
from policies.venue import Venue
from tests.policies import asked
from tests.policies.asked import blamed, said_of

HOSTS = (tokens.AWS_INSTANCE, tokens.GCP_INSTANCE, tokens.HCLOUD_SERVER)


@pytest.mark.parametrize(
    ("beyond", "passes"), [(0, True), (2 * SITES_MAX - 1, True), (2 * SITES_MAX, False), (-1, False)]
)
def test_tunnels_have_as_many_ports_as_a_gateway_has_links(beyond: int, passes: bool) -> None:
    """The ports that a gateway's tunnels listen on are listed, and none before or after them."""
    port = ports.WIREGUARD + beyond
    inputs = {"type": "ingress", "protocol": "udp", "fromPort": port, "toPort": port, "cidrBlocks": ["10.128.0.0/9"]}
    assert (not said_of(only_listed_ports_open, tokens.AWS_SECURITY_GROUP_RULE, inputs)) is passes


def opened_at(role: str, protocol: str, port: int) -> list[str]:
    """What is said of a host of a lab that lets a port in from inside."""
    firewall = f"hook input priority filter; policy drop;\n ip saddr 10.128.0.0/9 {protocol} dport {port} accept\n"
    return said_of(only_listed_ports_open, tokens.LAB_HOST, {"firewall": firewall, "tags": {"role": role}})


@pytest.mark.parametrize(
    ("role", "protocol", "port", "listed"),
    [
        ("gateway", "udp", ports.WIREGUARD, True),
        ("gateway", "tcp", ports.WIREGUARD, False),
        ("gateway", "tcp", ports.COMETBFT_ABCI, False),
        ("gateway", "tcp", ports.COMETBFT_P2P, False),
        ("validator", "tcp", ports.COMETBFT_P2P, True),
        ("validator", "udp", ports.COMETBFT_P2P, False),
        ("validator", "tcp", ports.COMETBFT_ABCI, False),
        ("engine", "tcp", ports.COMETBFT_ABCI, True),
        ("engine", "tcp", ports.COMETBFT_P2P, False),
    ],
)
def test_a_port_is_listed_for_a_role_and_a_protocol(role: str, protocol: str, port: int, listed: bool) -> None:
    """What another role needs, or another protocol, is not let in."""
    told = [f"{protocol} {port} is open; it is not listed for {role}"]
    assert opened_at(role, protocol, port) == told * (not listed)


@pytest.mark.parametrize(
    ("first", "last", "sources", "says"),
    [
        (22, 22, "0.0.0.0/0", "tcp 22 is open to anybody; it is not listed"),
        (23, 23, "10.0.0.0/8", "tcp 23 is open; it is not listed"),
        (0, 65535, "10.0.0.0/8", "tcp 0-65535 is open; it is not listed"),
        (ports.ORDERS, ports.ORDERS, "0.0.0.0/0", ""),
        (ports.ORDERS, ports.ORDERS + 1, "0.0.0.0/0", "tcp 8443-8444 is open to anybody; it is not listed"),
        (ports.ORDERS - 1, ports.ORDERS, "0.0.0.0/0", "tcp 8442-8443 is open to anybody; it is not listed"),
    ],
)
def test_each_port_of_a_range_is_listed(first: int, last: int, sources: str, says: str) -> None:
    """One that is not makes the range a finding, which says to whom it is open."""
    inputs = {"type": "ingress", "protocol": "tcp", "fromPort": first, "toPort": last, "cidrBlocks": [sources]}
    assert said_of(only_listed_ports_open, tokens.AWS_SECURITY_GROUP_RULE, inputs) == [says] * bool(says)


def test_the_clients_side_of_a_rehearsal_needs_no_firewall() -> None:
    """A lab's host without a role stands for the world outside."""
    assert said_of(only_listed_ports_open, tokens.LAB_HOST, {}) == []
    told = ["no firewall drops what is not let in"]
    assert said_of(only_listed_ports_open, tokens.LAB_HOST, {"tags": {"role": "engine"}}) == told


@pytest.mark.parametrize(
    ("hops", "says"),
    [
        (1, ""),
        (0, "0"),
        (2, "2"),
        (None, "not declared"),
        (UNKNOWN, "not known before the deployment"),
    ],
)
def test_the_metadata_service_answers_one_hop_far(hops: object, says: str) -> None:
    """What is not declared, or not known yet, may be more."""
    options = {"httpTokens": "required", "httpPutResponseHopLimit": hops}
    told = [f"metadataOptions.httpPutResponseHopLimit is {says}, not 1"] * bool(says)
    assert said_of(metadata_service_v2, tokens.AWS_LAUNCH_TEMPLATE, {"metadataOptions": options}) == told


RIGHT = {"encrypted": True}
NO_DISK = "a disk of ebsBlockDevices is not declared encrypted"


@pytest.mark.parametrize(
    ("root", "disks", "says"),
    [
        (RIGHT, [], []),
        (RIGHT, [RIGHT, RIGHT], []),
        ({"encrypted": False}, [], ["rootBlockDevice.encrypted is False, not True"]),
        (None, [], ["rootBlockDevice.encrypted is not declared, not True"]),
        (RIGHT, [RIGHT, {}], [NO_DISK]),
        (RIGHT, [{"encrypted": False}], [NO_DISK]),
        (RIGHT, [{"encrypted": UNKNOWN}], [NO_DISK]),
    ],
)
def test_every_disk_of_an_instance_is_encrypted(root: object, disks: list[dict[str, Any]], says: list[str]) -> None:
    """The root's, and each of the others."""
    declared = {"rootBlockDevice": root, "ebsBlockDevices": disks}
    assert said_of(disks_encrypted, tokens.AWS_INSTANCE, declared) == says


@pytest.mark.parametrize(("encryption", "passes"), [("luks", True), ("a", False), ("none", False), (None, False)])
def test_a_volume_is_encrypted_with_luks_or_not_at_all(encryption: str | None, passes: bool) -> None:
    """Any other word for it is none that the boot script knows."""
    labels = {} if encryption is None else {"encryption": encryption}
    volume = Resource(urn="v", name="v", type=tokens.HCLOUD_VOLUME, inputs={"labels": labels})
    stack = Venue(resources={"v": volume}, expected=asked.unread())
    assert blamed(volumes_encrypted, stack) == ["v"] * (not passes)


@pytest.mark.parametrize(
    ("interface", "passes"),
    [
        ({"network": "venue"}, True),
        ({"subnetwork": "a"}, True),
        ({"network": UNKNOWN}, True),
        ({"network": "default"}, False),
        ({"network": "default", "subnetwork": "a"}, False),
        ({}, False),
    ],
)
def test_an_interface_without_a_network_is_in_the_default_one(interface: dict[str, Any], passes: bool) -> None:
    """A subnetwork tells the network, too."""
    assert (not said_of(default_network_unused, tokens.GCP_INSTANCE, {"networkInterfaces": [interface]})) is passes


def policy(**statement: Any) -> list[str]:
    """What is said of a policy with one statement."""
    return said_of(least_identity, tokens.AWS_IAM_POLICY, {"policy": json.dumps({"Statement": [statement]})})


@pytest.mark.parametrize(
    ("action", "says"),
    [
        ("*", ["it allows *"]),
        ("ec2:*", ["it allows ec2:*"]),
        (["s3:GetObject", "ec2:*", "*"], ["it allows ec2:*, *"]),
        ("ec2:Describe*", []),
        ("s3:GetObject", []),
    ],
)
def test_a_policy_names_its_actions(action: object, says: list[str]) -> None:
    """Every action of a service is too many; those with one beginning are not."""
    assert policy(Effect="Allow", Action=action) == says


@pytest.mark.parametrize("effect", [{"Effect": "Deny"}, {}])
def test_what_allows_nothing_may_name_everything(effect: dict[str, str]) -> None:
    """To deny every action is the least that there is."""
    assert policy(Action="*", **effect) == []


@pytest.mark.parametrize("type_", HOSTS)
@pytest.mark.parametrize(("role", "protected"), [("gateway", False), ("validator", True), ("store", True)])
def test_only_what_holds_state_need_be_protected(type_: str, role: str, protected: bool) -> None:
    """A gateway is made anew and nothing is lost."""
    key = "tags" if type_ == tokens.AWS_INSTANCE else "labels"
    assert bool(said_of(deletion_protected, type_, {key: {"role": role}})) is protected


def test_a_volume_without_a_role_is_protected() -> None:
    """Whatever is on it."""
    assert said_of(deletion_protected, tokens.HCLOUD_VOLUME, {}) == ["deleteProtection is not declared, not True"]
    assert said_of(deletion_protected, tokens.HCLOUD_VOLUME, {"deleteProtection": True}) == []


@pytest.mark.parametrize("type_", [tokens.AWS_INSTANCE, tokens.HCLOUD_SERVER])
def test_a_turn_opens_no_machine_of_another_cloud(monkeypatch: pytest.MonkeyPatch, type_: str) -> None:
    """Only Google deletes a machine to change its boot script; the others stay protected in their turn."""
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"diversite:opened": "sto"}))
    told = {"role": "validator", "site": "sto"}
    assert said_of(deletion_protected, type_, {"tags": told, "labels": told}) != []


@pytest.mark.parametrize(("downloads", "sums", "passes"), [(1, 1, True), (1, 2, True), (2, 1, False), (0, 0, True)])
def test_a_sum_more_than_downloads_does_no_harm(downloads: int, sums: int, passes: bool) -> None:
    """A download more than sums does."""
    script = "curl -O https://example.test/x\n" * downloads + f"echo {'0' * 64}\n" * sums
    assert (not said_of(releases_pinned, tokens.HCLOUD_SERVER, {"userData": script})) is passes
