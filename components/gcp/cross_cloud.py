"""Google's end of the managed path to AWS (AWS Interconnect and Google's Transport), for the pairs of regions with one.

Google gives an activation key, which a person enters at AWS: pulumi-aws has no resource for that end. What this
component registers tells the key and the steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pulumi
import pulumi_gcp as gcp

from components.component import Component
from components.contract import AttachmentArgs
from components.gcp import names
from components.gcp.foundation import Foundation
from diversite.catalog import catalog
from diversite.errors import PlanError

BANDWIDTH = "BPS_1G"
"""The smallest that every pair has; consensus over a path needs far less (docs/measurements.md)."""


class CrossCloud(Component):
    """A transport to a region of AWS, and the peering through which the network reaches it."""

    def __init__(
        self, name: str, args: AttachmentArgs, accounts: Mapping[str, str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        self._name, self._args = name, args
        self._project = cast(Foundation, args.foundation).projects[args.region.account]
        self.transport = self._transport(remote_account(args, accounts))
        self._peering()
        self.offer: Mapping[str, pulumi.Output[str]] = {
            "activation_key": pulumi.Output.secret(self.transport.generated_activation_key)
        }
        self.order: Mapping[str, pulumi.Input[Any]] = {"steps": steps(args), **self.offer}
        self.register_outputs(dict(self.order))

    def join(self, offer: Mapping[str, pulumi.Output[str]]) -> None:
        """Nothing is left to make: the other end is made by a person, with the key."""

    def _transport(self, account: str) -> gcp.networkconnectivity.Transport:
        region = self._args.region
        return gcp.networkconnectivity.Transport(
            self._name,
            name=names.named(self._args.plan, self._name),
            region=region.name,
            remote_profile=f"projects/{self._project.id}/locations/{region.name}/remoteTransportProfiles/"
            f"aws-{self._args.underlay.far(region).name}",
            remote_account_id=account,
            network=self._project.network.vpc.id,
            bandwidth=BANDWIDTH,
            stack_type="IPV4_ONLY",
            advertised_routes=[f"{gateway}/32" for gateway in self._args.underlay.gateways[region]],
            labels=names.labels(self._args.plan, carrier=self._args.underlay.carrier),
            opts=pulumi.ResourceOptions.merge(
                self.child(), pulumi.ResourceOptions(additional_secret_outputs=["generated_activation_key"])
            ),
        )

    def _peering(self) -> None:
        gcp.compute.NetworkPeering(
            self._name,
            name=names.named(self._args.plan, self._name),
            network=self._project.network.vpc.self_link,
            peer_network=self.transport.peering_network,
            stack_type="IPV4_ONLY",
            import_custom_routes=True,
            export_custom_routes=True,
            opts=self.child(),
        )


def remote_account(args: AttachmentArgs, accounts: Mapping[str, str]) -> str:
    """The AWS account at the far end; `PlanError` where the regions are no pair, or the settings do not name it."""
    far = args.underlay.far(args.region)
    pairs = catalog().managed_pairs
    if (far.name, args.region.name) not in pairs:
        offered = ", ".join(f"{aws} and {google}" for aws, google in sorted(pairs))
        raise PlanError(
            f"link {args.underlay.links[0]}: there is no managed path between {far.provider}/{far.name} and "
            f"gcp/{args.region.name}; there is one between {offered}. Choose another kind, such as vpn."
        )
    if far.account not in accounts:
        raise PlanError(
            f"stack setting diversite:accounts.{far.account}: missing; Google asks whose account the far end is. Write "
            "the AWS account number there, in stacks/Pulumi.<stack>.yaml."
        )
    return accounts[far.account]


def steps(args: AttachmentArgs) -> list[str]:
    """What a person does at AWS."""
    far = args.underlay.far(args.region)
    return [
        f"In the AWS console, in {far.name}, open AWS Interconnect and accept a connection with the activation key.",
        "Attach it to the Direct Connect gateway that the region's transit gateway is associated with.",
        f"Let it be told {', '.join(f'{it}/32' for it in args.underlay.gateways[far])}, and nothing else.",
    ]
