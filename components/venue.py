"""The whole venue: its sites' routers, the links between them, and what stands in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import pulumi

from components.component import Component
from components.contract import FoundationArgs, LinkArgs
from components.node import Gateway, Ground, MatchingEngine, Monitoring, Node, NodeArgs, OrderEntry
from components.siblings import sibling
from components.validator import Validator, genesis
from diversite import ports
from diversite.plan import Plan

N = TypeVar("N", bound=Node)


@dataclass(frozen=True, kw_only=True)
class VenueArgs:
    """A venue to build."""

    plan: Plan
    """Everything decided."""
    substrate: str
    """One of `components.siblings.SUBSTRATES`: only `lab` is built so far."""
    owner: str
    """`<project>/<stack>`."""


class Venue(Component):
    """Assembles a venue from its plan: loops over what was decided, and decides nothing."""

    def __init__(self, name: str, args: VenueArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        ground = self._join_sites(self._ground(args))
        engines = self._nodes(MatchingEngine, "engine", ground)
        self._nodes(OrderEntry, "entry", ground)
        self._nodes(Monitoring, "monitor", ground)
        self._found(ground, engines)
        self.entrances = {
            args.plan.hosts[name].key: f"http://{access.address.ip}:{ports.ORDERS}"
            for name, access in args.plan.accesses.items()
        }
        self.monitors = {host.key: f"http://{host.address}:{ports.PROMETHEUS}" for host in args.plan.of_role("monitor")}
        self.register_outputs({"entrances": self.entrances, "monitors": self.monitors})

    def _ground(self, args: VenueArgs) -> Ground:
        package = sibling(args.substrate)
        foundation = package.Foundation("foundation", FoundationArgs(plan=args.plan, owner=args.owner), self.child())
        return Ground(plan=args.plan, sibling=package, foundation=foundation, gateways={})

    def _nodes(self, kind: type[N], role: ports.Role, ground: Ground) -> Mapping[str, N]:
        return {
            host.name: kind(host.name, NodeArgs(host=host, ground=ground), self.child())
            for host in ground.plan.of_role(role)
        }

    def _join_sites(self, ground: Ground) -> Ground:
        """Routers and links; the ground that every other host is made with knows them."""
        gateways = self._nodes(Gateway, "gateway", ground)
        machines = {ground.plan.hosts[name].site: gateway.machine for name, gateway in gateways.items()}
        for link in ground.plan.links.values():
            args = LinkArgs(plan=ground.plan, link=link, foundation=ground.foundation, gateways=machines)
            ground.sibling.Link(link.name, args, self.child())
        return replace(ground, gateways=machines)

    def _found(self, ground: Ground, engines: Mapping[str, MatchingEngine]) -> None:
        """Validators, which start together from the genesis that their keys make."""
        validators = [
            Validator(host.name, NodeArgs(host=host, ground=ground), self.child())
            for host in ground.plan.of_role("validator")
        ]
        facts = genesis(validators)
        for validator in validators:
            validator.join(facts, engines)
