"""The whole venue: its sites' routers, the links between them, and what stands in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.component import Component
from components.contract import Foundation, FoundationArgs, LinkArgs, Machine, MachineArgs, Sibling
from components.gateway import Gateway, GatewayArgs
from components.node import MatchingEngine, Monitoring, NodeArgs, OrderEntry
from components.siblings import sibling
from components.validator import Validator, ValidatorArgs, genesis
from diversite import ports
from diversite.plan import Host, Plan


@dataclass(frozen=True, kw_only=True)
class VenueArgs:
    """A venue to build."""

    plan: Plan
    """Everything decided."""
    substrate: str
    """`lab` or `cloud`."""
    owner: str
    """`<project>/<stack>`."""


class Venue(Component):
    """Assembles a venue from its plan: loops over what was decided, and decides nothing."""

    def __init__(self, name: str, args: VenueArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._plan = args.plan
        self._sibling: Sibling = sibling(args.substrate)
        self._foundation: Foundation = self._sibling.Foundation(
            "foundation", FoundationArgs(plan=args.plan, owner=args.owner), self.child()
        )
        self._gateways = self._build_gateways()
        engines = self._build_engines()
        self._build_validators(engines)
        self._build_entries()
        self._build_monitors()
        self.entrances = {
            args.plan.hosts[name].key: f"http://{access.address.ip}:{ports.ORDERS}"
            for name, access in args.plan.accesses.items()
        }
        self.monitors = {host.key: f"http://{host.address}:{ports.PROMETHEUS}" for host in args.plan.of_role("monitor")}
        self.register_outputs({"entrances": self.entrances, "monitors": self.monitors})

    def _machine(self, host: Host, parent: Component) -> Machine:
        args = MachineArgs(
            plan=self._plan,
            host=host,
            foundation=self._foundation,
            gateway=None if host.role == "gateway" else self._gateways[host.site],
        )
        return self._sibling.Machine(host.name, args, parent.child())

    def _build_gateways(self) -> Mapping[str, Machine]:
        gateways = {
            host.site: Gateway(host.name, GatewayArgs(host=host, machine=self._machine), self.child())
            for host in self._plan.of_role("gateway")
        }
        machines = {site: gateway.machine for site, gateway in gateways.items()}
        links = [
            self._sibling.Link(
                link.name,
                LinkArgs(plan=self._plan, link=link, foundation=self._foundation, gateways=machines),
                self.child(),
            )
            for link in self._plan.links.values()
        ]
        for gateway in gateways.values():
            gateway.route(self._plan, links)
        return machines

    def _build_engines(self) -> Mapping[str, MatchingEngine]:
        return {
            host.name: MatchingEngine(
                host.name, NodeArgs(plan=self._plan, host=host, machine=self._machine), self.child()
            )
            for host in self._plan.of_role("engine")
        }

    def _build_validators(self, engines: Mapping[str, MatchingEngine]) -> None:
        validators = [
            Validator(host.name, ValidatorArgs(host=host, machine=self._machine), self.child())
            for host in self._plan.of_role("validator")
        ]
        facts = genesis(validators)
        for validator in validators:
            validator.join(self._plan, facts, engines)

    def _build_entries(self) -> None:
        for host in self._plan.of_role("entry"):
            OrderEntry(host.name, NodeArgs(plan=self._plan, host=host, machine=self._machine), self.child())

    def _build_monitors(self) -> None:
        for host in self._plan.of_role("monitor"):
            Monitoring(host.name, NodeArgs(plan=self._plan, host=host, machine=self._machine), self.child())
