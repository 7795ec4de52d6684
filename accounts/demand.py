"""What a plan wants of each account: pure arithmetic over the plan, before anybody is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from diversite import underlay
from diversite.catalog import Place, catalog
from diversite.plan import Host, Plan
from diversite.ports import Role


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a plan wants of one account."""

    plan: Plan
    provider: str
    account: str
    """As the topology calls it."""
    hosts: tuple[Host, ...]
    founded: frozenset[str] = frozenset()
    """Regions in which the venue stands already, so that what is made once a region is there."""

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """The regions of its sites, in the topology's order."""
        return tuple(dict.fromkeys(self.place(host).region for host in self.hosts))

    @cached_property
    def machines(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """By region and zone, the machine types that stand there."""
        found: dict[tuple[str, str], dict[str, None]] = {}
        for host in self.hosts:
            place = self.place(host)
            found.setdefault((place.region, place.zone), {})[host.machine] = None
        return {zone: tuple(machines) for zone, machines in found.items()}

    @cached_property
    def architectures(self) -> Mapping[str, tuple[str, ...]]:
        """By region, the processor architectures that need an image: x86_64, arm64."""
        return {
            region: tuple(sorted({catalog().machine(self.provider, host.machine).architecture for host in hosts}))
            for region in self.regions
            if (hosts := self.at(region))
        }

    def place(self, host: Host) -> Place:
        """Where a host is to stand."""
        return self.plan.sites[host.site].place

    def at(self, region: str, *roles: Role) -> tuple[Host, ...]:
        """The hosts in a region, of some roles where they are given."""
        return tuple(
            host for host in self.hosts if self.place(host).region == region and (not roles or host.role in roles)
        )

    def vcpus(self, region: str) -> Counter[str]:
        """The virtual processors of a region's hosts, by machine type."""
        count: Counter[str] = Counter()
        for host in self.at(region):
            count[host.machine] += catalog().machine(self.provider, host.machine).vcpus
        return count

    def is_routed(self, region: str) -> bool:
        """Whether the provider, or two together, make a private path between the region and another."""
        here = self._region(region)
        return any(here in (path.a, path.b) for path in underlay.underlays(self.plan))

    def is_joined_within(self, region: str) -> bool:
        """Whether gateways of the region speak to each other over its own network, and the venue is not there yet."""
        return region not in self.founded and bool(underlay.joined_within(self.plan, self._region(region)))

    def image(self, region: str, architecture: str) -> str | None:
        """The image that the topology pins: that of the region, else that of the provider."""
        images: Mapping[str, Any] = getattr(self.plan.topology, "images", {})
        pinned = images.get(f"{self.provider}/{region}") or images.get(self.provider)
        return getattr(pinned, architecture, None)

    def besides(self, there: Collection[str], founded: Collection[str]) -> Demand:
        """What is still wanted, where these hosts are there and the venue stands in these regions."""
        left = tuple(host for host in self.hosts if host.name not in there)
        return replace(self, hosts=left, founded=frozenset(founded))

    def _region(self, name: str) -> underlay.Region:
        return underlay.Region(provider=self.provider, name=name, account=self.account)


def demands(plan: Plan) -> tuple[Demand, ...]:
    """What a plan wants, by account, in the topology's order."""
    found: dict[tuple[str, str], list[Host]] = {}
    for site in plan.sites.values():
        found.setdefault((site.place.provider, site.account), []).extend(plan.at_site(site.key))
    return tuple(
        Demand(plan=plan, provider=provider, account=account, hosts=tuple(hosts))
        for (provider, account), hosts in found.items()
    )
