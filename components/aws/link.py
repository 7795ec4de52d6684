"""AWS's end of a private path between two regions, by the path's kind.

backbone      peering.py   two transit gateways of AWS
vpn           vpn.py       four managed tunnels to Google
circuit       circuit.py   a carrier's line, by way of Direct Connect
cross_cloud   circuit.py   a line that AWS and Google keep ready between them
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import pulumi

from components.aws.circuit import Circuit, CrossCloud
from components.aws.foundation import Foundation
from components.aws.path_end import PathEnd, PathEndArgs
from components.aws.peering import Peering
from components.aws.provider import within
from components.aws.vpn import Vpn
from components.component import Component
from components.contract import AttachmentArgs
from diversite.topology import LinkKind

ENDS: Mapping[LinkKind, Callable[[PathEndArgs], PathEnd]] = {
    "backbone": Peering,
    "vpn": Vpn,
    "circuit": Circuit,
    "cross_cloud": CrossCloud,
}


ORDERED: frozenset[LinkKind] = frozenset({"circuit", "cross_cloud"})
"""Kinds that carry nothing before people did their part."""


class Attachment(Component):
    """AWS's end of a path."""

    kinds: frozenset[str] = frozenset(ENDS)

    def __init__(self, name: str, args: AttachmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        foundation = cast(Foundation, args.foundation)
        super().__init__(name, within(opts, foundation.grounds[args.region].provider))
        self._end = ENDS[args.underlay.kind](
            PathEndArgs(name=name, component=self, grounds=foundation.grounds, args=args)
        )
        self.offer: Mapping[str, pulumi.Output[str]] = self._end.offer
        self.order: Mapping[str, pulumi.Input[Any]] = {}
        self._ordered = args.underlay.kind in ORDERED

    def join(self, offer: Mapping[str, pulumi.Output[str]]) -> None:
        """Make what needs the other end's offer, and the routes to its gateways."""
        told = self._end.join(offer)
        self.offer = self._end.offer
        self.order = told if self._ordered else {}
        self.register_outputs(told)
