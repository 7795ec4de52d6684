"""The whole venue: its sites' routers, what joins them, what stands in them, and how the world comes in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pulumi

from components.component import Component
from components.contract import (
    AlarmsArgs,
    BalancerArgs,
    Cloud,
    Entrance,
    FoundationArgs,
    LinkArgs,
    Machine,
    Rehearsal,
    SteeringArgs,
    Steers,
    Watches,
)
from components.link import Link
from components.node import (
    Gateway,
    Ground,
    MatchingEngine,
    Member,
    Monitoring,
    Node,
    NodeArgs,
    OrderEntry,
    PassiveEngine,
    QueueMember,
    StoreMember,
    introduce,
)
from components.path import Path, PathArgs
from components.siblings import STEERS, package_name, siblings
from components.validator import Validator, begin
from diversite import ports, stackfile
from diversite.plan import LinkPlan, Plan
from diversite.underlay import Underlay, underlays
from services import Facts

N = TypeVar("N", bound=Node | Member)


@dataclass(frozen=True, kw_only=True)
class VenueArgs:
    """A venue to build."""

    plan: Plan
    """Everything decided."""
    substrate: str
    """One of `components.siblings.SUBSTRATES`."""
    owner: str
    """`<project>/<stack>`."""
    known: Facts | None = None
    """The public keys of a cloud's validators and gateways, once they came together; a lab makes its own."""
    rolling: str | None = None
    """The one site whose hosts take new images, boot scripts and releases: `diversite rollout` sets it."""
    accounts: Mapping[str, str] = field(default_factory=dict)
    """The provider's own id of each account that the topology names."""

    @property
    def held(self) -> frozenset[str]:
        """The sites whose hosts stay as they are. A cloud's always do until it is their turn; a lab's during one."""
        everywhere = self.substrate != "lab" or self.rolling is not None
        return frozenset(self.plan.sites) - {self.rolling} if everywhere else frozenset()


class Venue(Component):
    """Assembles a venue from its plan: loops over what was decided, and decides nothing."""

    def __init__(self, name: str, args: VenueArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        ground = self._join_sites(self._ground(args))
        self.order_forms = {path.name: path.orders for path in self._paths(ground) if path.orders}
        engines = self._nodes(MatchingEngine, "engine", ground)
        stores = self._nodes(StoreMember, "store", ground)
        queues = self._nodes(QueueMember, "queue", ground)
        passive = self._nodes(PassiveEngine, "passive", ground)
        entries = self._nodes(OrderEntry, "entry", ground)
        monitors = self._nodes(Monitoring, "monitor", ground)
        validators = [
            Validator(host.name, NodeArgs(host=host, ground=ground), self.child())
            for host in ground.plan.of_role("validator")
        ]
        begin(validators, engines)
        introduce([*stores.values(), *queues.values(), *passive.values()])
        ways_in = self._ways_in(ground, entries)
        groups: tuple[Mapping[str, Node | Member], ...] = (engines, stores, queues, passive, entries, monitors)
        nodes: list[Node | Member | Validator] = [*validators, *(node for group in groups for node in group.values())]
        self._alarms(ground, {node.host.name: node.machine for node in nodes}, ways_in)
        self.entrances = _entrances(args.plan, ways_in)
        self.orders = self._steer(ground, ways_in)
        self.monitors = {host.key: f"http://{host.address}:{ports.PROMETHEUS}" for host in args.plan.of_role("monitor")}
        deployed = stackfile.dumps(args.plan.topology)  # what the next change of it is judged against
        self.register_outputs({"entrances": self.entrances, "monitors": self.monitors, "topology": deployed})

    def _ground(self, args: VenueArgs) -> Ground:
        made, packages = {}, siblings(args.plan, args.substrate)
        for package in {package_name(it): it for it in packages.values()}.values():
            given = FoundationArgs(plan=args.plan, owner=args.owner, accounts=args.accounts)
            made[package_name(package)] = package.Foundation(f"foundation-{package_name(package)}", given, self.child())
        return Ground(
            plan=args.plan,
            siblings=packages,
            foundations={provider: made[package_name(package)] for provider, package in packages.items()},
            gateways={},
            known=args.known,
            held=args.held,
        )

    def _nodes(self, kind: type[N], role: ports.Role, ground: Ground) -> Mapping[str, N]:
        return {
            host.name: kind(host.name, NodeArgs(host=host, ground=ground), self.child())
            for host in ground.plan.of_role(role)
        }

    def _join_sites(self, ground: Ground) -> Ground:
        """Routers and links; the ground that every other host is made with knows them."""
        gateways = self._nodes(Gateway, "gateway", ground)
        joined = replace(
            ground, gateways={ground.plan.hosts[name].site: gateway.machine for name, gateway in gateways.items()}
        )
        for link in ground.plan.links.values():
            self._link(joined, link)
        return joined

    def _paths(self, ground: Ground) -> list[Path]:
        """What carries the tunnels, where that is a provider's; a rehearsal's links are whole."""
        wanted = () if _rehearsed(ground) else underlays(ground.plan)
        return [Path(underlay.name, self._path_args(ground, underlay), self.child()) for underlay in wanted]

    def _path_args(self, ground: Ground, underlay: Underlay) -> PathArgs:
        siblings, foundations = ground.siblings, ground.foundations
        return PathArgs(plan=ground.plan, underlay=underlay, siblings=siblings, foundations=foundations)

    def _link(self, ground: Ground, link: LinkPlan) -> None:
        provider = ground.plan.sites[link.a.site].place.provider
        package = ground.siblings[provider]
        if isinstance(package, Rehearsal):
            foundation = ground.foundations[provider]
            args = LinkArgs(plan=ground.plan, link=link, foundation=foundation, gateways=ground.gateways)
            package.Link(link.name, args, self.child())
        else:
            Link(ground.plan, link, self.child())

    def _ways_in(self, ground: Ground, entries: Mapping[str, OrderEntry]) -> dict[str, Entrance]:
        """The balancers before the entrances, where clients come from the world."""
        found = {}
        for name, entry in entries.items():
            host = ground.plan.hosts[name]
            package = ground.siblings[host.provider]
            if isinstance(package, Cloud):
                args = BalancerArgs(
                    plan=ground.plan,
                    host=host,
                    machine=entry.machine,
                    foundation=ground.foundations[host.provider],
                )
                found[name] = package.Balancer(f"{name}-balancer", args, self.child()).entrance
        return found

    def _alarms(self, ground: Ground, machines: Mapping[str, Machine], ways_in: Mapping[str, Entrance]) -> None:
        routers = {ground.plan.gateway(site).name: machine for site, machine in ground.gateways.items()}
        for provider, package in ground.siblings.items():
            if isinstance(package, Watches):
                here = {host.name for host in ground.plan.hosts.values() if host.provider == provider}
                args = AlarmsArgs(
                    plan=ground.plan,
                    foundation=ground.foundations[provider],
                    machines={name: it for name, it in {**routers, **machines}.items() if name in here},
                    entrances={name: it for name, it in ways_in.items() if name in here},
                )
                package.Alarms(f"alarms-{package_name(package)}", args, self.child())

    def _steer(self, ground: Ground, ways_in: Mapping[str, Entrance]) -> pulumi.Output[str] | None:
        package = ground.siblings.get(STEERS)
        if not (ways_in and ground.plan.topology.steering and isinstance(package, Steers)):
            return None
        args = SteeringArgs(plan=ground.plan, foundation=ground.foundations[STEERS], entrances=ways_in)
        return package.Steering("steering", args, self.child()).name


def _rehearsed(ground: Ground) -> bool:
    return any(isinstance(package, Rehearsal) for package in ground.siblings.values())


def _reached(address: pulumi.Output[str]) -> pulumi.Output[str]:
    return address.apply(lambda known: f"http://{known}:{ports.ORDERS}")


def _entrances(planned: Plan, ways_in: Mapping[str, Entrance]) -> Mapping[str, pulumi.Input[str]]:
    """Where clients send orders, by the entrance's key."""
    outside = {planned.hosts[name].key: _reached(way.address) for name, way in ways_in.items()}
    inside = {
        planned.hosts[name].key: f"http://{access.address.ip}:{ports.ORDERS}"
        for name, access in planned.accesses.items()
    }
    return outside or inside
