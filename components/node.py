"""The venue's hosts that need nothing but their place: engines, entrances, monitors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pulumi

from components.component import Component
from components.contract import Machine
from diversite.plan import Host, Plan
from services import services_of


@dataclass(frozen=True, kw_only=True)
class NodeArgs:
    """A node to build."""

    plan: Plan
    """The venue, decided."""
    host: Host
    """The planned host."""
    machine: Callable[[Host, Component], Machine]
    """Makes the machine below a component."""


class Node(Component):
    """A host and all that runs on it."""

    def __init__(self, name: str, args: NodeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        machine = args.machine(args.host, self)
        self.services = [
            machine.run(service, service.name, ()) for service in services_of(args.plan, args.host, machine.paths)
        ]
        self.register_outputs({"address": str(args.host.address)})


class MatchingEngine(Node):
    """Executes the blocks of its site's validator, and takes orders in."""


class OrderEntry(Node):
    """Passes orders to engines that could acknowledge; health checks and limits per client."""


class Monitoring(Node):
    """Watches every site, its own and the other monitors' among them."""
