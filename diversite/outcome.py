"""`predict(plan, lost) -> Outcome`: what a failure does to a venue, in words and in figures that a drill can measure.

Three inputs are kept apart: what the plan declares, what is deployed of it (default: all), and what of that is down
already. `lost` is what fails now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from diversite import consensus, quorum, recovery
from diversite.domains import Domain, Unknown
from diversite.kept import Class, Kept
from diversite.network import Route
from diversite.plan import Host, Plan
from diversite.processing import Interval
from diversite.recovery import Percentiles, Recovery
from diversite.rotation import in_units
from diversite.standing import CLASSES, Loss, Standing, Survey, worst

WORDS: Mapping[Class, str] = {
    "continues": "goes on",
    "halts_safely": "halts safely",
    "could_lose_data": "could lose data",
}
EngineState = Literal["serves", "halted", "cut off", "stopped"]

__all__ = ["CLASSES", "Class", "Entrance", "Interval", "Monitoring", "Outcome", "Reroute", "Row", "predict", "worst"]


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """What becomes of one entrance and its clients."""

    serves: bool
    engine_site: str | None
    """Where its orders are handed in; None where it serves nobody."""
    rtt_ms: float | None
    """From the entrance to there and back."""
    rto_seconds: Interval | None
    """For its own clients; a lost entrance's clients go to another one. None where no entrance serves."""


@dataclass(frozen=True, kw_only=True)
class Reroute:
    """A pair of sites whose traffic takes another way, or none."""

    sites: tuple[str, str]
    before: Route
    after: Route | None


@dataclass(frozen=True, kw_only=True)
class Monitoring:
    """Who still sees the venue."""

    watching: tuple[str, ...]
    """Monitors (host names) that run and see the part with a quorum; without a quorum, those that run."""
    unseen_sites: tuple[str, ...]
    """Sites with running hosts that none of them reaches."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure to compare: what was predicted, from low to high."""

    name: str
    low: float
    high: float

    def contains(self, measured: float) -> bool:
        """Whether a measured figure is what was predicted."""
        return self.low <= measured <= self.high


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a failure does to a venue."""

    lost: tuple[Domain, ...]
    down: frozenset[str]
    outcome: Class
    """Of the venue: it continues only while an order can be entered and acknowledged."""
    consensus: Class
    reason: str
    lost_power: int
    total_power: int
    engines: Mapping[str, EngineState]
    """By host name."""
    entrances: Mapping[str, Entrance]
    """By host name."""
    reroutes: tuple[Reroute, ...]
    links_lost: tuple[str, ...]
    monitoring: Monitoring
    recovery: Recovery | None
    """The terms of the recovery time; None without a quorum."""
    rto_seconds: Interval | None
    """To the first acknowledgement of an order sent after the failure; None: only after a repair."""
    gap_seconds: Interval | None
    """The longest time between two acknowledgements, a whole rotation of proposers observed; None as above."""
    resume_seconds: Interval | None
    """From the repair to the next block, where a repair is needed."""
    latency: Percentiles | None
    """Of acknowledgements until the lost are back or out of the validator set; None where none are made."""
    orders_lost: int | None
    """Acknowledged orders that are gone; None: any number may be."""
    actions: tuple[str, ...]
    """What a person must do; empty where nothing is needed."""
    kept: tuple[Kept, ...]
    """What becomes of each store, queue and active-passive engine."""
    unknown: tuple[Unknown, ...]
    """Members that are counted as lost only because their domain is not known."""

    def rows(self) -> tuple[Row, ...]:
        """The figures a drill measures: seconds, milliseconds and orders, as each name says."""
        found = {"rto_seconds": self.rto_seconds, "gap_seconds": self.gap_seconds}
        if self.latency:
            found |= {"p50_ms": self.latency.p50_ms, "p99_ms": self.latency.p99_ms}
        if self.rto_seconds is None:
            found["resume_seconds"] = self.resume_seconds
        if self.orders_lost is not None:
            found["orders_lost"] = Interval(0, self.orders_lost)
        return tuple(Row(name=name, low=value.low, high=value.high) for name, value in found.items() if value)


def predict(
    plan: Plan,
    lost: Iterable[Domain],
    *,
    down: Iterable[str] = (),
    deployed: frozenset[str] | None = None,
    survey: Survey | None = None,
) -> Outcome:
    """What happens when the domains `lost` fail while the hosts and links named `down` do not run.

    `deployed` names the hosts and links that exist (None: all declared). A `survey` of the same plan and deployment
    saves reading them again.
    """
    survey = survey or Survey(plan, deployed)
    loss = survey.loss(lost, down)
    standing = survey.standing(loss)
    found = recovery.recovery(survey, standing) if standing.main else None
    goes_on = found if standing.outcome == "continues" else None
    return Outcome(
        lost=loss.domains,
        down=loss.down,
        outcome=standing.outcome,
        consensus=standing.consensus,
        reason=_reason(survey, standing),
        lost_power=standing.lost_power,
        total_power=standing.total,
        engines={host.name: _engine(survey, standing, host) for host in plan.of_role("engine")},
        entrances=_entrances(survey, standing, goes_on),
        reroutes=tuple(_reroutes(survey, loss)),
        links_lost=_links_lost(survey, loss),
        monitoring=_monitoring(survey, standing),
        recovery=found,
        rto_seconds=goes_on.rto_seconds if goes_on else None,
        gap_seconds=goes_on.gap_seconds if goes_on else None,
        resume_seconds=None if goes_on else recovery.resume_seconds(standing),
        latency=recovery.latency(survey, standing) if goes_on else None,
        orders_lost=None if standing.outcome == "could_lose_data" else 0,
        actions=tuple(_actions(survey, standing, found)),
        kept=standing.kept,
        unknown=_unknown(survey, loss),
    )


def share(part: int, total: int) -> str:
    """A share of the power for people: `2 of 7 (28.5 %)`; what is just short of a third is not rounded up to it."""
    return f"{in_units(part)} of {in_units(total)} ({1000 * part // max(1, total) / 10:.1f} %)"


def _reason(survey: Survey, standing: Standing) -> str:
    loss, model, total = standing.loss, survey.fault_model, standing.total
    lost = f"{share(standing.lost_power, total)} of the voting power takes no part"
    if standing.consensus == "could_lose_data":
        return f"{lost}; {_danger(survey, loss)}"
    if not standing.main:
        return f"{lost}, and a {model} quorum is lost at 1 of {quorum.PARTS[model]}"
    if not standing.serving:
        return f"{lost}, blocks go on, but no entrance that runs reaches an engine that could acknowledge"
    if stopped := [item for item in standing.kept if item.outcome == standing.outcome != "continues"]:
        return f"{lost}, but {stopped[0].name} {WORDS[standing.outcome]}: {stopped[0].reason}"
    return f"{lost}, and a {model} quorum is lost only at 1 of {quorum.PARTS[model]}"


def _danger(survey: Survey, loss: Loss) -> str:
    if loss.lying and quorum.is_lost(survey.power_of(loss.lying), survey.total, survey.fault_model):
        names = ", ".join(domain.identity for domain in loss.domains if domain.kind == "release")
        return f"a fault in {names} may make that much of the power sign what is wrong"
    return "a whole quorum is destroyed with its disks, and an acknowledged order may have been nowhere else"


def _engine(survey: Survey, standing: Standing, host: Host) -> EngineState:
    if host.name in standing.loss.stopped:
        return "stopped"
    if standing.main and host.site not in standing.main:
        return "cut off"
    voting = any(host.name in survey.units[key].hosts for key in standing.voting)
    return "serves" if standing.main and voting else "halted"


def _entrances(survey: Survey, standing: Standing, found: Recovery | None) -> dict[str, Entrance]:
    one_way = survey.one_way_ms(survey.unreachable(standing.loss))
    entrances = {}
    for host in survey.plan.of_role("entry"):
        serves = host.name in standing.serving
        engine = recovery.nearest_engine(survey, standing, host.site, one_way) if serves else (None, None)
        entrances[host.name] = Entrance(
            serves=serves,
            engine_site=engine[0],
            rtt_ms=engine[1],
            rto_seconds=found.rto_seconds_at(host.name) if found else None,
        )
    return entrances


def _reroutes(survey: Survey, loss: Loss) -> Iterator[Reroute]:
    """Pairs of sites whose routers both run and whose way has changed."""
    lost = survey.unreachable(loss)
    after = survey.routes(lost)
    for (a, b), route in survey.plan.routes.items():
        if a < b and lost.isdisjoint((a, b)) and after.get((a, b)) != route:
            yield Reroute(sites=(a, b), before=route, after=after.get((a, b)))


def _links_lost(survey: Survey, loss: Loss) -> tuple[str, ...]:
    lost = survey.unreachable(loss)
    return tuple(name for name, link in survey.plan.links.items() if not lost.isdisjoint((name, *link.sites)))


def _monitoring(survey: Survey, standing: Standing) -> Monitoring:
    island = {site: sites for sites in standing.islands for site in sites}
    seen = frozenset().union(*(island[survey.plan.hosts[name].site] for name in standing.watching))
    running = {host.site for host in survey.plan.hosts.values() if host.name not in standing.loss.stopped}
    return Monitoring(watching=standing.watching, unseen_sites=tuple(sorted(running - seen)))


def _actions(survey: Survey, standing: Standing, found: Recovery | None) -> Iterator[str]:
    if standing.consensus == "could_lose_data":
        yield "stop order entry, keep every disk that is left, and reconcile the books before anything restarts"
    elif not standing.main:
        yield _bring_back(survey, standing)
    yield from (f"repair {item.name}: {item.reason}" for item in standing.kept if item.recovery is None)
    if standing.main and not standing.serving:
        yield "bring an entrance back, or make one at a site that still takes part; clients cannot send orders"
    if not standing.watching:
        yield "look by hand: no monitor sees the venue"
    if found and found.dead_in_a_row:
        stall_ms = consensus.stall_ms(survey.plan.timing, found.dead_in_a_row)
        yield f"if they stay away, take the lost validators out of the set: every rotation stalls {stall_ms:.0f} ms"
    if standing.loss.destroyed & _signers(survey):
        yield "replace a validator whose disk is gone only after its old signer is deleted: two signers break safety"
    if standing.loss.frozen:
        yield f"nothing can be made, replaced or removed at {_sites(survey, standing.loss.frozen)} until it is back"


def _bring_back(survey: Survey, standing: Standing) -> str:
    missing = standing.lost_power - quorum.lost_max(standing.total, survey.fault_model)
    part = missing / max(1, standing.total)
    names = sorted(unit.key for unit in survey.units.values() if unit.key not in standing.voting)
    if not names:
        return f"bring back {_told(part)} of the voting power: join the parts of the network again"
    return f"bring back {_told(part)} of the voting power, of {', '.join(names)}"


def _told(part: float) -> str:
    return "any part" if part < quorum.SHARE_TOLD_MIN else f"{100 * part:.1f} %"


def _signers(survey: Survey) -> frozenset[str]:
    return frozenset(host.name for host in survey.plan.of_role("validator"))


def _sites(survey: Survey, hosts: Iterable[str]) -> str:
    return ", ".join(sorted({survey.plan.hosts[name].site for name in hosts}))


def _unknown(survey: Survey, loss: Loss) -> tuple[Unknown, ...]:
    return tuple(item for kind in {d.kind for d in loss.domains} for item in survey.membership.unknown_of(kind))
