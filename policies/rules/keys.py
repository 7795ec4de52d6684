"""Keys: one signer a key, ever. Two that sign with one key break what consensus promises, and nothing mends it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from policies import facts, tokens
from policies.declared import UNKNOWN, Resource
from policies.expected import rolling
from policies.rule import Blocker, Settings, at_least, grouped, resource_rule, stack_rule
from policies.venue import Venue

SIGNER_HOSTS = (tokens.AWS_INSTANCE, tokens.GCP_INSTANCE, tokens.HCLOUD_SERVER)
DISKS = (tokens.AWS_EBS_VOLUME, tokens.GCP_DISK, tokens.HCLOUD_VOLUME)
DOUBLE_SIGN = re.compile(r"^double_sign_check_height = (\d+)", re.MULTILINE)
CONSENSUS_TABLE = re.compile(r"^\[consensus\]", re.MULTILINE)
BOOT_PROPERTIES = {
    tokens.AWS_INSTANCE: ("ami", "userData"),
    tokens.GCP_INSTANCE: ("bootDisk", "metadata"),
    tokens.HCLOUD_SERVER: ("image", "userData"),
}
"""What a validator ignores in `up`; `diversite rollout` takes it site by site."""


class Keys(Settings):
    """Bounds of signing."""

    double_sign_check_blocks_min: int = at_least(10)
    """How far a signer without a past looks back for its own signature."""


def is_signer(resource: Resource) -> bool:
    """Whether it belongs to a validator."""
    return facts.role_of(resource) == "validator"


@stack_rule(
    subject="keys",
    severity="critical",
    settings=Settings,
    remedy="Give each validator keys of its own, made on its own host.",
)
def one_signer_a_key(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """A consensus key is in one running signer only.

    Two signers with one key sign two blocks of one height: the venue forks, or the validator is thrown out.
    """
    yield from _shared_keys(venue)
    yield from _shared_disks(venue)
    processes: dict[str, list[str]] = defaultdict(list)
    for service in venue.of_type(tokens.LAB_SERVICE):
        if is_signer(service):
            processes[facts.tags(service)["node"]].append(service.urn)
    for node, urns in processes.items():
        if len(urns) > 1:
            yield Blocker(cause=f"{len(urns)} signers run on {node}", urns=tuple(urns))


def _shared_keys(venue: Venue) -> Iterator[Blocker]:
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for keys in venue.of_type(tokens.LAB_KEYS):
        found[(*keys.uses.get("host", ()), str(keys.get("path")))].append(keys.urn)
    for where, urns in found.items():
        if len(urns) > 1:
            yield Blocker(cause=f"{len(urns)} keys are made at {where[-1]} of one host", urns=tuple(urns))


def _shared_disks(venue: Venue) -> Iterator[Blocker]:
    """Two validators that say the same node, or hosts of one validator."""
    nodes: dict[str, list[str]] = defaultdict(list)
    for host in venue.of_type(*facts.HOST_TYPES):
        if is_signer(host):
            nodes[facts.tags(host).get("node", "")].append(host.urn)
    for node, urns in nodes.items():
        if len(urns) > 1:
            yield Blocker(cause=f"{len(urns)} hosts are the validator {node}", urns=tuple(urns))


@stack_rule(
    subject="keys",
    severity="critical",
    settings=Keys,
    remedy="Let services.cometbft render the validators' configuration.",
)
def double_sign_check(venue: Venue, settings: Keys) -> Iterator[Blocker]:
    """Every validator looks for its own signature before it signs.

    A signer that comes back with an old disk would otherwise repeat a height. Where its configuration is not known
    yet, the next preview judges it.
    """
    yield from grouped(
        (f"double_sign_check_height is {blocks}; {settings.double_sign_check_blocks_min} is the least", host.urn)
        for host in venue.hosts("validator")
        for text in venue.texts(host.name)
        if CONSENSUS_TABLE.search(text)
        and (blocks := int(found[1]) if (found := DOUBLE_SIGN.search(text)) else 0)
        < settings.double_sign_check_blocks_min
    )


@resource_rule(
    types=(*SIGNER_HOSTS, *DISKS),
    subject="keys",
    severity="critical",
    settings=Settings,
    remedy="Give it ResourceOptions(delete_before_replace=True).",
)
def signer_replaced_delete_first(resource: Resource, _settings: Settings) -> Iterator[str]:
    """A signer is deleted before it is replaced, never created beside itself.

    While both run they may sign the same height.
    """
    if is_signer(resource) and not resource.delete_before_replace:
        yield "the option delete_before_replace is not set"


@resource_rule(
    types=SIGNER_HOSTS,
    subject="keys",
    severity="high",
    settings=Settings,
    remedy="Give it ResourceOptions(ignore_changes=[…]) with these properties, and change them with diversite rollout.",
)
def signer_ignores_boot_changes(resource: Resource, _settings: Settings) -> Iterator[str]:
    """A validator ignores changes of its image and boot script in `up`.

    An edit would replace every validator at once, which is the loss of all of them. `diversite rollout` lets the
    validators of one site take it (`diversite:rolling`).
    """
    missing = [path for path in BOOT_PROPERTIES[resource.type] if path not in resource.ignore_changes]
    if is_signer(resource) and missing and not _is_rolled(resource):
        yield f"changes of {', '.join(missing)} are not ignored"


def _is_rolled(resource: Resource) -> bool:
    site = facts.tags(resource).get("site")
    return site is not None and site == rolling()


@resource_rule(
    types=(tokens.AWS_INSTANCE, tokens.GCP_INSTANCE, tokens.AWS_EBS_VOLUME, tokens.GCP_DISK),
    subject="keys",
    severity="critical",
    settings=Settings,
    remedy="Begin with an empty disk and let the validator catch up from the others.",
)
def no_signer_disk_from_snapshot(resource: Resource, _settings: Settings) -> Iterator[str]:
    """No validator's disk comes from a snapshot.

    The sign state in it is old: the validator would sign heights again that it signed since. Hetzner has snapshots of
    servers only, which are images, and no validator keeps its sign state on its boot disk there.
    """
    if not is_signer(resource):
        return
    for path in ("snapshotId", "snapshot", "sourceDisk", "sourceSnapshot"):
        if resource.get(path) not in (None, ""):
            yield f"{path} is declared" if resource.get(path) is not UNKNOWN else f"{path} is unknown, and declared"
    for disk in (*resource.items("ebsBlockDevices"), *resource.items("rootBlockDevice")):
        if disk.get("snapshotId") is not None:
            yield "a disk of the instance has a snapshotId"
    if resource.get("bootDisk", "initializeParams", "snapshot") is not None:
        yield "the boot disk has a snapshot"
