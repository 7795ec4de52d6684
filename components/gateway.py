"""A site's router: joins the site to the venue's private network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi

from components.component import Component
from components.contract import Machine
from diversite.plan import Host, Plan
from services import services_of


@dataclass(frozen=True, kw_only=True)
class GatewayArgs:
    """A router to build."""

    host: Host
    """The planned host."""
    machine: Callable[[Host, Component], Machine]
    """Makes the machine below a component."""


class Gateway(Component):
    """The router of a site, with its routing daemon."""

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._host = args.host
        self.machine = args.machine(args.host, self)
        self.register_outputs({"address": str(args.host.address)})

    def route(self, planned: Plan, links: Sequence[pulumi.Resource]) -> None:
        """Start what routes, once the links are there."""
        for service in services_of(planned, self._host, self.machine.paths):
            self.machine.run(service, service.name, links)
