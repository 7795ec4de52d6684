"""A path between two regions of AWS: their transit gateways, peered. One asks, the other accepts.

Peerings speak no BGP, so each side has a static route to each gateway of the other. AWS lets nobody route over a
peering that was not accepted; so the side that accepts makes the routes of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.path_end import PathEndArgs, transit_of
from components.aws.transit import Way
from diversite.underlay import Region


class Peering:
    """One side of a peering."""

    def __init__(self, end: PathEndArgs) -> None:
        self._end = end
        self.offer: Mapping[str, pulumi.Output[str]] = {"gateway": end.transit.gateway.id}

    def join(self, offer: Mapping[str, pulumi.Output[str]]) -> Mapping[str, Any]:
        """Accept the peering that was asked for, or ask for one."""
        if "attachment" in offer:
            self._accept(offer["attachment"])
        else:
            self.offer = {"attachment": self._ask(offer["gateway"])}
        return {}

    def _ask(self, gateway: pulumi.Output[str]) -> pulumi.Output[str]:
        end = self._end
        made = aws.ec2transitgateway.PeeringAttachment(
            end.path.name,
            transit_gateway_id=end.transit.gateway.id,
            peer_transit_gateway_id=gateway,
            peer_region=end.far.name,
            peer_account_id=end.grounds[end.far].args.account_id,
            tags=end.tags,
            opts=end.component.child(),
        )
        return made.id

    def _accept(self, attachment: pulumi.Output[str]) -> None:
        end = self._end
        accepted = aws.ec2transitgateway.PeeringAttachmentAccepter(
            end.path.name, transit_gateway_attachment_id=attachment, tags=end.tags, opts=end.component.child()
        )
        for region in (end.region, end.far):
            self._lead(region, attachment, accepted)

    def _lead(self, region: Region, attachment: pulumi.Output[str], accepted: pulumi.Resource) -> None:
        end, ground = self._end, self._end.grounds[region]
        there = pulumi.ResourceOptions(provider=ground.provider)
        way = Way(
            name=f"{end.path.name}-{region.name}",
            attachment=attachment,
            to=end.path.gateways[end.path.far(region)],
            opts=pulumi.ResourceOptions.merge(end.component.child([accepted]), there),
        )
        transit_of(ground).join(way)
