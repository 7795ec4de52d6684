"""Hetzner's ground: its projects, each site's network and the public address of its gateway, the zones' backbones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.component import Component
from components.contract import FoundationArgs
from components.hcloud.account import PROVIDER, Account
from components.hcloud.gateway import Gateway
from components.hcloud.network import Backbone, Network
from components.hcloud.operators import Operators, operators
from diversite.plan import Plan, SitePlan
from diversite.underlay import joined_within, regions


@dataclass(frozen=True, kw_only=True)
class Site:
    """What the hosts of a site are made with."""

    account: Account
    network: Network
    gateway: Gateway
    backbone: Backbone | None
    """What its gateway joins beside the site's network."""


class Foundation(Component):
    """Everything that Hetzner's sites of a venue stand on."""

    def __init__(self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.operators: Operators = operators()
        planned = [site for site in args.plan.sites.values() if site.place.provider == PROVIDER]
        self._accounts = {
            account: Account(args.plan, account, self.operators, self.child())
            for account in dict.fromkeys(site.account for site in planned)
        }
        backbones = self._backbones(args.plan)
        self.sites = {site.key: self._site(args.plan, site, backbones.get(site.key)) for site in planned}
        self.endpoints: Mapping[str, pulumi.Output[str]] = {
            key: site.gateway.address.ip_address for key, site in self.sites.items()
        }
        self.register_outputs({"endpoints": self.endpoints})

    def _backbones(self, planned: Plan) -> dict[str, Backbone]:
        """By site, where the gateway has one to join."""
        found: dict[str, Backbone] = {}
        for region in regions(planned, PROVIDER):
            if sites := joined_within(planned, region):
                made = Backbone(planned, region, self._accounts[region.account].provider, self.child())
                found |= dict.fromkeys(sites, made)
        return found

    def _site(self, planned: Plan, site: SitePlan, backbone: Backbone | None) -> Site:
        account = self._accounts[site.account]
        gateway = planned.gateway(site.key)
        return Site(
            account=account,
            network=Network(planned, site, account.provider, self.child()),
            gateway=Gateway(planned, gateway, account.provider, self.operators, self.child()),
            backbone=backbone,
        )
