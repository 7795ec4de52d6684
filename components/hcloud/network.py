"""Networks: one a site, and one for the gateways of a network zone whose sites are joined by its backbone.

A Hetzner network is a router: hosts send everything to its first address, and a route of the network holds for all of
it. So every site has a network of its own, whose one route leads everything that is not in it to the site's gateway.
A route may not overlap a subnet, unless it is the one to everywhere; therefore none of the venue's own ranges is named.
"""

from __future__ import annotations

import pulumi
import pulumi_hcloud as hcloud

from components.component import Component
from components.hcloud.provider import number, within
from diversite import addresses
from diversite.plan import Plan, SitePlan
from diversite.underlay import Region

EVERYWHERE = "0.0.0.0/0"


class Network(Component):
    """The private network of a site, which leads to its gateway."""

    def __init__(
        self, planned: Plan, site: SitePlan, provider: hcloud.Provider, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        name = f"network-{site.key}"
        super().__init__(name, within(opts, provider), {"site": site.key, "at": site.place.id})
        self.network = hcloud.Network(
            name,
            name=f"{planned.venue}-{site.key}",
            ip_range=str(site.network),
            delete_protection=True,
            labels={"venue": planned.venue, "site": site.key},
            opts=self.child(),
        )
        self.subnet = hcloud.NetworkSubnet(
            f"subnet-{site.key}",
            network_id=number(self.network),
            type="cloud",
            network_zone=site.place.region,
            ip_range=str(site.network),
            opts=self.child(),
        )
        self.route = hcloud.NetworkRoute(
            f"route-{site.key}",
            network_id=number(self.network),
            destination=EVERYWHERE,
            gateway=str(site.gateway_address),
            opts=self.child([self.subnet]),
        )
        self.register_outputs({"range": str(site.network)})


class Backbone(Component):
    """The network that the gateways of a zone share, and no other host: it carries the tunnels between their sites."""

    def __init__(
        self, planned: Plan, region: Region, provider: hcloud.Provider, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        name = "-".join(["backbone", region.name, *({region.account} - {region.provider})])
        super().__init__(name, within(opts, provider), {"region": region.name})
        self.network = hcloud.Network(
            name,
            name=f"{planned.venue}-{name}",
            ip_range=str(addresses.UNDERLAY_SPACE),
            delete_protection=True,
            labels={"venue": planned.venue},
            opts=self.child(),
        )
        self.subnet = hcloud.NetworkSubnet(
            f"{name}-subnet",
            network_id=number(self.network),
            type="cloud",
            network_zone=region.name,
            ip_range=str(addresses.UNDERLAY_SPACE),
            opts=self.child(),
        )
        self.register_outputs({"range": str(addresses.UNDERLAY_SPACE)})
