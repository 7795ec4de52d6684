"""Passing and failing resources of each rule about one resource, made by the clouds' own constructors.

`EXAMPLES` maps a rule's name to the two functions that declare them; each is given a name to begin with and the
options that make it a child.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_gcp as gcp
import pulumi_hcloud as hcloud
from pulumi import ResourceOptions

from components.lab.resources import Host, HostArgs, NetworkAttachment

Declare = Callable[[str, ResourceOptions], object]


@dataclass(frozen=True)
class Example:
    """What passes a rule and what fails it."""

    passing: Declare
    failing: Declare


def tags(role: str = "validator", **more: str) -> dict[str, str]:
    """The tags of a node in AWS and the lab."""
    return {"venue": "v", "site": "a", "node": f"{role}-a", "role": role, "votingPower": "1", **more}


def labels(role: str = "validator", **more: str) -> dict[str, str]:
    """The same for Google and Hetzner, which know no capitals."""
    return {"venue": "v", "site": "a", "node": f"{role}-a", "role": role, "voting-power": "1", **more}


def with_options(options: ResourceOptions, **more: Any) -> ResourceOptions:
    """The options of a child, and others beside them."""
    return ResourceOptions.merge(options, ResourceOptions(**more))


def instance(name: str, options: ResourceOptions, role: str = "validator", **changes: Any) -> aws.ec2.Instance:
    """An AWS instance that passes every rule, but for the changes."""
    declared: dict[str, Any] = {
        "ami": "ami-0123456789abcdef0",
        "instance_type": "c7i.xlarge",
        "subnet_id": "subnet-1",
        "private_ip": "10.130.0.5",
        "associate_public_ip_address": False,
        "vpc_security_group_ids": ["sg-1"],
        "placement_group": "spread-a",
        "disable_api_termination": True,
        "metadata_options": {"http_tokens": "required", "http_put_response_hop_limit": 1},
        "root_block_device": {"encrypted": True, "volume_size": 20},
        "tags": tags(role),
    }
    return aws.ec2.Instance(name, **{**declared, **changes}, opts=_signer(options, ["ami", "userData"]))


def machine(name: str, options: ResourceOptions, role: str = "validator", **changes: Any) -> gcp.compute.Instance:
    """A Google instance that passes every rule, but for the changes."""
    declared: dict[str, Any] = {
        "zone": "europe-west2-a",
        "machine_type": "c3d-standard-4",
        "boot_disk": {"initialize_params": {"image": "debian-cloud/debian-12-bookworm-v20251111", "size": 20}},
        "network_interfaces": [{"subnetwork": "a", "network_ip": "10.130.4.5"}],
        "service_account": {"email": "validator@p.iam.gserviceaccount.com", "scopes": ["cloud-platform"]},
        "resource_policies": "spread-a",
        "deletion_protection": True,
        "labels": labels(role),
    }
    return gcp.compute.Instance(name, **{**declared, **changes}, opts=_signer(options, ["bootDisk", "metadata"]))


def server(name: str, options: ResourceOptions, role: str = "validator", **changes: Any) -> hcloud.Server:
    """A Hetzner server that passes every rule, but for the changes."""
    declared: dict[str, Any] = {
        "location": "nbg1",
        "server_type": "ccx23",
        "image": "123456789",
        "public_nets": [{"ipv4_enabled": False, "ipv6_enabled": False}],
        "networks": [{"network_id": 1, "ip": "10.130.8.5"}],
        "placement_group_id": 1,
        "delete_protection": True,
        "rebuild_protection": True,
        "labels": labels(role),
    }
    return hcloud.Server(name, **{**declared, **changes}, opts=_signer(options, ["image", "userData"]))


def _signer(options: ResourceOptions, ignored: list[str]) -> ResourceOptions:
    return with_options(options, delete_before_replace=True, ignore_changes=ignored)


def every_host(name: str, options: ResourceOptions) -> None:
    """One host of each cloud, all of them right."""
    instance(f"{name}-aws", options)
    machine(f"{name}-gcp", options)
    server(f"{name}-hcloud", options)


def volume(name: str, options: ResourceOptions, **changes: Any) -> aws.ebs.Volume:
    """An AWS disk of a validator."""
    declared = {"availability_zone": "eu-west-3a", "size": 200, "encrypted": True, "tags": tags(), **changes}
    return aws.ebs.Volume(name, **declared, opts=options)


def disks(name: str, options: ResourceOptions) -> None:
    """One disk of each cloud, all of them right."""
    kept = with_options(options, protect=True, delete_before_replace=True)
    volume(f"{name}-aws", kept)
    gcp.compute.Disk(f"{name}-gcp", zone="europe-west2-a", size=200, labels=labels(), opts=kept)
    hcloud.Volume(
        f"{name}-hcloud", size=200, location="nbg1", delete_protection=True, labels=labels(encryption="luks"), opts=kept
    )


def group(name: str, options: ResourceOptions, ingress: list[Any], role: str = "entry") -> None:
    """A security group that lets something in."""
    aws.ec2.SecurityGroup(name, vpc_id="vpc-1", ingress=ingress, tags=tags(role), opts=options)


def lab_host(name: str, options: ResourceOptions, **changes: Any) -> Host:
    """A validator of a lab."""
    declared: dict[str, Any] = {
        "world": "w",
        "name": name,
        "site": "a",
        "kind": "host",
        "networks": [NetworkAttachment(name="a", interface="lan0", address="10.130.0.9/22")],
        "firewall": "chain input {\n type filter hook input priority filter; policy drop;\n"
        " ip saddr { 10.1.2.3 } tcp dport 26656 accept\n}\n",
        "tags": tags(at="aws/eu-west-3/euw3-az1", machine="c7i.xlarge"),
    }
    return Host(name, HostArgs(**{**declared, **changes}), options)


def policy_of(*actions: str) -> str:
    """A policy document that allows something."""
    return json.dumps({"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]})


def _open_ports_passing(name: str, options: ResourceOptions) -> None:
    orders = {"protocol": "tcp", "from_port": 8443, "to_port": 8443, "cidr_blocks": ["0.0.0.0/0"]}
    pings = {"protocol": "icmp", "from_port": -1, "to_port": -1, "cidr_blocks": ["10.128.0.0/9"]}
    group(name, options, [orders, pings])
    lab_host(f"{name}-lab", options)
    aws.vpc.SecurityGroupIngressRule(
        f"{name}-rule",
        security_group_id="sg-1",
        ip_protocol="tcp",
        from_port=26656,
        to_port=26656,
        cidr_ipv4="10.130.0.5/32",
        tags=tags(),
        opts=options,
    )
    aws.ec2.SecurityGroupRule(
        f"{name}-old",
        security_group_id="sg-1",
        type="ingress",
        protocol="udp",
        from_port=51820,
        to_port=51840,
        cidr_blocks=["0.0.0.0/0"],
        opts=options,
    )
    gcp.compute.Firewall(
        f"{name}-gcp",
        network="n",
        allows=[{"protocol": "tcp", "ports": ["8080"]}, {"protocol": "icmp"}],
        source_ranges=["10.128.0.0/9"],
        opts=options,
    )
    hcloud.Firewall(
        f"{name}-hcloud",
        rules=[{"direction": "in", "protocol": "udp", "port": "51820-51830", "source_ips": ["0.0.0.0/0", "::/0"]}],
        labels=labels("gateway"),
        opts=options,
    )


def _open_ports_failing(name: str, options: ResourceOptions) -> None:
    telnet = {"protocol": "tcp", "from_port": 23, "to_port": 23, "cidr_blocks": ["10.0.0.0/8"]}
    group(f"{name}-telnet", options, [telnet])
    group(f"{name}-all", options, [{"protocol": "-1", "from_port": 0, "to_port": 0, "ipv6_cidr_blocks": ["::/0"]}])
    lab_host(f"{name}-lab", options, firewall=None)
    lab_host(f"{name}-lab-open", options, firewall="hook input priority filter; policy drop;\ntcp dport 22 accept\n")
    gossip: dict[str, Any] = {"ip_protocol": "tcp", "from_port": 26656, "to_port": 26656, "cidr_ipv4": "0.0.0.0/0"}
    aws.vpc.SecurityGroupIngressRule(f"{name}-rule", security_group_id="sg", **gossip, tags=tags(), opts=options)
    open_ssh: dict[str, Any] = {
        "type": "ingress",
        "protocol": "tcp",
        "from_port": 22,
        "to_port": 22,
        "cidr_blocks": ["0.0.0.0/0"],
    }
    aws.ec2.SecurityGroupRule(f"{name}-old", security_group_id="sg", **open_ssh, opts=options)
    desktop: Any = {"protocol": "tcp", "ports": ["3389"]}
    gcp.compute.Firewall(f"{name}-gcp", network="n", allows=[desktop], opts=options)
    rule: Any = {"direction": "in", "protocol": "tcp", "port": "any", "source_ips": ["0.0.0.0/0"]}
    hcloud.Firewall(f"{name}-hcloud", rules=[rule], labels=labels(), opts=options)


def _identity_passing(name: str, options: ResourceOptions) -> None:
    aws.iam.RolePolicy(f"{name}-role", role="r", policy=policy_of("ec2:DescribeTags"), opts=options)
    aws.iam.Policy(f"{name}-policy", policy=policy_of("s3:GetObject"), tags={"venue": "v"}, opts=options)
    read_only = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    aws.iam.RolePolicyAttachment(f"{name}-attached", role="r", policy_arn=read_only, opts=options)
    gcp.projects.IAMMember(f"{name}-gcp", project="p", member="user:x", role="roles/logging.logWriter", opts=options)
    machine(f"{name}-machine", options)


def _identity_failing(name: str, options: ResourceOptions) -> None:
    aws.iam.RolePolicy(f"{name}-role", role="r", policy=policy_of("ec2:*"), opts=options)
    aws.iam.Policy(f"{name}-policy", policy=policy_of("*"), tags={"venue": "v"}, opts=options)
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    aws.iam.RolePolicyAttachment(f"{name}-attached", role="r", policy_arn=admin, opts=options)
    gcp.projects.IAMMember(f"{name}-gcp", project="p", member="user:x", role="roles/editor", opts=options)
    gcp.projects.IAMBinding(f"{name}-bound", project="p", members=["user:x"], role="roles/owner", opts=options)
    machine(f"{name}-machine", options, service_account=None)


def _default_network_failing(name: str, options: ResourceOptions) -> None:
    everything: Any = {"protocol": "-1", "from_port": 0, "to_port": 0, "self": True}
    aws.ec2.DefaultSecurityGroup(f"{name}-group", ingress=[everything], tags={"venue": "v"}, opts=options)
    aws.ec2.DefaultVpc(f"{name}-vpc", tags={"venue": "v"}, opts=options)
    gcp.compute.Network(f"{name}-gcp", opts=options)
    instance(f"{name}-aws", options, vpc_security_group_ids=None)
    machine(f"{name}-machine", options, network_interfaces=[{"network": "default"}])
    server(f"{name}-hcloud", options, networks=None)


def _default_network_passing(name: str, options: ResourceOptions) -> None:
    every_host(name, options)
    aws.ec2.DefaultSecurityGroup(f"{name}-group", tags={"venue": "v"}, opts=options)
    gcp.compute.Network(f"{name}-net", auto_create_subnetworks=False, opts=options)


def _balancers(name: str, options: ResourceOptions, seconds: int, failures: int) -> None:
    check: Any = {"interval": seconds, "unhealthy_threshold": failures}
    aws.lb.TargetGroup(f"{name}-aws", health_check=check, tags={"venue": "v"}, opts=options)
    gcp.compute.HealthCheck(
        f"{name}-gcp",
        check_interval_sec=seconds,
        unhealthy_threshold=failures,
        tcp_health_check={"port": 1},
        opts=options,
    )
    gcp.compute.RegionHealthCheck(
        f"{name}-region",
        check_interval_sec=seconds,
        unhealthy_threshold=failures,
        tcp_health_check={"port": 1},
        opts=options,
    )
    hcloud.LoadBalancerService(
        f"{name}-hcloud",
        load_balancer_id="1",
        protocol="tcp",
        health_check={"interval": seconds, "port": 1, "protocol": "tcp", "timeout": 1, "retries": failures},
        opts=options,
    )


def _ranges(name: str, options: ResourceOptions, range_: str) -> None:
    aws.ec2.Vpc(f"{name}-vpc", cidr_block=range_, tags={"venue": "v"}, opts=options)
    aws.ec2.Subnet(f"{name}-subnet", vpc_id="v", cidr_block=range_, tags={"venue": "v"}, opts=options)
    gcp.compute.Subnetwork(f"{name}-gcp", network="n", ip_cidr_range=range_, log_config={}, opts=options)
    hcloud.Network(f"{name}-hcloud", ip_range=range_, labels={"venue": "v"}, opts=options)
    hcloud.NetworkSubnet(
        f"{name}-hcloud-subnet", network_id=1, ip_range=range_, type="cloud", network_zone="eu-central", opts=options
    )


def _snapshots(name: str, options: ResourceOptions) -> None:
    kept = with_options(options, protect=True, delete_before_replace=True)
    volume(f"{name}-aws", kept, snapshot_id="snap-1")
    gcp.compute.Disk(f"{name}-gcp", zone="europe-west2-a", snapshot="s", labels=labels(), opts=kept)
    device = {"device_name": "/dev/sdf", "snapshot_id": "snap-1", "encrypted": True}
    instance(f"{name}-host", options, ebs_block_devices=[device])
    machine(f"{name}-machine", options, boot_disk={"initialize_params": {"snapshot": "s"}})


def _unencrypted(name: str, options: ResourceOptions) -> None:
    kept = with_options(options, protect=True, delete_before_replace=True)
    volume(f"{name}-aws", kept, encrypted=None)
    instance(f"{name}-host", options, root_block_device={"volume_size": 20})


def _public(name: str, options: ResourceOptions) -> None:
    instance(f"{name}-aws", options, associate_public_ip_address=True)
    instance(f"{name}-undeclared", options, associate_public_ip_address=None)
    machine(f"{name}-gcp", options, network_interfaces=[{"subnetwork": "a", "access_configs": [{}]}])
    server(f"{name}-hcloud", options, public_nets=None)


def _private(name: str, options: ResourceOptions) -> None:
    every_host(name, options)
    instance(f"{name}-entry", options, role="entry", associate_public_ip_address=True)


def _unprotected(name: str, options: ResourceOptions) -> None:
    instance(f"{name}-aws", options, disable_api_termination=None)
    machine(f"{name}-gcp", options, role="engine", deletion_protection=False)
    server(f"{name}-hcloud", options, role="monitor", rebuild_protection=False)
    hcloud.Volume(f"{name}-volume", size=10, location="nbg1", labels=labels(), opts=options)


def _unpinned(name: str, options: ResourceOptions) -> None:
    instance(f"{name}-aws", options, ami="resolve:ssm:latest")
    machine(f"{name}-gcp", options, boot_disk={"initialize_params": {"image": "debian-cloud/debian-12"}})
    server(f"{name}-hcloud", options, image="debian-12")


def _groups(name: str, options: ResourceOptions, *, spread: bool) -> None:
    strategy = "spread" if spread else "cluster"
    aws.ec2.PlacementGroup(f"{name}-aws", strategy=strategy, tags={"venue": "v"}, opts=options)
    domains: Any = {"availability_domain_count": 8} if spread else {"vm_count": 2, "collocation": "COLLOCATED"}
    gcp.compute.ResourcePolicy(f"{name}-gcp", group_placement_policy=domains, opts=options)
    kind = "spread" if spread else "packed"
    hcloud.PlacementGroup(f"{name}-hcloud", type=kind, labels={"venue": "v"}, opts=options)


def _careless_signers(name: str, options: ResourceOptions) -> None:
    aws.ec2.Instance(f"{name}-aws", ami="ami-0123456789abcdef0", instance_type="c7i.xlarge", tags=tags(), opts=options)
    gcp.compute.Instance(
        f"{name}-gcp",
        zone="europe-west2-a",
        machine_type="c3d-standard-4",
        boot_disk={},
        network_interfaces=[{"subnetwork": "a"}],
        labels=labels(),
        opts=options,
    )
    hcloud.Server(f"{name}-hcloud", server_type="ccx23", location="nbg1", labels=labels(), opts=options)


def _careless_disks(name: str, options: ResourceOptions) -> None:
    volume(f"{name}-aws", options)
    gcp.compute.Disk(f"{name}-gcp", zone="europe-west2-a", labels=labels(), opts=options)
    hcloud.Volume(f"{name}-hcloud", size=10, location="nbg1", labels=labels(), opts=options)


def _careless_hosts_and_disks(name: str, options: ResourceOptions) -> None:
    _careless_signers(name, options)
    _careless_disks(f"{name}-disk", options)


def _tagged(name: str, options: ResourceOptions) -> None:
    every_host(name, options)
    lab_host(f"{name}-lab", options)


def _downloads(name: str, options: ResourceOptions) -> None:
    script = "curl -L https://example.test/x | sh"
    server(f"{name}-hcloud", options, user_data=script)
    instance(f"{name}-aws", options, user_data=script)
    machine(f"{name}-gcp", options, metadata={"user-data": script})
    aws.ec2.LaunchTemplate(f"{name}-template", user_data=script, tags={"venue": "v"}, opts=options)


def _huge_disks(name: str, options: ResourceOptions) -> None:
    volume(f"{name}-aws", options, size=16_000)
    gcp.compute.Disk(f"{name}-gcp", zone="europe-west2-a", size=2000, labels=labels(), opts=options)
    hcloud.Volume(f"{name}-hcloud", size=10_000, location="nbg1", labels=labels(), opts=options)
    instance(f"{name}-host", options, root_block_device={"encrypted": True, "volume_size": 2000})
    image = "debian-cloud/debian-12-bookworm-v20251111"
    machine(f"{name}-machine", options, boot_disk={"initialize_params": {"image": image, "size": 2000}})


def _known_machines(name: str, options: ResourceOptions) -> None:
    every_host(name, options)
    instance(f"{name}-account", options, tags=tags(account="second"))


def _untagged(name: str, options: ResourceOptions) -> None:
    aws.ec2.Vpc(f"{name}-vpc", cidr_block="10.1.0.0/16", opts=options)
    instance(f"{name}-aws", options, tags={"venue": "v"})
    machine(f"{name}-gcp", options, labels=None)
    hcloud.Network(f"{name}-hcloud", ip_range="10.0.0.0/8", opts=options)
    lab_host(f"{name}-lab", options, tags=None)


PINNED = f"curl -fsSLo x https://example.test/x\necho {'0' * 64} x | sha256sum -c"
BROKEN_KEY = "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----"

EXAMPLES: dict[str, Example] = {
    "spread-groups-used": Example(
        every_host,
        lambda name, options: (
            instance(f"{name}-aws", options, placement_group=None),
            machine(f"{name}-gcp", options, resource_policies=None),
            server(f"{name}-hcloud", options, placement_group_id=None),
        ),
    ),
    "spread-groups-spread": Example(
        lambda name, options: _groups(name, options, spread=True),
        lambda name, options: _groups(name, options, spread=False),
    ),
    "range-private": Example(
        lambda name, options: _ranges(name, options, "10.130.0.0/22"),
        lambda name, options: _ranges(name, options, "8.8.0.0/16"),
    ),
    "balancer-checks-fast": Example(
        lambda name, options: _balancers(name, options, 5, 2),
        lambda name, options: _balancers(name, options, 30, 3),
    ),
    "alarm-tells-somebody": Example(
        lambda name, options: _alarm(name, options, ["arn:aws:sns:eu-west-3:1:people"]),
        lambda name, options: _alarm(name, options, []),
    ),
    "no-public-address": Example(_private, _public),
    "no-public-subnet": Example(
        lambda name, options: _ranges(name, options, "10.130.0.0/22"),
        lambda name, options: aws.ec2.Subnet(
            name, vpc_id="v", cidr_block="10.1.0.0/24", map_public_ip_on_launch=True, tags={"venue": "v"}, opts=options
        ),
    ),
    "only-listed-ports-open": Example(_open_ports_passing, _open_ports_failing),
    "metadata-service-v2": Example(
        instance,
        lambda name, options: (
            instance(f"{name}-undeclared", options, metadata_options=None),
            instance(f"{name}-v1", options, metadata_options={"http_tokens": "optional"}),
            instance(
                f"{name}-far", options, metadata_options={"http_tokens": "required", "http_put_response_hop_limit": 2}
            ),
            aws.ec2.LaunchTemplate(f"{name}-template", tags={"venue": "v"}, opts=options),
        ),
    ),
    "disks-encrypted": Example(disks, _unencrypted),
    "default-network-unused": Example(_default_network_passing, _default_network_failing),
    "subnetwork-logs-flows": Example(
        lambda name, options: gcp.compute.Subnetwork(
            name, network="n", ip_cidr_range="10.1.0.0/24", log_config={"flow_sampling": 0.5}, opts=options
        ),
        lambda name, options: gcp.compute.Subnetwork(name, network="n", ip_cidr_range="10.1.0.0/24", opts=options),
    ),
    "attachments-declared": Example(
        lambda name, options: (
            aws.ec2transitgateway.TransitGateway(name, opts=options),
            aws.ec2transitgateway.TransitGateway(
                f"{name}-said", auto_accept_shared_attachments="disable", opts=options
            ),
        ),
        lambda name, options: aws.ec2transitgateway.TransitGateway(
            name, auto_accept_shared_attachments="enable", opts=options
        ),
    ),
    "least-identity": Example(_identity_passing, _identity_failing),
    "deletion-protected": Example(every_host, _unprotected),
    "state-disk-protected": Example(disks, _careless_disks),
    "image-pinned": Example(every_host, _unpinned),
    "releases-pinned": Example(
        lambda name, options: instance(name, options, user_data=PINNED),
        _downloads,
    ),
    "no-secret-in-texts": Example(
        every_host,
        lambda name, options: (
            instance(f"{name}-aws", options, user_data=BROKEN_KEY),
            machine(f"{name}-gcp", options, metadata={"user-data": "export API_TOKEN=abcdefgh1234"}),
            server(f"{name}-hcloud", options, user_data=f"PrivateKey = {'A' * 43}="),
        ),
    ),
    "signer-replaced-delete-first": Example(
        every_host,
        _careless_hosts_and_disks,
    ),
    "signer-ignores-boot-changes": Example(every_host, _careless_signers),
    "no-signer-disk-from-snapshot": Example(disks, _snapshots),
    "tagged": Example(_tagged, _untagged),
    "machine-known-and-small": Example(
        _known_machines,
        lambda name, options: (
            instance(f"{name}-unknown", options, instance_type="x99.huge"),
            machine(f"{name}-large", options, machine_type="c3-standard-22"),
            server(f"{name}-typo", options, server_type="ccx24"),
            lab_host(f"{name}-lab", options, tags=tags(at="aws/eu-west-3/euw3-az1", machine="x99.huge")),
        ),
    ),
    "disk-small": Example(disks, _huge_disks),
}


def _alarm(name: str, options: ResourceOptions, actions: list[str]) -> aws.cloudwatch.MetricAlarm:
    return aws.cloudwatch.MetricAlarm(
        name,
        comparison_operator="GreaterThanThreshold",
        evaluation_periods=1,
        alarm_actions=actions,
        tags={"venue": "v"},
        opts=options,
    )


class Group(pulumi.ComponentResource):
    """The parent of examples."""

    def __init__(self, name: str) -> None:
        super().__init__("test:index:Group", name)


def declare_all() -> None:
    """Every example, below a group of its own, so that names may repeat."""
    for rule, example in EXAMPLES.items():
        for kind, declare in (("passing", example.passing), ("failing", example.failing)):
            name = f"{rule}-{kind}"
            declare(name, ResourceOptions(parent=Group(name)))
