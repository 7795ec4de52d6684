"""Security: nothing is public, open, readable or allowed that need not be, on all three clouds alike."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from diversite import ports
from diversite.ports import FLOWS, Flow
from diversite.topology import SITES_MAX
from policies import boot, facts, tokens
from policies.declared import UNKNOWN, Resource, walk
from policies.expected import opened
from policies.rule import Blocker, Settings, grouped, resource_rule, stack_rule
from policies.rules.packets import Opening, openings
from policies.venue import Venue

HOSTS = (tokens.AWS_INSTANCE, tokens.GCP_INSTANCE, tokens.HCLOUD_SERVER)
FIREWALLS = (
    tokens.LAB_HOST,
    tokens.AWS_SECURITY_GROUP,
    tokens.AWS_SECURITY_GROUP_RULE,
    tokens.AWS_VPC_SECURITY_GROUP_INGRESS_RULE,
    tokens.GCP_FIREWALL,
    tokens.HCLOUD_FIREWALL,
)
WIREGUARD_PORTS = range(ports.WIREGUARD, ports.WIREGUARD + 2 * SITES_MAX)
"""A gateway's tunnels listen on ports of their own."""
ANYWHERE = frozenset({"0.0.0.0/0", "::/0"})
PUBLIC_ROLES = frozenset({"gateway", "entry"})
"""Tunnels between providers end at gateways, clients come to entrances; nothing else has a public address."""
STATEFUL_ROLES = frozenset({"validator", "engine", "monitor", "store", "queue", "passive"})

SECRETS = {
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "an AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a WireGuard key": r"(?i)(?:private|preshared)[_-]?key\s*[=:]\s*[\"']?[A-Za-z0-9+/]{43}=",
    "a Google service account's key": r'"private_key(?:_id)?"\s*:\s*"',
    "a validator's key": r"tendermint/PrivKeyEd25519",
    "a password": r"(?im)^\s*(?:export\s+)?\w*(?:password|passwd|secret_key|api_token)\s*[=:]\s*[\"']?[^\s\"'${]{8,}",
}
"""Texts that look like keys; a rule cannot see whether a value is secret."""
DOWNLOAD = re.compile(r"\b(?:curl|wget)\b[^\n]*https?://", re.IGNORECASE)
SHA256 = re.compile(r"\b[0-9a-f]{64}\b")
MANAGED_ADMIN = re.compile(r"policy/(?:AdministratorAccess|PowerUserAccess|IAMFullAccess)$")
WILDCARD = re.compile(r"(?:.*:)?\*")
"""Every action, or every action of a service."""
BASIC_ROLES = frozenset({"roles/owner", "roles/editor", "roles/viewer"})
HOP_LIMIT = 1
"""Network hops that an answer of the metadata service may take; one keeps containers and proxies out."""
DROPS = "hook input priority filter; policy drop"
"""Of an nftables ruleset: what no rule accepts is dropped."""


def shown(value: object) -> str:
    """A declared value in words."""
    words = "not known before the deployment" if value is UNKNOWN else repr(value)
    return "not declared" if value is None else words


@resource_rule(
    types=HOSTS,
    subject="security",
    severity="critical",
    settings=Settings,
    remedy="Declare that it has none (AWS associate_public_ip_address, Google no access_configs, Hetzner public_nets), "
    "and let it out through its gateway.",
    benchmarks=("FSBP EC2.9", "checkov CKV_AWS_88", "checkov CKV_GCP_40", "CIS GCP 4.9"),
)
def no_public_address(resource: Resource, _settings: Settings) -> Iterator[str]:
    """Only gateways and entrances have a public address.

    A validator that can be reached from anywhere can be attacked from anywhere. A cloud's default may be public, so
    what is not declared is a finding.
    """
    if facts.role_of(resource) in PUBLIC_ROLES:
        return
    if resource.type == tokens.AWS_INSTANCE:
        value = resource.get("associatePublicIpAddress")
        if value is not False:
            yield f"associatePublicIpAddress is {shown(value)}, not False"
    elif resource.type == tokens.GCP_INSTANCE:
        if any(
            item.get("accessConfigs") or item.get("ipv6AccessConfigs") for item in resource.items("networkInterfaces")
        ):
            yield "a network interface has access configurations"
    else:
        for family in ("ipv4Enabled", "ipv6Enabled"):
            value = resource.get("publicNets", family)
            if value is not False:
                yield f"publicNets.{family} is {shown(value)}, not False"


@resource_rule(
    types=(tokens.AWS_SUBNET,),
    subject="security",
    severity="high",
    settings=Settings,
    remedy="Leave map_public_ip_on_launch off.",
    benchmarks=("FSBP EC2.15", "checkov CKV_AWS_130"),
)
def no_public_subnet(resource: Resource, _settings: Settings) -> Iterator[str]:
    """No subnet gives public addresses away.

    The next host in it would have one that nobody asked for.
    """
    if resource.get("mapPublicIpOnLaunch") not in (None, False):
        yield f"mapPublicIpOnLaunch is {shown(resource.get('mapPublicIpOnLaunch'))}"


@resource_rule(
    types=FIREWALLS,
    subject="security",
    severity="critical",
    settings=Settings,
    remedy="Make firewalls from diversite.ports.FLOWS; a new port is added there, with its purpose.",
    benchmarks=(
        "Security Hub EC2.13",
        "Security Hub EC2.14",
        "FSBP EC2.18",
        "FSBP EC2.19",
        "CIS AWS 5.2",
        "CIS AWS 5.3",
        "checkov CKV_AWS_24",
        "checkov CKV_AWS_25",
        "checkov CKV_AWS_260",
        "checkov CKV_GCP_2",
        "checkov CKV_GCP_3",
        "CIS GCP 3.6",
        "CIS GCP 3.7",
    ),
)
def only_listed_ports_open(resource: Resource, _settings: Settings) -> Iterator[str]:
    """Nothing is open that `diversite/ports.py` does not list, and to anybody only what it lists as public.

    The list is what was thought about. An unknown source counts as anybody.
    """
    role = facts.role_of(resource)
    if resource.type == tokens.LAB_HOST and role is None:
        return  # the clients' side of a rehearsal
    if resource.type == tokens.LAB_HOST and DROPS not in str(resource.get("firewall")):
        yield "no firewall drops what is not let in"
    for opening in openings(resource):
        if problem := _unlisted(opening, role):
            yield problem


def _unlisted(opening: Opening, role: str | None) -> str:
    if opening.protocol == "icmp":
        return ""
    listed = [flow for flow in FLOWS if role is None or flow.target == role]
    public = [flow for flow in listed if flow.scope == "public"]
    wanted = public if opening.to_anybody else listed
    if all(_is_listed(opening.protocol, port, wanted) for port in range(opening.first, opening.last + 1)):
        return ""
    to_whom, of_whom = " to anybody" * opening.to_anybody, f" for {role}" if role else ""
    return f"{opening} is open{to_whom}; it is not listed{of_whom}"


def _is_listed(protocol: str, port: int, flows: Iterable[Flow]) -> bool:
    return any(
        flow.protocol == protocol and (port in WIREGUARD_PORTS if flow.port == ports.WIREGUARD else port == flow.port)
        for flow in flows
    )


@resource_rule(
    types=(tokens.AWS_INSTANCE, tokens.AWS_LAUNCH_TEMPLATE),
    subject="security",
    severity="high",
    settings=Settings,
    remedy="Declare metadata_options with http_tokens required and http_put_response_hop_limit 1.",
    benchmarks=("FSBP EC2.8", "FSBP EC2.170", "CIS AWS 5.6", "checkov CKV_AWS_79", "checkov CKV_AWS_341"),
)
def metadata_service_v2(resource: Resource, _settings: Settings) -> Iterator[str]:
    """The metadata service wants a token, and answers one hop far.

    Version 1 hands the host's credentials to whoever makes a program of it fetch an address.
    """
    tokens_wanted = resource.get("metadataOptions", "httpTokens")
    if tokens_wanted != "required":
        yield f"metadataOptions.httpTokens is {shown(tokens_wanted)}, not 'required'"
    hops = resource.get("metadataOptions", "httpPutResponseHopLimit")
    if hops != HOP_LIMIT:
        yield f"metadataOptions.httpPutResponseHopLimit is {shown(hops)}, not {HOP_LIMIT}"


@resource_rule(
    types=(tokens.AWS_INSTANCE, tokens.AWS_EBS_VOLUME),
    subject="security",
    severity="high",
    settings=Settings,
    remedy="AWS: encrypted=True on each disk. Google encrypts every disk, Hetzner none.",
    benchmarks=("FSBP EC2.3", "checkov CKV_AWS_3", "checkov CKV_AWS_8"),
)
def disks_encrypted(resource: Resource, _settings: Settings) -> Iterator[str]:
    """Every disk is encrypted.

    Sign states and books outlive the machine on a disk that is given back.
    """
    if resource.type == tokens.AWS_EBS_VOLUME:
        if resource.get("encrypted") is not True:
            yield f"encrypted is {shown(resource.get('encrypted'))}, not True"
    else:
        yield from _instance_disks(resource)


def _instance_disks(resource: Resource) -> Iterator[str]:
    root = resource.get("rootBlockDevice", "encrypted")
    if root is not True:
        yield f"rootBlockDevice.encrypted is {shown(root)}, not True"
    if any(disk.get("encrypted") is not True for disk in resource.items("ebsBlockDevices")):
        yield "a disk of ebsBlockDevices is not declared encrypted"


@stack_rule(
    subject="security",
    severity="medium",
    settings=Settings,
    mandatory=False,
    remedy="Keep the consensus key with a signer elsewhere, or encrypt the volume with a key that you hand to its host "
    "at each boot, and label it encryption=luks.",
)
def volumes_encrypted(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """Hetzner's volumes are encrypted.

    Hetzner encrypts none, and has nowhere to keep a key apart from the volume for a host that boots without a person.
    Whoever gets at the volume reads the sign state and the keys on it.
    """
    yield from grouped(
        ("the volume is not encrypted", volume.urn)
        for volume in venue.of_type(tokens.HCLOUD_VOLUME)
        if facts.tags(volume).get("encryption") != "luks"
    )


@resource_rule(
    types=(tokens.AWS_DEFAULT_SECURITY_GROUP, tokens.AWS_DEFAULT_VPC, tokens.GCP_NETWORK, *HOSTS),
    subject="security",
    severity="high",
    settings=Settings,
    remedy="Use the site's own network and groups: AWS vpc_security_group_ids, Google a network with "
    "auto_create_subnetworks off, Hetzner networks.",
    benchmarks=(
        "FSBP EC2.2",
        "CIS AWS 5.4",
        "checkov CKV2_AWS_12",
        "checkov CKV_AWS_148",
        "checkov CKV_GCP_27",
        "CIS GCP 3.1",
    ),
)
def default_network_unused(resource: Resource, _settings: Settings) -> Iterator[str]:
    """Default networks and security groups are neither used nor open.

    They let in what nobody listed.
    """
    if resource.type == tokens.AWS_DEFAULT_SECURITY_GROUP:
        if resource.get("ingress") or resource.get("egress"):
            yield "the default security group has rules"
    elif resource.type == tokens.AWS_DEFAULT_VPC:
        yield "the default network is adopted"
    elif resource.type == tokens.GCP_NETWORK:
        if resource.get("autoCreateSubnetworks") is not False:
            yield f"autoCreateSubnetworks is {shown(resource.get('autoCreateSubnetworks'))}, not False"
    else:
        yield from _default_network_of(resource)


def _default_network_of(resource: Resource) -> Iterator[str]:
    if resource.type == tokens.AWS_INSTANCE and resource.get("vpcSecurityGroupIds") in (None, []):
        yield "vpcSecurityGroupIds is not declared, so the default group applies"
    if resource.type == tokens.GCP_INSTANCE:
        for item in resource.items("networkInterfaces"):
            network = item.get("network")
            if network == "default" or (network is None and item.get("subnetwork") is None):
                yield "a network interface is in the default network"
    if resource.type == tokens.HCLOUD_SERVER and resource.get("networks") in (None, []):
        yield "networks is not declared, so it has no private network"


@resource_rule(
    types=(tokens.AWS_EC2TRANSITGATEWAY_TRANSIT_GATEWAY,),
    subject="security",
    severity="high",
    settings=Settings,
    remedy='Declare auto_accept_shared_attachments="disable", and each attachment.',
    benchmarks=("FSBP EC2.23",),
)
def attachments_declared(resource: Resource, _settings: Settings) -> Iterator[str]:
    """No transit gateway lets another account's network in by itself.

    What is attached reaches every gateway of the venue.
    """
    accepts = resource.get("autoAcceptSharedAttachments")
    if accepts not in (None, "disable"):
        yield f"autoAcceptSharedAttachments is {shown(accepts)}, not 'disable'"


@resource_rule(
    types=(tokens.GCP_SUBNETWORK,),
    subject="security",
    severity="medium",
    settings=Settings,
    remedy="Declare a log_config.",
    benchmarks=("CIS GCP 3.8", "checkov CKV_GCP_26"),
)
def subnetwork_logs_flows(resource: Resource, _settings: Settings) -> Iterator[str]:
    """Every Google subnetwork logs its flows.

    After an incident they are what is left to look at.
    """
    if resource.get("logConfig") is None:
        yield "logConfig is not declared"


@stack_rule(
    subject="security",
    severity="medium",
    settings=Settings,
    remedy="Declare a FlowLog of each VPC, with traffic_type ALL or REJECT.",
    benchmarks=("FSBP EC2.6", "CIS AWS 3.7", "checkov CKV2_AWS_11"),
)
def flow_logs(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """Every AWS network logs its flows.

    After an incident they are what is left to look at.
    """
    logged = {urn for log in venue.of_type(tokens.AWS_FLOW_LOG) for urn in log.uses.get("vpcId", ())}
    named = {log.get("vpcId") for log in venue.of_type(tokens.AWS_FLOW_LOG)}
    yield from grouped(
        ("no FlowLog is declared for it", vpc.urn)
        for vpc in venue.of_type(tokens.AWS_VPC)
        if vpc.urn not in logged and vpc.name not in named
    )


@resource_rule(
    types=(
        tokens.AWS_IAM_POLICY,
        tokens.AWS_IAM_ROLE_POLICY,
        tokens.AWS_IAM_ROLE_POLICY_ATTACHMENT,
        tokens.GCP_PROJECTS_IAM_MEMBER,
        tokens.GCP_PROJECTS_IAM_BINDING,
        tokens.GCP_INSTANCE,
    ),
    subject="security",
    severity="high",
    settings=Settings,
    remedy="Name the actions and the resources that it needs; give a Google instance a service account of its own.",
    benchmarks=(
        "FSBP IAM.1",
        "FSBP IAM.21",
        "CIS AWS 1.16",
        "checkov CKV_AWS_62",
        "checkov CKV_AWS_63",
        "checkov CKV_AWS_274",
        "checkov CKV_GCP_30",
        "checkov CKV_GCP_31",
        "checkov CKV_GCP_117",
        "CIS GCP 4.1",
        "CIS GCP 4.2",
    ),
)
def least_identity(resource: Resource, _settings: Settings) -> Iterator[str]:
    """What a host may do is the least that it needs.

    Whoever takes one host over otherwise takes the account.
    """
    if resource.type in (tokens.AWS_IAM_POLICY, tokens.AWS_IAM_ROLE_POLICY):
        yield from _wildcards(resource.get("policy"))
    elif resource.type == tokens.AWS_IAM_ROLE_POLICY_ATTACHMENT:
        arn = resource.get("policyArn")
        if isinstance(arn, str) and MANAGED_ADMIN.search(arn):
            yield f"it attaches {arn.rpartition('/')[2]}"
    elif resource.type == tokens.GCP_INSTANCE:
        email = resource.get("serviceAccount", "email")
        if email is None or (isinstance(email, str) and email.endswith("-compute@developer.gserviceaccount.com")):
            yield "it runs as the project's default service account"
    elif resource.get("role") in BASIC_ROLES:
        yield f"it grants the basic role {resource.get('role')}"


def _wildcards(policy: Any) -> Iterator[str]:
    if policy is UNKNOWN:
        return  # it names resources that do not exist yet; the next preview knows them
    document = json.loads(policy) if isinstance(policy, str) else policy
    statements = document.get("Statement", []) if isinstance(document, Mapping) else []
    for statement in statements if isinstance(statements, list) else [statements]:
        actions = statement.get("Action", [])
        wild = [it for it in (actions if isinstance(actions, list) else [actions]) if WILDCARD.fullmatch(it)]
        if statement.get("Effect") == "Allow" and wild:
            yield f"it allows {', '.join(wild)}"


@resource_rule(
    types=(*HOSTS, tokens.HCLOUD_VOLUME),
    subject="security",
    severity="high",
    settings=Settings,
    remedy="Declare AWS disable_api_termination, Google deletion_protection, Hetzner delete_protection (of a server "
    "with rebuild_protection).",
)
def deletion_protected(resource: Resource, _settings: Settings) -> Iterator[str]:
    """What holds state or keys cannot be deleted by a slip in the console.

    A quorum of disks deleted together is an order book lost. A rollout opens one site's hosts for its turn
    (`diversite:opened`).
    """
    if resource.type in HOSTS and facts.role_of(resource) not in STATEFUL_ROLES:
        return
    if resource.type == tokens.GCP_INSTANCE and (site := facts.tags(resource).get("site")) and site == opened():
        return
    paths = {
        tokens.AWS_INSTANCE: ("disableApiTermination",),
        tokens.GCP_INSTANCE: ("deletionProtection",),
        tokens.HCLOUD_SERVER: ("deleteProtection", "rebuildProtection"),
        tokens.HCLOUD_VOLUME: ("deleteProtection",),
    }
    for path in paths[resource.type]:
        if resource.get(path) is not True:
            yield f"{path} is {shown(resource.get(path))}, not True"


@resource_rule(
    types=(tokens.AWS_EBS_VOLUME, tokens.GCP_DISK, tokens.HCLOUD_VOLUME),
    subject="security",
    severity="high",
    settings=Settings,
    remedy="Give it ResourceOptions(protect=True).",
)
def state_disk_protected(resource: Resource, _settings: Settings) -> Iterator[str]:
    """A disk that holds state or keys is protected from deletion by Pulumi.

    A renamed component would delete it and make an empty one.
    """
    if facts.role_of(resource) in STATEFUL_ROLES and not resource.protect:
        yield "the option protect is not set"


@resource_rule(
    types=HOSTS,
    subject="security",
    severity="high",
    settings=Settings,
    remedy="Name one image: an AWS ami id, a Google image by name and not by family, a Hetzner snapshot by number.",
)
def image_pinned(resource: Resource, _settings: Settings) -> Iterator[str]:
    """A host's image is pinned.

    A family or an alias means something else tomorrow, and every new host differs from the old ones.
    """
    if resource.type == tokens.AWS_INSTANCE:
        image, pinned = resource.get("ami"), r"ami-[0-9a-f]{8,17}"
    elif resource.type == tokens.GCP_INSTANCE:
        image, pinned = resource.get("bootDisk", "initializeParams", "image"), r"(?!.*\bfamily/)[\w./:-]*-v\d{8}"
    else:
        image, pinned = resource.get("image"), r"\d+"
    if image is UNKNOWN:
        return  # made by this program, or the boot disk's own
    if not re.fullmatch(pinned, str(image)):
        yield f"the image {shown(image)} is not pinned"


@resource_rule(
    types=(*HOSTS, tokens.AWS_LAUNCH_TEMPLATE),
    subject="security",
    severity="high",
    settings=Settings,
    remedy="Write the SHA-256 beside each download, and check it before anything runs.",
)
def releases_pinned(resource: Resource, _settings: Settings) -> Iterator[str]:
    """Every download of a boot script has its SHA-256 beside it.

    What is fetched without one runs whatever the server, or somebody before it, sends today.
    """
    scripts = ("userData", "userDataBase64", "metadata", "metadataStartupScript")
    for path, declared in walk({key: resource.get(key) for key in scripts}):
        text = boot.readable(declared)
        downloads, hashes = len(DOWNLOAD.findall(text)), len(SHA256.findall(text))
        if downloads > hashes:
            yield f"{path} downloads {downloads} files and has {hashes} SHA-256 sums"


@resource_rule(
    types=(),
    subject="security",
    severity="critical",
    settings=Settings,
    remedy="Make it on the host, or pass it as a secret resource of its own; then replace it: it has been seen.",
    benchmarks=("checkov CKV_AWS_46", "CIS AWS 1.18"),
)
def no_secret_in_texts(resource: Resource, _settings: Settings) -> Iterator[str]:
    """No property holds text that looks like a key.

    Boot scripts, tags and plain state are read by many. A rule cannot see whether a value is secret, so only texts
    that look like keys are found.
    """
    for path, declared in walk(resource.inputs):
        text = boot.readable(declared)
        for what, pattern in SECRETS.items():
            if re.search(pattern, text):
                yield f"{path} holds what looks like {what}"
