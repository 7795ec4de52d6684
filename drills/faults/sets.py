"""Which faults are drilled where nobody names any."""

from __future__ import annotations

from collections.abc import Iterable

from diversite.domains import Domain, domains_of
from diversite.domains import parse as parse_domain
from diversite.outcome import predict
from diversite.plan import Plan
from drills.faults.fault import Fault
from drills.faults.links import Cut
from drills.faults.processes import Kill
from drills.faults.sites import PowerOff


def standard_set(lab: str, plan: Plan) -> tuple[Fault, ...]:
    """A validator, its site, the heaviest grid that may be lost, a link, a provider, an entrance.

    The validator is the first proposer, the link the one that most routes take, the provider the one with most power.
    """
    validator = next(host for host in plan.of_role("validator") if host.key == plan.proposer_order[0])
    return (
        Kill(lab, plan, Domain("host", validator.name)),
        PowerOff(lab, plan, parse_domain(f"site:{validator.site}", plan)),
        *_heaviest_grid(lab, plan),
        Cut(lab, plan, Domain("link", _busiest_link(plan))),
        PowerOff(lab, plan, _heaviest(plan, domains_of(plan).all("provider"))),
        *(Kill(lab, plan, Domain("host", host.name)) for host in plan.of_role("entry")[:1]),
    )


def _heaviest_grid(lab: str, plan: Plan) -> Iterable[Fault]:
    membership = domains_of(plan)
    grids = [*membership.all("synchronous_area"), *membership.all("control_area"), *membership.all("local_grid")]
    survived = [grid for grid in grids if predict(plan, [grid]).outcome == "continues"]
    return [PowerOff(lab, plan, _heaviest(plan, survived))] if survived else []


def _heaviest(plan: Plan, domains: Iterable[Domain]) -> Domain:
    membership = domains_of(plan)
    return max(
        domains, key=lambda it: sum(h.voting_power for h in plan.hosts.values() if h.name in membership.members(it))
    )


def _busiest_link(plan: Plan) -> str:
    return max(plan.links, key=lambda name: sum(name in route.links for route in plan.routes.values()))
