"""A host at Hetzner: a server in its site's network, and its data on a volume that outlives it.

Servers are made anew rather than changed: their names and addresses are taken while they stand, so the old one goes
first. Hetzner encrypts no volume, and nothing at Hetzner could keep the key of one
(docs/decisions/2026-11-22-hetzner-volumes.md); the volume says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pulumi
import pulumi_hcloud as hcloud

from components.boot import boot_script
from components.component import Component
from components.contract import MachineArgs, labels
from components.hcloud.foundation import Foundation, Site
from components.hcloud.provider import number, within
from diversite import addresses
from diversite.catalog import catalog
from diversite.errors import PlanError
from diversite.plan import Host, Plan
from services.boot import compressed

HELD = ["image", "userData", "serverType", "sshKeys", "placementGroupId", "labels.release"]
"""What would replace a server, or stop it for a while, and waits for its site's turn in `diversite rollout`; and the
label that tells of it, which would else name a release that does not run yet."""
VOLUME_GIB_MIN = 10
USER_DATA_BYTES_MAX = 32_768
COMPRESSED_BYTES_MAX = USER_DATA_BYTES_MAX * 3 // 4
"""Before base64, which cloud-init undoes; so the host reads what the limit would not let through as text."""


class Machine(Component):
    """A server, its volume where it holds state or keys, and its boot script."""

    def __init__(self, name: str, args: MachineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        self._args = args
        self._foundation = cast(Foundation, args.foundation)
        self._site: Site = self._foundation.sites[args.host.site]
        super().__init__(name, within(opts, self._site.account.provider))
        self._labels = labels(args.plan, args.host)
        self.server = self._server(name)
        if args.host.data_gib:
            self._keep(name)
        self.ready: Sequence[pulumi.Resource] = [self.server]
        self.register_outputs({"address": str(args.host.address)})

    def _server(self, name: str) -> hcloud.Server:
        args, account = self._args, self._site.account
        return hcloud.Server(
            name,
            name=_named(args.plan, name),
            server_type=args.host.machine,
            location=args.plan.sites[args.host.site].place.zone,
            image=image(args.plan, args.host),
            public_nets=[self._public()],
            networks=self._networks(),
            placement_group_id=number(account.spread[name]),
            firewall_ids=self._firewalls(),
            user_data=boot_script(args, _packed, tuple(self._foundation.operators.keys.values())),
            ssh_keys=[key.id for key in account.ssh_keys],
            labels=self._labels,
            backups=False,
            keep_disk=True,
            delete_protection=True,
            rebuild_protection=True,
            shutdown_before_deletion=True,
            opts=self._careful(self._before(), ignore_changes=HELD if args.held else []),
        )

    def _public(self) -> hcloud.ServerPublicNetArgs:
        if self._args.host.role != "gateway":
            return hcloud.ServerPublicNetArgs(ipv4_enabled=False, ipv6_enabled=False)
        return hcloud.ServerPublicNetArgs(
            ipv4_enabled=True, ipv4=number(self._site.gateway.address), ipv6_enabled=False
        )

    def _firewalls(self) -> list[pulumi.Output[int]]:
        """Hetzner refuses a firewall for a server that has no public interface: there is nothing to filter."""
        return [number(self._site.gateway.firewall)] if self._args.host.role == "gateway" else []

    def _networks(self) -> list[hcloud.ServerNetworkArgs]:
        """The site's network; for a gateway the zone's backbone too. Undeclared aliases would differ at every `up`."""
        site, backbone = self._site.network, self._site.backbone
        found = [hcloud.ServerNetworkArgs(subnet_id=site.subnet.id, ip=str(self._args.host.address), alias_ips=[])]
        if backbone and self._args.host.role == "gateway":
            address = addresses.underlay_addresses(self._args.plan.sites)[self._args.host.site]
            found.append(hcloud.ServerNetworkArgs(subnet_id=backbone.subnet.id, ip=str(address), alias_ips=[]))
        return found

    def _keep(self, name: str) -> None:
        """The volume is made for the location, not for the server, so that it outlives the server."""
        volume = hcloud.Volume(
            f"{name}-data",
            name=_named(self._args.plan, f"{name}-data"),
            size=max(VOLUME_GIB_MIN, self._args.host.data_gib),
            location=self._args.plan.sites[self._args.host.site].place.zone,
            delete_protection=True,
            labels={**self._labels, "encryption": "none"},
            opts=self._careful(protect=True, retain_on_delete=True),
        )
        hcloud.VolumeAttachment(
            f"{name}-data",
            volume_id=number(volume),
            server_id=number(self.server),
            automount=False,
            opts=self._careful(),
        )

    def _before(self) -> list[pulumi.Resource]:
        """The networks, and the way out: a host that boots without one fetches nothing."""
        router = cast("Machine | None", self._args.gateway)
        if router:
            return [self._site.network.subnet, self._site.network.route, router.server]
        backbone = [self._site.backbone.subnet] if self._site.backbone else []
        return [self._site.network.subnet, self._site.network.route, *backbone]

    def _careful(self, before: list[pulumi.Resource] | None = None, **further: Any) -> pulumi.ResourceOptions:
        """The old one goes before the new one comes."""
        options = pulumi.ResourceOptions(delete_before_replace=True, **further)
        return pulumi.ResourceOptions.merge(self.child(before), options)


def image(planned: Plan, host: Host) -> str:
    """The id of the boot image; `PlanError` where the topology has none for the host's processor."""
    architecture = catalog().machine(host.provider, host.machine).architecture
    images = planned.topology.images.get("hetzner")
    found = getattr(images, architecture, None)
    if found is None:
        raise PlanError(
            f"images: there is none for {host.name}, a {host.machine} with {architecture} at Hetzner. "
            f"Add the number of one under images.hetzner.{architecture}: hcloud image list --architecture "
            f"{'arm' if architecture == 'arm64' else 'x86'}."
        )
    return str(found)


def _named(planned: Plan, name: str) -> str:
    return f"{planned.venue}-{name}"


def _packed(text: str) -> str:
    return text if len(text.encode()) <= USER_DATA_BYTES_MAX else compressed(text, COMPRESSED_BYTES_MAX)
