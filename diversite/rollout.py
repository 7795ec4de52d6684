"""A change that stops hosts, taken site by site: in which order, and which step must not be taken.

A step takes one site: whatever of it is made anew is out until its validators sign again. It is judged as the loss of
the whole site, router and entrance included, beside what does not run anyway: that is more than a step stops, so what
is allowed here holds when a step goes worse than it should. A venue that is halted already is not halted by a step.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from diversite import quorum
from diversite.errors import DiversiteError
from diversite.outcome import Outcome, predict, share
from diversite.plan import Host, Plan
from diversite.stackfile.closest import did_you_mean, listed
from diversite.standing import Survey


@dataclass(frozen=True, kw_only=True)
class Step:
    """One site, to be taken while all others run."""

    site: str
    hosts: tuple[str, ...]
    """Everything at the site, by host name."""
    validators: tuple[str, ...]
    """Those of them that must sign again before the next step, by host name; one without power signs nothing."""
    power: int
    total_power: int
    outcome: Outcome
    """While the whole site is out."""
    blockers: tuple[str, ...]
    """Why it must not be taken; empty where it may."""

    @property
    def share(self) -> str:
        """Its part of the voting power, for people."""
        return share(self.power, self.total_power)


def steps(plan: Plan, sites: Collection[str] = (), *, down: Iterable[str] = ()) -> tuple[Step, ...]:
    """The steps of a rollout in their order; `sites` limits it to some, `down` names hosts that do not run anyway.

    First what can do the least harm: sites without an entrance before those with one, little power before much, quick
    recoveries before slow ones. So a bad release is met where few depend on it.

    Raises:
        DiversiteError: a site that the plan has not.
    """
    _require_known(plan, sites)
    survey, out = Survey(plan), frozenset(down) & plan.hosts.keys()
    found = (_step(survey, site, out) for site in plan.sites if not sites or site in sites)
    return tuple(sorted(found, key=lambda step: _harm(plan, step)))


def without_power(plan: Plan, names: Collection[str]) -> Plan:
    """The venue as its chain has it while these validators, by host name, have no voting power yet."""
    hosts = {name: replace(host, voting_power=0) if name in names else host for name, host in plan.hosts.items()}
    return replace(plan, hosts=hosts)


def _require_known(plan: Plan, sites: Collection[str]) -> None:
    for site in sites:
        if site not in plan.sites:
            near = did_you_mean(site, plan.sites)
            raise DiversiteError(f"{plan.venue} has no site {site!r}{near}; it has {listed(plan.sites)}")


def _step(survey: Survey, site: str, down: frozenset[str]) -> Step:
    plan = survey.plan
    hosts = plan.at_site(site)
    names = frozenset(host.name for host in hosts)
    return Step(
        site=site,
        hosts=tuple(host.name for host in hosts),
        validators=tuple(host.name for host in hosts if host.voting_power),
        power=survey.power_of(names),
        total_power=survey.total,
        outcome=predict(plan, (), down=down | names, survey=survey),
        blockers=tuple(_blockers(survey, hosts, down)),
    )


def _blockers(survey: Survey, hosts: tuple[Host, ...], down: frozenset[str]) -> Iterator[str]:
    names, model, total = frozenset(host.name for host in hosts), survey.fault_model, survey.total
    before, standing = (survey.standing(survey.loss((), out)) for out in (down, down | names))
    own = survey.power_of(names)
    if not before.main:
        return
    if quorum.is_lost(own, total, model):
        yield f"it holds {share(own, total)} of the power, and a {model} quorum is lost at 1 of {quorum.PARTS[model]}"
    elif not standing.main:
        without = share(standing.lost_power, total)
        yield f"with what does not run already, {without} of the power would be out; bring that back first"
    elif before.serving and not standing.serving:
        yield "no entrance would be left that reaches an engine"


def _harm(plan: Plan, step: Step) -> tuple[int, int, float, str]:
    entrances = sum(plan.hosts[name].role == "entry" for name in step.hosts)
    recovery = step.outcome.rto_seconds
    return entrances, step.power, recovery.high if recovery else float("inf"), step.site
