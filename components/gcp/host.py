"""A host at Google: a shielded machine without a public address, and its data on a disk that outlives it.

A machine is made anew rather than changed: its name, its address and its disk are taken while it stands, so the old one
goes first. Google encrypts every disk by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pulumi
import pulumi_gcp as gcp

from components.boot import boot_script
from components.component import Component
from components.contract import MachineArgs, labels
from components.gcp import names
from components.gcp.families import family
from components.gcp.foundation import Foundation
from components.gcp.identity import SCOPES
from components.gcp.metadata import metadata, require_small
from components.gcp.provider import by
from diversite.catalog import catalog
from diversite.errors import PlanError
from diversite.plan import Host, Plan
from services.boot import paths

__all__ = ["Machine", "paths"]

BOOT_GIB = 20
DATA_DEVICE = "data"
"""How the host's own tools show its disk: `/dev/disk/by-id/google-data`."""
HELD = ["boot_disk", "metadata", "machine_type", "labels.release"]
"""What would replace a machine, or stop it for a while, and waits for its site's turn in `diversite rollout`; and the
label that tells of it, which would else name a release that does not run yet."""
OPENED = "opened"
"""The stack setting that names the site whose machines are not protected from deletion, for a rollout."""
SPREAD_ROLES = frozenset({"validator", "engine"})
"""What the judge counts as standing on racks of their own."""


class Machine(Component):
    """A machine, its disk where it holds state or keys, and its boot script."""

    def __init__(self, name: str, args: MachineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        self._args = args
        self._family = family(args.host)
        self._foundation = cast(Foundation, args.foundation)
        self._project = self._foundation.at(args.host.site)
        self._zone = args.plan.sites[args.host.site].place.zone
        self._labels = labels(args.plan, args.host)
        super().__init__(name, by(self._project.provider, opts))
        self.disk = self._disk(f"{name}-data") if args.host.data_gib else None
        self.instance = self._instance(name)
        self.ready: Sequence[pulumi.Resource] = [self.instance]
        self.register_outputs({"address": str(args.host.address)})

    def _disk(self, name: str) -> gcp.compute.Disk:
        return gcp.compute.Disk(
            name,
            name=names.named(self._args.plan, name),
            zone=self._zone,
            type=self._family.data,
            size=self._args.host.data_gib,
            labels=self._labels,
            opts=self._careful(protect=True, retain_on_delete=True),
        )

    def _instance(self, name: str) -> gcp.compute.Instance:
        host = self._args.host
        return gcp.compute.Instance(
            name,
            name=names.named(self._args.plan, name),
            machine_type=host.machine,
            zone=self._zone,
            boot_disk=self._boot_disk(),
            attached_disks=self._attached(),
            network_interfaces=[self._interface()],
            can_ip_forward=host.role == "gateway",
            resource_policies=self._spread(),
            service_account=self._identity(),
            shielded_instance_config={
                "enable_secure_boot": self._family.secure_boot,
                "enable_vtpm": True,
                "enable_integrity_monitoring": True,
            },
            scheduling={
                "on_host_maintenance": "MIGRATE",
                "automatic_restart": True,
                "preemptible": False,
                "provisioning_model": "STANDARD",
            },
            metadata=metadata(host, boot_script(self._args, lambda text: require_small(host, text))),
            tags=names.tags(self._args.plan, host),
            labels=self._labels,
            deletion_protection=self._protected(),
            allow_stopping_for_update=not self._args.held,
            opts=self._careful(
                self._before(),
                ignore_changes=HELD if self._args.held else [],
                replace_on_changes=["metadata"],
            ),
        )

    def _protected(self) -> bool:
        """Google's provider deletes no machine that its state calls protected, not even to make it anew. So a rollout
        opens a site by an `up` of its own, before the one that makes its hosts anew.
        """
        opened = pulumi.Config("diversite").get(OPENED)
        return bool(self._args.host.data_gib) and self._args.host.site != opened

    def _boot_disk(self) -> gcp.compute.InstanceBootDiskArgsDict:
        return {
            "auto_delete": True,
            "initialize_params": {
                "image": image(self._args.plan, self._args.host),
                "type": self._family.boot,
                "size": BOOT_GIB,
                "labels": self._labels,
            },
        }

    def _attached(self) -> list[gcp.compute.InstanceAttachedDiskArgsDict]:
        if self.disk is None:
            return []
        return [{"source": self.disk.self_link, "device_name": DATA_DEVICE, "mode": "READ_WRITE"}]

    def _interface(self) -> gcp.compute.InstanceNetworkInterfaceArgsDict:
        host, site = self._args.host, self._args.host.site
        public: gcp.compute.InstanceNetworkInterfaceAccessConfigArgsDict = {
            "nat_ip": self._foundation.addresses[site].address,
            "network_tier": "PREMIUM",
        }
        return {
            "subnetwork": self._project.network.subnetworks[site].id,
            "network_ip": str(host.address),
            "nic_type": "GVNIC",
            "stack_type": "IPV4_ONLY",
            "access_configs": [public] if host.role == "gateway" else [],
        }

    def _spread(self) -> pulumi.Input[str] | None:
        """The site's spread group, for whom the judge counts on it; `PlanError` where the machine cannot be in one."""
        host = self._args.host
        if host.role not in SPREAD_ROLES:
            return None
        if not self._family.spreads:
            raise PlanError(
                f"host {host.name}: Google spreads no {host.machine} over racks, and the judge counts each {host.role} "
                "as standing on one of its own. Choose a machine of another family, such as c3-standard-4."
            )
        return self._project.network.spread[host.site].self_link

    def _identity(self) -> gcp.compute.InstanceServiceAccountArgsDict:
        return {"email": self._project.identities.accounts[self._args.host.role].email, "scopes": list(SCOPES)}

    def _before(self) -> list[pulumi.Resource]:
        """The site's routes and firewall, and its gateway: a host that boots without a way out fetches nothing."""
        router = cast("Machine | None", self._args.gateway)
        return [self._project.network, *([router.instance] if router else [])]

    def _careful(self, before: list[pulumi.Resource] | None = None, **further: Any) -> pulumi.ResourceOptions:
        """The old one goes before the new one comes."""
        options = pulumi.ResourceOptions(delete_before_replace=True, **further)
        return pulumi.ResourceOptions.merge(self.child(before), options)


def image(planned: Plan, host: Host) -> str:
    """The boot image; `PlanError` where the topology has none for the host's processor."""
    architecture = catalog().machine(host.provider, host.machine).architecture
    found = getattr(planned.topology.images.get("gcp"), architecture, None)
    if found is None:
        raise PlanError(
            f"images: there is none for {host.name}, a {host.machine} with {architecture} at Google. Add its path "
            f"under images.gcp.{architecture}, such as projects/debian-cloud/global/images/debian-12-bookworm-"
            f"{'arm64-' if architecture == 'arm64' else ''}v20251014; gcloud compute images list shows what there is."
        )
    return str(found)
