"""A path to Google over four managed tunnels: two connections of two, one to each interface of Google's VPN gateway.

Tunnels 0 and 1 lead to Google's interface 0, tunnels 2 and 3 to its interface 1; the inner addresses and the secrets
come in that order. One cipher for each part, so that neither side changes its mind between two keys. BGP alone tells
who is there; neither provider speaks BFD in a tunnel, and the venue's own tunnels within do (docs/footguns.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.monitor import Watch, alarm
from components.aws.path_end import PathEndArgs

INTERFACES = 2
TUNNELS_OF_CONNECTION = 2
LOG_DAYS = 90
DEAD_PEER_SECONDS = 30
"""The shortest that AWS offers."""
STATE_SECONDS = 300
"""How often AWS tells the state of a tunnel."""
OPTIONS: Mapping[str, Any] = {
    "ike_versions": ["ikev2"],
    "phase1_encryption_algorithms": ["AES256-GCM-16"],
    "phase1_integrity_algorithms": ["SHA2-384"],
    "phase1_dh_group_numbers": [20],
    "phase2_encryption_algorithms": ["AES256-GCM-16"],
    "phase2_integrity_algorithms": ["SHA2-384"],
    "phase2_dh_group_numbers": [20],
    "startup_action": "start",
    "dpd_timeout_action": "restart",
    "dpd_timeout_seconds": DEAD_PEER_SECONDS,
}
"""Of every tunnel. All of it Google takes too; group 20 is the curve of 384 bits."""


class Vpn:
    """AWS's side of the tunnels."""

    def __init__(self, end: PathEndArgs) -> None:
        self._end = end
        self.offer: Mapping[str, pulumi.Output[str]] = {}

    def join(self, offer: Mapping[str, pulumi.Output[str]]) -> Mapping[str, Any]:
        """Connect to Google's interfaces; the addresses of this side's tunnels are the offer then."""
        logs = self._logs()
        tunnels: list[pulumi.Output[str]] = []
        for number in range(INTERFACES):
            made = self._connect(number, offer[f"interface{number}"], logs)
            self._end.transit.join(self._end.way(f"{self._end.name}-{number}", made.transit_gateway_attachment_id))
            tunnels += [made.tunnel1_address, made.tunnel2_address]
            self._watch(number, made)
        self.offer = {f"tunnel{position}": address for position, address in enumerate(tunnels)}
        return {"tunnels": tunnels}

    def _connect(
        self, number: int, interface: pulumi.Output[str], logs: aws.cloudwatch.LogGroup
    ) -> aws.ec2.VpnConnection:
        end, name = self._end, f"{self._end.name}-{number}"
        customer = aws.ec2.CustomerGateway(
            name,
            type="ipsec.1",
            bgp_asn_extended=str(end.far.asn),
            ip_address=interface,
            tags=end.tags,
            opts=pulumi.ResourceOptions.merge(
                end.component.child(), pulumi.ResourceOptions(delete_before_replace=True)
            ),
        )
        first = number * TUNNELS_OF_CONNECTION
        return aws.ec2.VpnConnection(
            name,
            type="ipsec.1",
            customer_gateway_id=customer.id,
            transit_gateway_id=end.transit.gateway.id,
            static_routes_only=False,
            tags=end.tags,
            **self._tunnel(1, first, logs),
            **self._tunnel(2, first + 1, logs),
            opts=end.component.child(),
        )

    def _tunnel(self, number: int, position: int, logs: aws.cloudwatch.LogGroup) -> dict[str, Any]:
        """One tunnel of a connection, as its arguments are called."""
        told = {"enabled": True, "group_arn": logs.arn, "output_format": "json"}
        cloudwatch = {f"{kind}_{key}": value for kind in ("log", "bgp_log") for key, value in told.items()}
        own = {
            "inside_cidr": str(self._end.path.tunnels[position]),
            "preshared_key": self._end.args.secrets[position],
            "log_options": {"cloudwatch_log_options": cloudwatch},
        }
        return {f"tunnel{number}_{key}": value for key, value in {**OPTIONS, **own}.items()}

    def _logs(self) -> aws.cloudwatch.LogGroup:
        end = self._end
        return aws.cloudwatch.LogGroup(
            end.name,
            name=f"/{end.ground.args.owner}/{end.name}",
            retention_in_days=LOG_DAYS,
            kms_key_id=end.ground.key.arn,
            tags=end.tags,
            opts=end.component.child(),
        )

    def _watch(self, number: int, connection: aws.ec2.VpnConnection) -> None:
        for position, address in enumerate((connection.tunnel1_address, connection.tunnel2_address)):
            tunnel = number * TUNNELS_OF_CONNECTION + position
            watch = down(f"tunnel {tunnel} of {self._end.path.name}", connection.id, address)
            name = f"{self._end.name}-tunnel{tunnel}"
            alarm(name, watch, self._end.ground, self._end.tags, self._end.component.child())


def down(tunnel: str, connection: pulumi.Input[str], address: pulumi.Input[str]) -> Watch:
    """A tunnel whose BGP session is not there."""
    return Watch(
        namespace="AWS/VPN",
        metric="TunnelState",
        statistic="Minimum",
        dimensions={"VpnId": connection, "TunnelIpAddress": address},
        comparison="LessThanThreshold",
        period_seconds=STATE_SECONDS,
        periods=1,
        says=f"{tunnel} is down; three others carry on. Look at its log, and at Google's tunnel of that number.",
    )
