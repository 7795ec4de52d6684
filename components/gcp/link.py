"""Google's end of a private path to another provider: managed tunnels, a carrier's circuit, or the managed cross-cloud
path to AWS. It carries the packets of gateways and of nobody else.

Between two sites of one project there is nothing to make: Google's network joins them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, cast

import pulumi

from components.component import Component
from components.contract import AttachmentArgs
from components.gcp.circuit import Circuit
from components.gcp.cross_cloud import CrossCloud
from components.gcp.foundation import Foundation
from components.gcp.provider import by
from components.gcp.vpn import Vpn
from diversite.underlay import regions


class End(Protocol):
    """An end of one kind."""

    offer: Mapping[str, pulumi.Output[str]]
    order: Mapping[str, pulumi.Input[Any]]

    def join(self, offer: Mapping[str, pulumi.Output[str]]) -> None: ...


class Attachment(Component):
    """An end of a path. Hosts of its region still send to the far gateways over their own, like to everybody else."""

    kinds: ClassVar[frozenset[str]] = frozenset({"vpn", "circuit", "cross_cloud"})

    def __init__(self, name: str, args: AttachmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        foundation = cast(Foundation, args.foundation)
        project = foundation.projects[args.region.account]
        super().__init__(name, by(project.provider, opts))
        self._name, self._args, self._network = name, args, project.network
        self._end = self._made(name, foundation)
        self.offer, self.order = self._end.offer, self._end.order
        self.register_outputs(dict(self.offer))

    def join(self, offer: Mapping[str, pulumi.Output[str]]) -> None:
        """Make what needs the other end's offer, and keep the hosts of the region on their way over their gateway.

        A route that a router learns holds for every host of the region, which would come to the far gateway by a way
        that it does not answer on.
        """
        self._end.join(offer)
        far = self._args.underlay.gateways[self._args.underlay.far(self._args.region)]
        for site in regions(self._args.plan)[self._args.region]:
            for address in far:
                name = f"{self._name}-{site}-{str(address).replace('.', '-')}"
                self._network.route_to_gateway(name, site, f"{address}/32", self)

    def _made(self, name: str, foundation: Foundation) -> End:
        if self._args.underlay.kind == "vpn":
            return Vpn(f"{name}-tunnels", self._args, self.child())
        if self._args.underlay.kind == "circuit":
            return Circuit(f"{name}-circuit", self._args, self.child())
        return CrossCloud(f"{name}-transport", self._args, foundation.accounts, self.child())
