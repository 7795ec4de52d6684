"""A project's network: one for all regions, a subnetwork for each site, and the ways out of it.

Google's network joins every two of its subnetworks by itself, and no route of ours can stand before those ways. So two
sites of one project reach each other directly, as two sites of one AWS region do; everything else that a host sends to
the venue goes to its site's gateway. Routes that the routers learn hold in their own region only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.component import Component
from components.gcp import names
from components.gcp.firewall import Firewall, FirewallArgs
from diversite import addresses
from diversite.plan import Plan, SitePlan
from diversite.underlay import Region

MTU_BYTES = 1460
"""Google's default; what a tunnel carries is cut to fit it (`services.wireguard`)."""
AVAILABILITY_DOMAINS = 8
"""The most that Google spreads over. A fixed number: a group that is in use cannot be replaced by a wider one."""
TO_GATEWAY = {"sites": addresses.SITE_SPACE, "links": addresses.LINK_SPACE}
"""What hosts send to their gateway. The subnetworks themselves are more specific, so a site's own hosts stay direct."""
GATEWAY_PRIORITY = 100
EGRESS_PRIORITY = 1000
"""The smaller comes first."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """A project's network."""

    plan: Plan
    """The venue, decided."""
    regions: Mapping[Region, tuple[str, ...]]
    """The project's sites, by region."""


class Network(Component):
    """The network of a project, without its hosts."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._plan, sites = args.plan, tuple(site for found in args.regions.values() for site in found)
        self.vpc = self._vpc(name)
        self.subnetworks = {site: self._subnetwork(args.plan.sites[site]) for site in sites}
        self.routers = {region: self._router(region) for region in args.regions}
        self.spread = {site: self._spread(args.plan.sites[site]) for site in sites}
        for region, router in self.routers.items():
            self._egress(region, router)
        self._routes(name)
        Firewall(f"{name}-firewall", FirewallArgs(plan=args.plan, sites=sites, network=self.vpc.id), self.child())
        self.register_outputs({"network": self.vpc.id})

    def _vpc(self, name: str) -> gcp.compute.Network:
        return gcp.compute.Network(
            name,
            name=names.named(self._plan, name),
            auto_create_subnetworks=False,
            delete_default_routes_on_create=True,
            routing_mode="REGIONAL",
            mtu=MTU_BYTES,
            opts=self.child(),
        )

    def _subnetwork(self, site: SitePlan) -> gcp.compute.Subnetwork:
        return gcp.compute.Subnetwork(
            f"subnetwork-{site.key}",
            name=names.named(self._plan, f"subnetwork-{site.key}"),
            network=self.vpc.id,
            region=site.place.region,
            ip_cidr_range=str(site.network),
            purpose="PRIVATE",
            stack_type="IPV4_ONLY",
            private_ip_google_access=True,
            log_config={
                "aggregation_interval": "INTERVAL_1_MIN",
                "flow_sampling": 0.5,
                "metadata": "INCLUDE_ALL_METADATA",
            },
            opts=self.child(),
        )

    def _router(self, region: Region) -> gcp.compute.Router:
        """Speaks BGP over private paths and translates for hosts without a public address; by itself it tells nobody
        anything.
        """
        return gcp.compute.Router(
            f"router-{region.account}-{region.name}",
            name=names.named(self._plan, f"router-{region.name}"),
            network=self.vpc.id,
            region=region.name,
            bgp={"asn": region.asn, "advertise_mode": "CUSTOM", "advertised_groups": []},
            opts=self.child(),
        )

    def _egress(self, region: Region, router: gcp.compute.Router) -> None:
        gcp.compute.RouterNat(
            f"nat-{region.account}-{region.name}",
            name=names.named(self._plan, f"nat-{region.name}"),
            router=router.name,
            region=region.name,
            nat_ip_allocate_option="AUTO_ONLY",
            auto_network_tier="PREMIUM",
            source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
            log_config={"enable": True, "filter": "ERRORS_ONLY"},
            opts=self.child(),
        )

    def _routes(self, name: str) -> None:
        gcp.compute.Route(
            f"{name}-egress",
            name=names.named(self._plan, f"{name}-egress"),
            network=self.vpc.id,
            dest_range="0.0.0.0/0",
            next_hop_gateway="default-internet-gateway",
            priority=EGRESS_PRIORITY,
            opts=self.child(),
        )
        for site in self.subnetworks:
            for what, space in TO_GATEWAY.items():
                self.route_to_gateway(f"route-{site}-{what}", site, str(space), self)

    def route_to_gateway(self, name: str, site: str, range_: str, parent: Component) -> None:
        """A route for the hosts of a site, all but its gateway, over that gateway.

        Its address, and not the machine, is the next hop: so the route outlives the machine.
        """
        gcp.compute.Route(
            name,
            name=names.named(self._plan, name),
            network=self.vpc.id,
            dest_range=range_,
            next_hop_ip=str(self._plan.sites[site].gateway_address),
            priority=GATEWAY_PRIORITY,
            tags=[names.in_site(self._plan, site)],
            opts=parent.child([self.subnetworks[site]]),
        )

    def _spread(self, site: SitePlan) -> gcp.compute.ResourcePolicy:
        return gcp.compute.ResourcePolicy(
            f"spread-{site.key}",
            name=names.named(self._plan, f"spread-{site.key}"),
            region=site.place.region,
            group_placement_policy={"availability_domain_count": AVAILABILITY_DOMAINS},
            opts=self.child(),
        )
