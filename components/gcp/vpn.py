"""Google's end of managed tunnels to AWS: four of them over two addresses at each end, with BGP inside.

The router tells AWS the gateways' own addresses and nothing else. What AWS tells, it takes in this region only.
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

IKE_VERSION = 2
INTERFACES = 2
"""Of Google's gateway: the first two tunnels, one connection of AWS, leave by the first."""
PRIORITY_STEP = 100
"""What a path of the next preference is worse by, in BGP's multi-exit discriminator."""


class Vpn(Component):
    """A gateway of two addresses, and the tunnels from it."""

    def __init__(self, name: str, args: AttachmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._name, self._args = name, args
        network = cast(Foundation, args.foundation).projects[args.region.account].network
        self._router = network.routers[args.region]
        self._labels = names.labels(args.plan)
        self.gateway = gcp.compute.HaVpnGateway(
            name,
            name=self._named(name),
            network=network.vpc.id,
            region=args.region.name,
            gateway_ip_version="IPV4",
            stack_type="IPV4_ONLY",
            labels=self._labels,
            opts=self.child(),
        )
        self.offer: Mapping[str, pulumi.Output[str]] = {
            f"interface{number}": self._interface(number) for number in range(INTERFACES)
        }
        self.order: Mapping[str, pulumi.Input[Any]] = {}
        self.register_outputs(dict(self.offer))

    def join(self, offer: Mapping[str, pulumi.Output[str]]) -> None:
        """Make the tunnels to AWS's addresses, `tunnel0` to `tunnel3`."""
        far = gcp.compute.ExternalVpnGateway(
            self._name,
            name=self._named(self._name),
            redundancy_type="FOUR_IPS_REDUNDANCY",
            interfaces=[
                {"id": number, "ip_address": offer[f"tunnel{number}"]}
                for number, _ in enumerate(self._args.underlay.tunnels)
            ],
            labels=self._labels,
            opts=self.child(),
        )
        for number, secret in enumerate(self._args.secrets):
            self._session(number, self._tunnel(number, secret, far))

    def _interface(self, number: int) -> pulumi.Output[str]:
        return self.gateway.vpn_interfaces.apply(lambda found: str(found[number].ip_address))

    def _tunnel(
        self, number: int, secret: pulumi.Output[str], far: gcp.compute.ExternalVpnGateway
    ) -> gcp.compute.VPNTunnel:
        return gcp.compute.VPNTunnel(
            f"{self._name}-{number}",
            name=self._named(f"{self._name}-{number}"),
            region=self._args.region.name,
            vpn_gateway=self.gateway.id,
            vpn_gateway_interface=number * INTERFACES // len(self._args.secrets),
            peer_external_gateway=far.id,
            peer_external_gateway_interface=number,
            shared_secret=secret,  # the SDK marks it as one, whatever it is given
            router=self._router.id,
            ike_version=IKE_VERSION,
            labels=self._labels,
            opts=self.child(),
        )

    def _session(self, number: int, tunnel: gcp.compute.VPNTunnel) -> None:
        """Inside a tunnel's /30 the first address is AWS's, the second Google's. Cloud VPN speaks no BFD
        (catalog/limits.yaml): a dead link is noticed by the venue's own, inside the link.
        """
        underlay, subnet = self._args.underlay, self._args.underlay.tunnels[number]
        name, region = f"{self._name}-{number}", self._args.region
        interface = gcp.compute.RouterInterface(
            name,
            name=self._named(name),
            router=self._router.name,
            region=region.name,
            ip_range=f"{subnet[2]}/{subnet.prefixlen}",
            vpn_tunnel=tunnel.name,
            opts=self.child(),
        )
        gcp.compute.RouterPeer(
            name,
            name=self._named(name),
            router=self._router.name,
            region=region.name,
            interface=interface.name,
            ip_address=str(subnet[2]),
            peer_ip_address=str(subnet[1]),
            peer_asn=underlay.far(region).asn,
            advertise_mode="CUSTOM",
            advertised_groups=[],
            advertised_ip_ranges=[{"range": f"{gateway}/32"} for gateway in underlay.gateways[region]],
            advertised_route_priority=underlay.preference * PRIORITY_STEP,
            opts=self.child(),
        )

    def _named(self, name: str) -> str:
        return names.named(self._args.plan, name)
