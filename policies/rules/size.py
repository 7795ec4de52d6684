"""Size: ceilings on what and how much is declared, so that a mistake cannot make a bill."""

from __future__ import annotations

from collections.abc import Iterator

from diversite.catalog import catalog
from diversite.errors import CatalogError
from policies import facts, tokens
from policies.declared import Resource
from policies.rule import Blocker, Settings, at_most, resource_rule, stack_rule
from policies.venue import Venue

DISK_PATHS = {
    tokens.AWS_EBS_VOLUME: (("size",),),
    tokens.AWS_INSTANCE: (("rootBlockDevice", "volumeSize"),),
    tokens.GCP_DISK: (("size",),),
    tokens.GCP_INSTANCE: (("bootDisk", "initializeParams", "size"),),
    tokens.HCLOUD_VOLUME: (("size",),),
}


class Size(Settings):
    """Ceilings of one resource."""

    vcpus_max: int = at_most(16)
    """Of one machine."""
    disk_gib_max: int = at_most(1000)
    """Of one disk."""


class Count(Settings):
    """Ceilings of a stack."""

    hosts_max: int = at_most(400)
    """Machines."""
    resources_max: int = at_most(10_000)
    """Everything."""


@resource_rule(
    types=facts.HOST_TYPES,
    subject="size",
    severity="medium",
    settings=Size,
    remedy="Choose a smaller machine, or add the type with its facts to diversite/catalog/machines.yaml.",
)
def machine_known_and_small(resource: Resource, settings: Size) -> Iterator[str]:
    """A machine is in the catalogue, and not larger than the ceiling.

    One wrong digit in a type is an hour of a machine fifty times the price.
    """
    host = facts.of_resources({resource.urn: resource}).hosts
    for fact in host.values():
        provider = (fact.place or "").partition("/")[0] or facts.PROVIDER_OF[resource.type.partition(":")[0]]
        try:
            vcpus = catalog().machine(provider, fact.machine or "").vcpus
        except CatalogError:
            yield f"the machine {fact.machine!r} is not in the catalogue of {provider}"
            continue
        if vcpus > settings.vcpus_max:
            yield f"the machine {fact.machine} has {vcpus} virtual processors; {settings.vcpus_max} are the most"


@resource_rule(
    types=DISK_PATHS,
    subject="size",
    severity="medium",
    settings=Size,
    remedy="Declare a smaller disk.",
)
def disk_small(resource: Resource, settings: Size) -> Iterator[str]:
    """A disk is not larger than the ceiling.

    Disks grow in a console and cannot shrink again.
    """
    for path in DISK_PATHS[resource.type]:
        size = resource.get(*path)
        if isinstance(size, int) and size > settings.disk_gib_max:
            yield f"{'.'.join(path)} is {size} GiB; {settings.disk_gib_max} are the most"


@stack_rule(
    subject="size",
    severity="medium",
    settings=Count,
    remedy="Split the venue, or find the loop that declares too much.",
)
def few_enough(venue: Venue, settings: Count) -> Iterator[Blocker]:
    """A stack has no more hosts and resources than the ceilings.

    A loop over the wrong list declares thousands before anybody reads the preview.
    """
    hosts = [resource.urn for resource in venue.of_type(*facts.HOST_TYPES)]
    if len(hosts) > settings.hosts_max:
        yield Blocker(cause=f"{len(hosts)} hosts are declared; {settings.hosts_max} are the most")
    if len(venue.resources) > settings.resources_max:
        yield Blocker(cause=f"{len(venue.resources)} resources are declared; {settings.resources_max} are the most")
