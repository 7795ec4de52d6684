"""A venue of three clouds, of the clouds' own constructors, shaped as the components are to declare it."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_gcp as gcp
import pulumi_hcloud as hcloud
from pulumi import ResourceOptions

from components.contract import link_tags, tags
from diversite.plan import Host, LinkPlan, Plan


class Link(pulumi.ComponentResource):
    """A link, which speaks through its registered inputs: between two clouds no single resource is the link."""

    def __init__(self, planned: Plan, link: LinkPlan, opts: ResourceOptions) -> None:
        ends = {key: {"site": end.site, "address": str(end.address)} for key, end in (("a", link.a), ("b", link.b))}
        super().__init__("diversite:clouds:Link", link.name, {**link_tags(planned, link), **ends}, opts)


class Clouds(pulumi.ComponentResource):
    """The hosts and links of a plan."""

    def __init__(self, planned: Plan) -> None:
        super().__init__("diversite:clouds:Clouds", planned.venue)
        self._plan = planned
        self._options = ResourceOptions(parent=self)
        self._subnets = {key: self._subnet(key) for key, site in planned.sites.items() if site.place.provider == "aws"}
        for host in planned.hosts.values():
            self._host(host)
        for link in planned.links.values():
            Link(planned, link, self._options)

    def _subnet(self, site: str) -> aws.ec2.Subnet:
        planned = self._plan.sites[site]
        return aws.ec2.Subnet(
            f"subnet-{site}",
            vpc_id="vpc",
            cidr_block=str(planned.network),
            availability_zone_id=planned.place.zone,
            tags={"venue": self._plan.venue, "site": site},
            opts=self._options,
        )

    def _host(self, host: Host) -> None:
        make = {"aws": self._aws, "gcp": self._gcp, "hetzner": self._hetzner}[host.provider]
        make(host, tags(self._plan, host))

    def _aws(self, host: Host, told: dict[str, str]) -> None:
        aws.ec2.Instance(
            host.name,
            instance_type=host.machine,
            ami="ami-0123456789abcdef0",
            subnet_id=self._subnets[host.site].id,
            private_ip=str(host.address),
            tags=told,
            opts=self._options,
        )

    def _gcp(self, host: Host, told: dict[str, str]) -> None:
        gcp.compute.Instance(
            host.name,
            zone=self._plan.sites[host.site].place.zone,
            machine_type=host.machine,
            boot_disk={},
            network_interfaces=[{"network_ip": str(host.address)}],
            labels=_labels(told),
            opts=self._options,
        )

    def _hetzner(self, host: Host, told: dict[str, str]) -> None:
        network: Any = {"network_id": 1, "ip": str(host.address)}
        hcloud.Server(
            host.name,
            server_type=host.machine,
            location=self._plan.sites[host.site].place.zone,
            networks=[network],
            labels=_labels(told),
            opts=self._options,
        )


def _labels(told: dict[str, str]) -> dict[str, str]:
    """Tags as labels: no capitals in keys, no slashes in values; the machine's dot only Hetzner would take."""
    return {key.replace("P", "-p"): value.replace("/", "_") for key, value in told.items() if key != "machine"}
