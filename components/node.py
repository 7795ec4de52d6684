"""The venue's hosts: routers, engines, entrances, monitors. A validator needs more, and has a file of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pulumi

from components.component import Component
from components.contract import Foundation, HoldsKeys, Machine, MachineArgs, Sibling
from diversite.plan import Host, Plan
from services import Facts, PathsOf, Service, member_services_of, names_of, services_of


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What every host of a venue is made with."""

    plan: Plan
    """The venue, decided."""
    siblings: Mapping[str, Sibling]
    """Who makes the machines, by provider."""
    foundations: Mapping[str, Foundation]
    """The ground that they stand on, by provider."""
    gateways: Mapping[str, Machine]
    """The routers by site; empty while they are made themselves."""
    known: Facts | None
    """The public keys of the venue, where they came together before."""
    held: frozenset[str]
    """The sites whose hosts stay as they are."""

    def paths(self, host: Host) -> PathsOf:
        """Where a host's services keep things."""
        return self.siblings[host.provider].paths(host)

    @property
    def endpoints(self) -> dict[str, pulumi.Output[str]]:
        """The public address of every gateway, by site."""
        return {site: address for ground in self.foundations.values() for site, address in ground.endpoints.items()}

    def machine(self, host: Host, services: Sequence[Service], parent: Component) -> Machine:
        """The machine of a host, below its component."""
        args = MachineArgs(
            plan=self.plan,
            host=host,
            foundation=self.foundations[host.provider],
            gateway=self.gateways.get(host.site),
            services=tuple(services),
            known=self.known,
            endpoints=self.endpoints if host.role == "gateway" else {},
            held=host.site in self.held,
        )
        return self.siblings[host.provider].Machine(host.name, args, parent.child())


@dataclass(frozen=True, kw_only=True)
class NodeArgs:
    """A node to build."""

    host: Host
    """The planned host."""
    ground: Ground
    """What it is made with."""


class Node(Component):
    """A host and all that runs on it."""

    def __init__(self, name: str, args: NodeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.host = args.host
        services = services_of(args.ground.plan, args.host, args.ground.paths(args.host))
        self.machine = args.ground.machine(args.host, services, self)
        self.register_outputs({"address": str(args.host.address)})


class Gateway(Node):
    """The router of a site: joins it to the venue's private network."""


class MatchingEngine(Node):
    """Executes the blocks of its site's validator, and takes orders in."""


class OrderEntry(Node):
    """Passes orders to engines that could acknowledge; health checks and limits per client."""


class Member(Component):
    """A host whose programs believe no certificate but those of others that they know.

    Where the machine tells its certificate while it is deployed (the lab), they start once those of all are known. In a
    cloud the certificates came together before (`diversite keys`); until then a member makes its key and waits.
    """

    def __init__(self, name: str, args: NodeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.host = args.host
        self._ground = args.ground
        known = args.ground.known
        services = self._services(known.certificates) if known and self.host.name in known.certificates else ()
        self.machine = args.ground.machine(args.host, services, self)
        self.register_outputs({"address": str(args.host.address)})

    def join(self, machine: HoldsKeys, certificates: pulumi.Output[Mapping[str, str]]) -> None:
        """Start what runs here."""
        for number, name in enumerate(names_of(self.host)):
            machine.start(certificates.apply(partial(self._service, number)), name, ())

    def _service(self, number: int, certificates: Mapping[str, str]) -> Service:
        return self._services(certificates)[number]

    def _services(self, certificates: Mapping[str, str]) -> tuple[Service, ...]:
        return member_services_of(self._ground.plan, self.host, self._ground.paths(self.host), certificates)


def introduce(members: Sequence[Member]) -> None:
    """Let the members whose machines tell their certificates know each other."""
    telling = [(it, it.machine) for it in members if isinstance(it.machine, HoldsKeys)]
    if not telling:
        return
    told = {member.host.name: machine.certificate() for member, machine in telling}
    certificates: pulumi.Output[Mapping[str, str]] = pulumi.Output.all(**told)
    for member, machine in telling:
        member.join(machine, certificates)


class StoreMember(Member):
    """Holds a copy of a store, and votes on who is its primary."""


class QueueMember(Member):
    """Holds a copy of a queue's messages."""


class PassiveEngine(Member):
    """Works while it holds its engine's lease, follows while another does."""


class Monitoring(Node):
    """Watches every site, its own and the other monitors' among them."""
