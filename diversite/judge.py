"""The verdict on a topology, and on a change of one: every blocker at once, each with what would remove it.

`judge` takes one plan. `judge_change` takes two: the hosts that one `up` would stop together are a loss like any
other, and an objective counts against the change only if it was met before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from diversite import quorum
from diversite.bench import Bench
from diversite.outcome import Outcome, predict, share
from diversite.plan import Host, Plan
from diversite.remedies import with_remedies
from diversite.standing import Survey
from diversite.verdict import Change, Failure, Finding, Verdict

__all__ = ["Change", "ChangeVerdict", "Failure", "Finding", "Stop", "Verdict", "judge", "judge_change"]


def judge(plan: Plan, *, remedies: bool = True) -> Verdict:
    """Every objective of the plan's topology. `remedies`: look for the smallest change that removes each blocker."""
    bench = Bench(plan)
    findings = tuple(bench.findings())
    if remedies and not all(finding.met for finding in findings):
        findings = with_remedies(plan, findings)
    return Verdict(findings=findings, coefficients=bench.coefficients(), notes=tuple(bench.notes()))


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A host that one `up` would stop, and why."""

    host: str
    reason: str
    signer: bool
    """Whether it holds a consensus key: it must be deleted before its replacement is made."""


@dataclass(frozen=True, kw_only=True)
class ChangeVerdict:
    """What one `up` from one plan to another would do."""

    stops: tuple[Stop, ...]
    outcome: Outcome
    """While all of them are stopped together, beside what is down already."""
    blockers: tuple[str, ...]
    """Why it must not be done in one `up`; empty where it may."""
    broken: tuple[Finding, ...]
    """Objectives that were met before and are not afterwards."""
    delete_first: tuple[str, ...]
    """Signers that are replaced: the old one is deleted before the new one is made, never beside it."""
    rollout: tuple[str, ...]
    """Validators whose settings change: `up` leaves them, `rollout` takes them site by site."""

    @property
    def met(self) -> bool:
        """Whether one `up` may do it."""
        return not self.blockers and not self.broken


def judge_change(before: Plan, after: Plan, *, down: Iterable[str] = (), restarts: Iterable[str] = ()) -> ChangeVerdict:
    """What one `up` would do to the running venue; `down` names hosts that are not running anyway.

    `restarts` names hosts that the engine says it would stop, for whatever reason the plans do not tell.
    A repair is judged by what it adds: hosts already down are not stopped by it, and an outage that an objective did
    not allow does not block the change that ends it.
    """
    out = frozenset(down) & before.hosts.keys()
    stops = tuple(stop for stop in _stops(before, after, frozenset(restarts)) if stop.host not in out)
    survey = Survey(before)
    stopped = {stop.host for stop in stops}
    outcome = predict(before, (), down=out | stopped, survey=survey)
    return ChangeVerdict(
        stops=stops,
        outcome=outcome,
        blockers=tuple(_blockers(survey, frozenset(stopped), out, after)),
        broken=_broken(before, after),
        delete_first=tuple(stop.host for stop in stops if stop.signer and stop.host in after.hosts),
        rollout=_rollout(before, after, frozenset(stopped)),
    )


def _stops(before: Plan, after: Plan, restarts: frozenset[str]) -> Iterator[Stop]:
    """Hosts that go, move or are made anew; in a cloud an image, a release or a setting alone stops nothing in `up`."""
    for name, host in before.hosts.items():
        reason = _reason(before, after, host) or ("what it runs changes" if name in restarts else None)
        if reason:
            yield Stop(host=name, reason=reason, signer=host.role == "validator")


def _reason(before: Plan, after: Plan, host: Host) -> str | None:
    """Why a host would not survive the change; None where it would."""
    now = after.hosts.get(host.name)
    if now is None:
        return "it is removed"
    old, new = before.sites[host.site], after.sites[now.site]
    differences = {
        "it moves": (old.place.id, new.place.id),
        "its account changes": (old.account, new.account),
        "its machine changes": (host.machine, now.machine),
        "its address changes": (str(host.address), str(now.address)),
        "its disk shrinks": (0, min(0, now.data_gib - host.data_gib)),
    }
    told = (f"{what} from {a} to {b}" for what, (a, b) in differences.items() if a != b)
    return next(told, None)


def _blockers(survey: Survey, stopped: frozenset[str], down: frozenset[str], after: Plan) -> Iterator[str]:
    model, total = survey.fault_model, survey.total
    running = survey.standing(survey.loss((), down))
    left = survey.standing(survey.loss((), down | stopped))
    power = survey.power_of(stopped - down)
    if quorum.is_lost(power, total, model):
        yield f"it stops {share(power, total)} of the power at once, which halts a {model} quorum; take it in parts"
    elif running.main and not left.main:
        beside = ", beside what is down already," if down else ""
        lost = share(left.lost_power, total)
        yield f"it leaves {lost} of the power out{beside} and the venue halts; take it in parts"
    elif running.serving and not left.serving:
        yield "it stops every entrance that serves; take them one after the other"
    joining = _power_that_joins(survey, after)
    if quorum.is_lost(joining, joining + total, model):
        yield f"it adds {share(joining, total)} of the power that is there: nothing commits until the new ones sign"


def _power_that_joins(survey: Survey, after: Plan) -> int:
    """The power of validators that are new: they count as soon as the set has them, and sign only when they run."""
    return sum(host.voting_power for host in after.of_role("validator") if host.key not in survey.power)


def _broken(before: Plan, after: Plan) -> tuple[Finding, ...]:
    was_met = {(finding.wish, finding.met) for finding in Bench(before).findings()}
    found = Bench(after).findings()
    return tuple(finding for finding in found if not finding.met and (finding.wish, False) not in was_met)


def _rollout(before: Plan, after: Plan, stopped: frozenset[str]) -> tuple[str, ...]:
    """Validators that run on with old settings until they are rolled out."""
    kept = (host for host in before.of_role("validator") if host.name in after.hosts and host.name not in stopped)
    other_timing, peers = before.timing != after.timing, _signers(before) != _signers(after)
    return tuple(
        host.name for host in kept if other_timing or peers or _software(before, host) != _software(after, host)
    )


def _software(plan: Plan, validator: Host) -> list[object]:
    """The image that a validator and its engine boot, and the release that each runs."""
    names = (name for name in (validator.name, validator.partner) if name in plan.hosts)
    hosts = [plan.hosts[name] for name in names if name]
    place = plan.sites[plan.hosts[validator.name].site].place
    images = plan.topology.images.get(f"aws/{place.region}" if place.provider == "aws" else place.provider)
    return [images, *((host.release, plan.topology.releases.get(host.release or "")) for host in hosts)]


def _signers(plan: Plan) -> dict[str, str]:
    return {host.key: str(host.address) for host in plan.of_role("validator")}
