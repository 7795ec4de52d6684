"""A host in AWS: an instance in its site's subnet, and its data on a volume that outlives it.

Instances are made anew rather than changed: their addresses are taken while they stand, so the old one goes first. An
instance is stopped before its disk is taken from it, so that the disk is whole. Operators come through AWS's session
manager, whose agent calls out; the boot script installs it, and nothing listens for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pulumi
import pulumi_aws as aws

from components.aws import firewall
from components.aws.foundation import Foundation
from components.aws.gateway import Gateway, GatewayArgs
from components.aws.identity import assumed_by_machines
from components.aws.provider import within
from components.boot import boot_script
from components.component import Component
from components.contract import MachineArgs, tags
from diversite.catalog import catalog
from diversite.errors import PlanError
from diversite.plan import Host, Plan
from services.boot import compressed, paths

__all__ = ["Machine", "image", "paths"]

HELD = ["ami", "userData", "userDataBase64", "instanceType", "placementGroup", "tags.release", "tags.machine"]
"""What would replace an instance, or stop it for a while, and waits for its site's turn in `diversite rollout`; and the
tags that tell of it, which would else name a release that does not run yet."""
ROOT_GIB = 20
DATA_DEVICE = "/dev/sdf"
"""What AWS calls the data volume; on the host it is an NVMe disk whose serial number is the volume's id."""
VOLUME_TYPE = "gp3"
USER_DATA_BYTES_MAX = 16_384
"""Before base64."""


class Machine(Component):
    """An instance with its identity, its firewall, and its volume where it holds state or keys."""

    def __init__(self, name: str, args: MachineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        self._args = args
        foundation = cast(Foundation, args.foundation)
        self._ground = foundation.ground(args.host.site)
        self._network = foundation.network(args.host.site)
        super().__init__(name, within(opts, self._ground.provider))
        self._tags = tags(args.plan, args.host)
        self._subnet = self._network.part_of(args.host.address)
        self.instance = self._instance(name)
        if args.host.data_gib:
            self._keep(name)
        if args.host.role == "gateway":
            made = GatewayArgs(plan=args.plan, host=args.host, instance=self.instance, ground=self._ground)
            Gateway(name, made, self.child())
        self.ready: Sequence[pulumi.Resource] = [self.instance]
        self.register_outputs({"address": str(args.host.address)})

    def _instance(self, name: str) -> aws.ec2.Instance:
        args, is_gateway = self._args, self._args.host.role == "gateway"
        return aws.ec2.Instance(
            name,
            ami=image(args.plan, args.host),
            instance_type=args.host.machine,
            subnet_id=self._subnet.id,
            private_ip=str(args.host.address),
            # a gateway's address comes after it; declared as none, AWS would make the gateway anew to take it away
            associate_public_ip_address=None if is_gateway else False,
            source_dest_check=not is_gateway,
            vpc_security_group_ids=self._groups(name),
            placement_group=self._ground.spread(args.host).name,
            iam_instance_profile=self._profile(name).name,
            metadata_options=aws.ec2.InstanceMetadataOptionsArgs(
                http_endpoint="enabled",
                http_tokens="required",
                http_put_response_hop_limit=1,
                instance_metadata_tags="disabled",
            ),
            root_block_device=aws.ec2.InstanceRootBlockDeviceArgs(
                encrypted=True,
                kms_key_id=self._ground.key.arn,
                volume_type=VOLUME_TYPE,
                volume_size=ROOT_GIB,
                delete_on_termination=True,
                tags=self._tags,
            ),
            user_data_base64=boot_script(args, lambda text: compressed(text, USER_DATA_BYTES_MAX)),
            user_data_replace_on_change=True,
            ebs_optimized=True,
            monitoring=True,
            disable_api_termination=True,
            force_destroy=True,  # Pulumi may still end what it made: a rollout replaces the host
            instance_initiated_shutdown_behavior="stop",
            tags=self._tags,
            opts=self._careful(list(self._network.egress), ignore_changes=HELD if args.held else []),
        )

    def _groups(self, name: str) -> list[pulumi.Output[str]]:
        """Its own; a gateway's second one is for what it passes on, and says no role: those packets are not for it."""
        args = self._args
        into, out = firewall.into(args.plan, args.host), firewall.out_of(args.host)
        groups = [self._group(name, f"what {name} accepts and says", self._tags, into, out)]
        if args.host.role == "gateway":
            told = {"venue": args.plan.venue, "site": args.host.site}
            through = firewall.through(args.plan, args.host)
            groups.append(self._group(f"{name}-through", f"what {name} passes on", told, through, []))
        return [group.id for group in groups]

    def _group(
        self,
        name: str,
        says: str,
        told: Mapping[str, str],
        into: Sequence[firewall.Rule],
        out: Sequence[firewall.Rule],
    ) -> aws.ec2.SecurityGroup:
        return aws.ec2.SecurityGroup(
            name,
            description=f"{self._args.plan.venue}: {says}",
            vpc_id=self._ground.network.vpc.id,
            ingress=firewall.ingress(into),
            egress=firewall.egress(out),
            tags=told,
            opts=self.child(),
        )

    def _profile(self, name: str) -> aws.iam.InstanceProfile:
        """Who it is to AWS: nobody, but that operators' sessions may come through it."""
        role = aws.iam.Role(
            name, assume_role_policy=assumed_by_machines(self._ground.holder), tags=self._tags, opts=self.child()
        )
        aws.iam.RolePolicyAttachment(
            name, role=role.name, policy_arn=self._ground.holder.sessions_arn, opts=self.child()
        )
        return aws.iam.InstanceProfile(name, role=role.name, tags=self._tags, opts=self.child())

    def _keep(self, name: str) -> None:
        """The volume is made for the zone, not for the instance, so that it outlives the instance."""
        volume = aws.ebs.Volume(
            name,
            availability_zone=self._subnet.availability_zone,
            size=self._args.host.data_gib,
            type=VOLUME_TYPE,
            encrypted=True,
            kms_key_id=self._ground.key.arn,
            tags=self._tags,
            opts=self._careful(protect=True, retain_on_delete=True),
        )
        aws.ec2.VolumeAttachment(
            name,
            device_name=DATA_DEVICE,
            instance_id=self.instance.id,
            volume_id=volume.id,
            stop_instance_before_detaching=True,
            opts=self._careful(),
        )

    def _careful(self, before: list[pulumi.Resource] | None = None, **further: Any) -> pulumi.ResourceOptions:
        """The old one goes before the new one comes."""
        options = pulumi.ResourceOptions(delete_before_replace=True, **further)
        return pulumi.ResourceOptions.merge(self.child(before), options)


def image(plan: Plan, host: Host) -> str:
    """The id of the boot image; `PlanError` where the topology has none for the host's region and processor."""
    region = f"aws/{plan.sites[host.site].place.region}"
    architecture = catalog().machine(host.provider, host.machine).architecture
    found = getattr(plan.topology.images.get(region), architecture, None)
    if found is None:
        raise PlanError(
            f"images: there is none for {host.name}, a {host.machine} with {architecture} in {region}. "
            f"Add the id of one under images.{region}.{architecture} in the stack file; AMI ids differ from region to "
            f"region: aws ec2 describe-images --owners amazon self --region {plan.sites[host.site].place.region}."
        )
    return str(found)
