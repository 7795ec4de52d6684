"""What a venue has once in each Hetzner project: the provider object, operators' keys, spread groups.

A spread group keeps its servers on different machines, ten at the most. The judge counts that many hosts of a place as
standing apart, in the plan's order, and the others as anywhere; so the first group of a place holds those.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import pulumi
import pulumi_hcloud as hcloud

from components.component import Component
from components.hcloud.operators import Operators
from components.hcloud.provider import provider
from diversite.domains import SPREAD_GROUP_MAX
from diversite.plan import Host, Plan

PROVIDER = "hetzner"


class Account(Component):
    """A Hetzner project of the venue."""

    def __init__(
        self, planned: Plan, account: str, operators: Operators, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(f"account-{account}", opts, {"account": account})
        self.provider = provider(account, self.child())
        self._labels = {"venue": planned.venue}
        self._inside = pulumi.ResourceOptions.merge(self.child(), pulumi.ResourceOptions(provider=self.provider))
        self.ssh_keys = [self._ssh_key(planned, account, name, key) for name, key in operators.keys.items()]
        self.spread: dict[str, hcloud.PlacementGroup] = {}
        for name, hosts in _groups(planned, account):
            self.spread |= dict.fromkeys((host.name for host in hosts), self._spread(planned, name))
        self.register_outputs({})

    def _ssh_key(self, planned: Plan, account: str, name: str, key: str) -> hcloud.SshKey:
        return hcloud.SshKey(
            f"operator-{account}-{name}",
            name=f"{planned.venue}-{name}",
            public_key=key,
            labels=self._labels,
            opts=self._inside,
        )

    def _spread(self, planned: Plan, name: str) -> hcloud.PlacementGroup:
        return hcloud.PlacementGroup(
            f"spread-{name}", name=f"{planned.venue}-{name}", type="spread", labels=self._labels, opts=self._inside
        )


def _groups(planned: Plan, account: str) -> Iterator[tuple[str, Sequence[Host]]]:
    """The hosts of each spread group of an account, by the group's name; a place's second group ends in `-2`."""
    for place, hosts in _by_zone(planned, account).items():
        most = SPREAD_GROUP_MAX[PROVIDER]
        for number, first in enumerate(range(0, len(hosts), most), start=1):
            name = f"{account}-{place}" if number == 1 else f"{account}-{place}-{number}"
            yield name, hosts[first : first + most]


def _by_zone(planned: Plan, account: str) -> Mapping[str, list[Host]]:
    found: dict[str, list[Host]] = defaultdict(list)
    for host in planned.hosts.values():
        site = planned.sites[host.site]
        if (site.place.provider, site.account) == (PROVIDER, account):
            found[site.place.zone].append(host)
    return found
