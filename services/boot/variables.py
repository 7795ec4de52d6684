"""`/etc/diversite/host`: what the boot's scripts must know of their host, as variables of the shell."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from diversite import addresses
from diversite.catalog import catalog
from diversite.errors import PlanError
from diversite.plan import Host, Plan
from diversite.topology import Build
from diversite.underlay import joined_within, region_of
from services import pgbackrest, wireguard
from services.boot import places
from services.service import Service


def variables(plan: Plan, host: Host, services: Sequence[Service]) -> str:
    """The lines of the file; `PlanError` where the host has no program to run."""
    site, build = plan.sites[host.site], build_of(plan, host)
    links = plan.links_at(host.site) if host.role == "gateway" else ()
    known = {
        "venue": plan.venue,
        "host": host.name,
        "role": host.role,
        "address": str(host.address),
        "provider": host.provider,
        "region": site.place.region,
        "data_disk": "yes" if host.data_gib else "no",
        "homes": " ".join(_homes(services)),
        "packages": " ".join(packages(services)),
        "masked_units": " ".join(places.MASKED_UNITS),
        "release": (host.release or "") if build else "",
        "release_address": build.address if build else "",
        "release_sha256": build.sha256 if build else "",
        "links": " ".join(f"{link.name}:{here.interface}" for link, here, _ in links),
        "mark": str(wireguard.MARK),
        "mark_hex": f"{wireguard.MARK:#x}",
        "router": str(site.network[1]),
        "backbone": str(addresses.UNDERLAY_SPACE) if _on_backbone(plan, host) else "",
        "backbone_router": str(addresses.UNDERLAY_SPACE[1]),
        "nameservers": " ".join(places.HETZNER_NAMESERVERS),
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in known.items())


def _homes(services: Sequence[Service]) -> list[str]:
    names = [service.name for service in services]
    return [*names, pgbackrest.SECRETS] if pgbackrest.NAME in names else names


def _on_backbone(plan: Plan, host: Host) -> bool:
    """Whether it is a router at Hetzner with a link over the network that its zone's routers share."""
    here = host.role == "gateway" and host.provider == "hetzner"
    return here and host.site in joined_within(plan, region_of(plan, host.site))


def build_of(plan: Plan, host: Host) -> Build | None:
    """The build that a host runs; None where its role runs Debian's packages, `PlanError` where there is none."""
    if host.role not in places.RELEASED:
        return None
    section, word = _SECTIONS[host.role]
    if host.release is None:
        raise PlanError(
            f"{section}.{host.key}: a host in a cloud needs a release, and none is named. Add one to `releases:` "
            f"(address and SHA-256), and name it: `software: {{{word}: <release>}}`, or a `release` in "
            f"`{section}`."
        )
    architecture = catalog().machine(host.provider, host.machine).architecture
    build = plan.topology.releases[host.release].build(architecture)
    if build is None:
        raise PlanError(
            f"{section}.{host.key}: {host.machine} has {architecture} processors, and release {host.release} has no "
            f"build for them. Add releases.{host.release}.{architecture} with its address and SHA-256."
        )
    return build


def packages(services: Iterable[Service]) -> list[str]:
    """The Debian packages of a host."""
    needed = {package for service in services for package in places.PACKAGES.get(service.name, ())}
    return sorted({*places.PACKAGES_EVERYWHERE, *needed})


_SECTIONS = {
    "validator": ("validators", "validator"),
    "engine": ("engines", "engine"),
    "passive": ("engines", "engine"),
    "store": ("stores", "store"),
    "queue": ("queues", "queue"),
}
"""Where a topology says what a role's hosts run, and its word in `software`."""
