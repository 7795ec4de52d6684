"""Google's ground: a project for each account of the topology, with its network, its identities, and the addresses at
which gateways are reached from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.component import Component
from components.contract import FoundationArgs
from components.gcp import names
from components.gcp.identity import Identities, IdentitiesArgs
from components.gcp.network import Network, NetworkArgs
from components.gcp.provider import by, project, provider
from diversite.plan import Plan, SitePlan
from diversite.underlay import Region, region_of, regions

PROVIDER = "gcp"


@dataclass(frozen=True, kw_only=True)
class Project:
    """What there is in one project."""

    id: str
    provider: gcp.Provider
    network: Network
    identities: Identities


class Foundation(Component):
    """Everything at Google that is there before the first host."""

    def __init__(self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._plan = args.plan
        self.accounts = args.accounts
        self.projects: Mapping[str, Project] = {
            account: self._project(account, found) for account, found in _by_account(args.plan).items()
        }
        self.addresses = {
            site: self._address(args.plan.sites[site])
            for found in regions(args.plan, PROVIDER).values()
            for site in found
        }
        self.endpoints: Mapping[str, pulumi.Output[str]] = {site: it.address for site, it in self.addresses.items()}
        self.register_outputs({"endpoints": self.endpoints})

    def at(self, site: str) -> Project:
        """The project that a site stands in."""
        return self.projects[region_of(self._plan, site).account]

    def _project(self, account: str, found: Mapping[Region, tuple[str, ...]]) -> Project:
        made = provider(account, self.accounts, self)
        sites = {site for here in found.values() for site in here}
        roles = dict.fromkeys(host.role for host in self._plan.hosts.values() if host.site in sites)
        network = NetworkArgs(plan=self._plan, regions=found)
        identities = IdentitiesArgs(plan=self._plan, roles=roles)
        return Project(
            id=project(account, self.accounts),
            provider=made,
            network=Network(f"network-{account}", network, by(made, self.child())),
            identities=Identities(f"identity-{account}", identities, by(made, self.child())),
        )

    def _address(self, site: SitePlan) -> gcp.compute.Address:
        name = f"gateway-{site.key}"
        return gcp.compute.Address(
            name,
            name=names.named(self._plan, name),
            region=site.place.region,
            address_type="EXTERNAL",
            network_tier="PREMIUM",
            labels=names.labels(self._plan, site=site.key),
            opts=by(self.at(site.key).provider, self.child()),
        )


def _by_account(plan: Plan) -> Mapping[str, Mapping[Region, tuple[str, ...]]]:
    found: dict[str, dict[Region, tuple[str, ...]]] = {}
    for region, sites in regions(plan, PROVIDER).items():
        found.setdefault(region.account, {})[region] = sites
    return found
