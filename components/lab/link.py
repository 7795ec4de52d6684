"""A link in the lab: one wire between two routers, with the delay of the real places."""

from __future__ import annotations

from typing import cast

import pulumi

from components.component import Component
from components.contract import LinkArgs, link_tags
from components.lab.foundation import Foundation
from components.lab.host import Machine
from components.lab.resources import Wire, WireArgs, WireEnd
from diversite.plan import LinkEnd

MICROSECONDS_PER_MILLISECOND = 1000


class Link(Component):
    """A wire. Its kind (backbone, vpn, wireguard…) is a label here: the lab rehearses the delay and the failure."""

    def __init__(self, name: str, args: LinkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        link = args.link

        def end(of: LinkEnd) -> WireEnd:
            machine = cast(Machine, args.gateways[of.site])
            return WireEnd(host=machine.host.id, interface=of.interface, address=str(of.address))

        self.wire = Wire(
            name,
            WireArgs(
                world=cast(Foundation, args.foundation).world.id,
                name=name,
                a=end(link.a),
                b=end(link.b),
                delay_microseconds=round(link.one_way_ms * MICROSECONDS_PER_MILLISECOND),
                jitter_microseconds=0,
                loss_per_million=0,
                carrier=link.carrier,
                tags=link_tags(args.plan, link),
            ),
            self.child(),
        )
        self.register_outputs({"delay_ms": link.one_way_ms})
