"""Declared resources to the same facts that the topology gives: which hosts stand where, and what joins them.

Places come from what really decides them: an AWS instance's subnet by its AZ ID, a Google instance's zone, a Hetzner
server's location; a lab has no place of its own and declares the one that it stands for in the tag `at`. Everything
else that the cloud does not know (role, site, voting power, carrier) comes from tags or labels. `of_plan` gives the
same facts from a plan; where both are equal, what is declared is what the topology says.

To read another type of host, add it to `_HOSTS`; a link of a cloud speaks through its component's registered inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, get_args

from diversite.catalog import PROVIDERS, catalog
from diversite.plan import LinkEnd, Plan
from diversite.ports import Role
from policies import tokens
from policies.declared import Resource

ROLES: tuple[str, ...] = get_args(Role)
PROVIDER_OF = {"aws": "aws", "gcp": "gcp", "hcloud": "hetzner", "lab": "lab"}
"""Provider by the package of a type token."""


@dataclass(frozen=True, kw_only=True)
class HostFact:
    """A host, as declared or as planned."""

    name: str
    role: str
    site: str
    place: str | None
    """`provider/region/zone`; None where nothing declared tells it."""
    machine: str | None
    voting_power: int
    address: str | None
    account: str
    release: str | None
    urn: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True)
class LinkFact:
    """A link, as declared or as planned."""

    name: str
    group: str
    kind: str
    carrier: str
    duct: str | None
    preference: int
    ends: frozenset[tuple[str, str]]
    """Site and address of each end."""
    one_way_us: int | None = field(default=None, compare=False)
    """What a lab's wire is told to take."""
    urn: str = field(default="", compare=False)

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that it joins, sorted."""
        return tuple(sorted(site for site, _ in self.ends))


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that placement is judged by."""

    hosts: Mapping[str, HostFact]
    links: Mapping[str, LinkFact]


def of_plan(plan: Plan) -> Facts:
    """The facts that a topology gives."""
    hosts = {
        host.name: HostFact(
            name=host.name,
            role=host.role,
            site=host.site,
            place=plan.sites[host.site].place.id,
            machine=host.machine,
            voting_power=host.voting_power,
            address=str(host.address),
            account=plan.sites[host.site].account,
            release=host.release,
        )
        for host in plan.hosts.values()
    }
    links = {
        link.name: LinkFact(
            name=link.name,
            group=link.group,
            kind=link.kind,
            carrier=link.carrier,
            duct=link.duct,
            preference=link.preference,
            ends=frozenset(map(_planned_end, (link.a, link.b))),
        )
        for link in plan.links.values()
    }
    return Facts(hosts=hosts, links=links)


def of_resources(resources: Mapping[str, Resource]) -> Facts:
    """The facts that a stack's declared resources give, by URN in `resources`."""
    hosts = [host for resource in resources.values() if (host := _host(resource, resources))]
    links = [link for resource in resources.values() if (link := _link(resource, resources))]
    return Facts(hosts={host.name: host for host in hosts}, links={link.name: link for link in links})


def tags(resource: Resource) -> Mapping[str, str]:
    """Tags or labels by key in lower case without separators; Google knows no capitals: `voting-power` there."""
    declared = resource.get("labels") if resource.type.startswith(("gcp:", "hcloud:")) else resource.get("tags")
    if not isinstance(declared, Mapping):
        return {}
    return {key(name): value for name, value in declared.items() if isinstance(value, str)}


def key(name: str) -> str:
    """A tag's name as names are compared here."""
    return name.lower().replace("-", "").replace("_", "")


def role_of(resource: Resource) -> str | None:
    """The role that a resource's tags tell; None where they tell none."""
    role = tags(resource).get("role")
    return role if role in ROLES else None


def used(resource: Resource, name: str, resources: Mapping[str, Resource], type_: str) -> Resource | None:
    """The declared resource of a type that a property's value comes from."""
    found = (resources[urn] for urn in resource.uses.get(name, ()) if urn in resources)
    return next((item for item in found if item.type == type_), None)


def place_of_zone(provider: str, zone: object) -> str | None:
    """The id of the place of an AWS AZ ID, a Google zone or a Hetzner location."""
    return _zones().get((provider, zone)) if isinstance(zone, str) else None


Resources = Mapping[str, Resource]


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """How a type of host tells what it is."""

    place: Callable[[Resource, Resources], str | None]
    machine: Callable[[Resource], Any]
    address: Callable[[Resource], Any]


def _host(resource: Resource, resources: Resources) -> HostFact | None:
    reader, told = _HOSTS.get(resource.type), tags(resource)
    if reader is None or "node" not in told or told.get("role") not in ROLES:
        return None
    address = reader.address(resource)
    power = told.get("votingpower", "0")
    return HostFact(
        name=told["node"],
        role=told["role"],
        site=_text(resource.get("site")) or told.get("site", ""),
        place=reader.place(resource, resources),
        machine=_text(reader.machine(resource)),
        voting_power=int(power) if power.isdecimal() else 0,
        address=address.partition("/")[0] if isinstance(address, str) else None,
        account=told.get("account", PROVIDER_OF[resource.type.partition(":")[0]]),
        release=told.get("release"),
        urn=resource.urn,
    )


def _link(resource: Resource, resources: Resources) -> LinkFact | None:
    if resource.type == tokens.LAB_WIRE:
        return _link_of(resource, tags(resource), [_wire_end(resource, key, resources) for key in ("a", "b")])
    if resource.type.startswith("diversite:") and resource.type.endswith(":Link") and resource.get("link"):
        told = {key: str(value) for key, value in resource.inputs.items() if isinstance(value, str | int)}
        ends = [
            (_text(resource.get(key, "site")) or "", _text(resource.get(key, "address")) or "") for key in ("a", "b")
        ]
        return _link_of(resource, told, ends)
    return None


def _link_of(resource: Resource, told: Mapping[str, str], ends: Iterable[tuple[str, str]]) -> LinkFact | None:
    if "link" not in told:
        return None
    preference = told.get("preference", "1")
    delay = resource.get("delayMicroseconds")
    return LinkFact(
        name=told["link"],
        group=told.get("group", told["link"]),
        kind=told.get("kind", ""),
        carrier=told.get("carrier", ""),
        duct=told.get("duct"),
        preference=int(preference) if preference.isdecimal() else 1,
        ends=frozenset((site, address.partition("/")[0]) for site, address in ends),
        one_way_us=delay if isinstance(delay, int) else None,
        urn=resource.urn,
    )


def _wire_end(wire: Resource, key: str, resources: Resources) -> tuple[str, str]:
    host = used(wire, key, resources, tokens.LAB_HOST)
    return (_text(host.get("site")) or "") if host else "", _text(wire.get(key, "address")) or ""


def _planned_end(end: LinkEnd) -> tuple[str, str]:
    return end.site, str(end.address.ip)


def _lab_place(resource: Resource, _resources: Resources) -> str | None:
    """Whatever the tag says; `_` stands for `/` where a label may not hold one."""
    at = tags(resource).get("at", "").replace("_", "/")
    return at or None


def _aws_place(resource: Resource, resources: Resources) -> str | None:
    subnet = used(resource, "subnetId", resources, tokens.AWS_SUBNET)
    return place_of_zone("aws", subnet.get("availabilityZoneId")) if subnet else None


def _hetzner_place(resource: Resource, _resources: Resources) -> str | None:
    centre = resource.get("datacenter")  # nbg1-dc3 is in the location nbg1
    return place_of_zone(
        "hetzner", resource.get("location") or (centre.partition("-")[0] if isinstance(centre, str) else None)
    )


_HOSTS: Mapping[str, _Reader] = {
    tokens.LAB_HOST: _Reader(
        place=_lab_place,
        machine=lambda resource: tags(resource).get("machine"),
        address=lambda resource: resource.get("networks", "address"),
    ),
    tokens.AWS_INSTANCE: _Reader(
        place=_aws_place,
        machine=lambda resource: resource.get("instanceType"),
        address=lambda resource: resource.get("privateIp"),
    ),
    tokens.GCP_INSTANCE: _Reader(
        place=lambda resource, _: place_of_zone("gcp", resource.get("zone")),
        machine=lambda resource: resource.get("machineType"),
        address=lambda resource: resource.get("networkInterfaces", "networkIp"),
    ),
    tokens.HCLOUD_SERVER: _Reader(
        place=_hetzner_place,
        machine=lambda resource: resource.get("serverType"),
        address=lambda resource: resource.get("networks", "ip"),
    ),
}
HOST_TYPES = frozenset(_HOSTS)


@cache
def _zones() -> Mapping[tuple[str, str], str]:
    places = catalog().places.values()
    return {(place.provider, place.zone): place.id for place in places if place.provider in PROVIDERS}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
