"""What stands at the accounts after a deployment, beside the plan; and the plan that it makes, for the judge.

Places, machines and addresses are the providers' own; role, site, voting power and release come from tags. Links have
no resource that tells all of them, so a link of the plan counts where the gateways of both its ends run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

from accounts.contract import Found
from accounts.demand import Demand, demands
from accounts.inquiry import Inquiry
from accounts.row import Row
from diversite.plan import Host, LinkPlan, Plan
from policies import facts
from policies.expected import Expected
from policies.facts import Facts, HostFact
from policies.venue import Venue

SPREAD_ROLES = ("validator", "engine")
"""The roles of hosts that the judge counts as standing on racks of their own."""


@dataclass(frozen=True, kw_only=True)
class Observed(Venue):
    """The venue that runs: what `Venue` makes of declared resources, made of machines that were found."""

    observed: Facts

    @cached_property
    def facts(self) -> Facts:
        """What the accounts say."""
        return self.observed


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What was found at every account."""

    rows: tuple[Row, ...]
    venue: Observed | None
    """None where an account did not answer: half of a venue is not judged."""


def standing(plan: Plan, expected: Mapping[str, str], stack: str) -> Standing:
    """What runs at every account of a plan's sites, each host beside its plan. The arguments are those of preflight."""
    inquiries = [Inquiry(demand=item, expected=expected.get(item.account), stack=stack) for item in demands(plan)]
    with ThreadPoolExecutor(max_workers=len(inquiries)) as pool:
        found = list(pool.map(_found, inquiries))
    rows = tuple(row for inquiry in inquiries for row in inquiry.rows)
    if any(machines is None for machines in found):
        return Standing(rows=rows, venue=None)
    running = {
        machine.node: _fact(machine, inquiry.demand)
        for inquiry, machines in zip(inquiries, found, strict=True)
        for machine in machines or ()
        if machine.running and _tag(machine, "role") in facts.ROLES
    }
    observed = Facts(hosts=running, links=_links(plan, running))
    return Standing(
        rows=rows, venue=Observed(resources={}, expected=Expected(name=stack, plan=plan), observed=observed)
    )


def _found(inquiry: Inquiry) -> Sequence[Found] | None:
    account, demand = inquiry.open(), inquiry.demand
    if account is None:
        return None
    machines = inquiry.ask("host", demand.provider, lambda: account.hosts(demand.plan.venue, demand.regions))
    if machines is not None:
        _compare(inquiry, machines)
    return machines


def _compare(inquiry: Inquiry, machines: Sequence[Found]) -> None:
    for host in inquiry.demand.hosts:
        _host(inquiry, host, [machine for machine in machines if machine.node == host.name])
    known = {host.name for host in inquiry.demand.hosts}
    for machine in machines:
        if machine.node not in known:
            says = f"{machine.id} carries the venue's tag, and the plan has no such host in this account"
            inquiry.tell("host", machine.node or machine.id, "problem", says, machine.mends.get("delete", ""))


def _host(inquiry: Inquiry, host: Host, machines: Sequence[Found]) -> None:
    again = f"pulumi refresh --stack {inquiry.stack}, then pulumi up --stack {inquiry.stack}"
    if not machines:
        inquiry.tell("host", host.name, "problem", "not there", again)
        return
    if len(machines) > 1:
        which = ", ".join(machine.id for machine in machines)
        inquiry.tell("host", host.name, "problem", f"there {len(machines)} times: {which}", _spare(machines))
    for machine in machines:
        differences = list(_differences(inquiry.demand, host, machine))
        for says in differences:
            inquiry.tell("host", host.name, "problem", f"{machine.id} {says}", again)
        if not machine.running:
            says = f"{machine.id} does not run: it is {machine.state}"
            inquiry.tell("host", host.name, "problem", says, machine.mends.get("start", ""))
        elif not differences:
            inquiry.tell("host", host.name, "good", _as_planned(machine))


def _differences(demand: Demand, host: Host, machine: Found) -> Iterator[str]:
    """Every way in which a machine is not the planned host."""
    place = demand.place(host)
    if machine.zone != place.zone:
        yield f"stands in {machine.zone}, planned is {place.zone}"
    if machine.machine != host.machine:
        yield f"is of type {machine.machine}, planned is {host.machine}"
    if str(host.address) not in machine.addresses:
        yield f"has the private address {', '.join(machine.addresses) or 'none'}, planned is {host.address}"
    if host.role in SPREAD_ROLES and not machine.spreads:
        yield f"is in the group {machine.group}, which does not spread" if machine.group else "is in no spread group"
    told = {"site": host.site, "role": host.role, "votingPower": str(host.voting_power)}
    for name, planned in told.items():
        if (tagged := _tag(machine, name)) != planned:
            yield f"is tagged {name} {tagged or 'nothing'}, planned is {planned}"


def _as_planned(machine: Found) -> str:
    group = f", spread by {machine.group}" if machine.spreads else ""
    return f"runs as planned in {machine.zone} on {machine.machine} at {', '.join(machine.addresses)}{group}"


def _spare(machines: Sequence[Found]) -> str:
    """Which of them the state knows is not told by any account."""
    return f"delete the one that pulumi stack export does not name: {machines[-1].mends.get('delete', '')}"


def _fact(machine: Found, demand: Demand) -> HostFact:
    power = _tag(machine, "votingPower")
    return HostFact(
        name=machine.node,
        role=_tag(machine, "role"),
        site=_tag(machine, "site"),
        place=facts.place_of_zone(demand.provider, machine.zone),
        machine=machine.machine,
        voting_power=int(power) if power.isdecimal() else 0,
        address=_address(machine, demand.plan.hosts.get(machine.node)),
        account=demand.account,
        release=_tag(machine, "release") or None,
    )


def _address(machine: Found, planned: Host | None) -> str | None:
    """The planned one where it is there; a gateway has others beside."""
    wanted = str(planned.address) if planned else ""
    return wanted if wanted in machine.addresses else next(iter(machine.addresses), None)


def _links(plan: Plan, running: Mapping[str, HostFact]) -> Mapping[str, facts.LinkFact]:
    planned = facts.of_plan(plan).links
    return {name: planned[name] for name, link in plan.links.items() if _is_joined(link, running)}


def _is_joined(link: LinkPlan, running: Mapping[str, HostFact]) -> bool:
    return link.a.gateway in running and link.b.gateway in running


def _tag(machine: Found, name: str) -> str:
    """A tag's value, whatever separators the provider's keys need."""
    wanted = facts.key(name)
    return next((value for key, value in machine.tags.items() if facts.key(key) == wanted), "")
