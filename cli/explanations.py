"""`diversite check --explain`: the whole reasoning behind one objective, met or not.

Every case that was judged is a row, worst first, with the figures that the verdict compares; the arithmetic is stated
with the numbers of this venue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console

from cli.console import new_table
from cli.verdicts import Judged, dotted, failure_text, remedy_lines
from diversite import consensus, quorum
from diversite.bench import Bench
from diversite.docstrings import describe
from diversite.domains import Domain
from diversite.errors import DiversiteError
from diversite.outcome import predict, share
from diversite.standing import CLASSES, Loss, Standing
from diversite.topology import Bounds, Objective, Recovery

if TYPE_CHECKING:
    from diversite.plan import Plan
    from diversite.verdict import Finding

Row = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One finding and everything that it follows from."""

    where: str
    """File and line of the objective."""
    finding: Finding
    about: str
    """What the objective asks, as the vocabulary of stack files tells it."""
    arithmetic: tuple[str, ...]
    rows: tuple[Row, ...]
    """The cases, worst first; all have the same columns."""
    lost: Mapping[str, tuple[str, ...]]
    """The hosts and links of each failure domain that breaks it."""


def explained(each: Judged, objective: str) -> Explanation:
    """An objective by its id or path; DiversiteError with those that there are."""
    assert each.plan is not None  # noqa: S101  # a judged file has a plan
    finding = _finding(each, objective)
    bench = Bench(each.plan)
    wish = _objective(each.plan, finding)
    rows = _survive_rows(bench, wish) if wish else _OTHER_ROWS.get(finding.id, _no_rows)(bench)
    return Explanation(
        where=f"{each.file.path}:{each.line_of(finding.path)}",
        finding=finding,
        about=_about(finding, wish),
        arithmetic=tuple(_arithmetic(bench, finding)),
        rows=tuple(rows),
        lost={str(domain): _members(bench, domain) for domain in _breaking(finding)},
    )


def as_text(explanation: Explanation, console: Console) -> None:
    """All of it for a person."""
    finding = explanation.finding
    told = f"met: {finding.margin}" if finding.met else "NOT MET"
    console.print(f"{finding.id} ({explanation.where}): {finding.wish}", style="bold", markup=False)
    for line in filter(None, (explanation.about, *explanation.arithmetic)):
        console.print(f"  {line}", markup=False)
    _print_rows(explanation.rows, console)
    for name, members in explanation.lost.items():
        console.print(f"  {name} takes {', '.join(members)}", markup=False)
    for failure in finding.failures:
        console.print(f"  ✗ {failure_text(failure)}", style="red", markup=False)
        for reason in failure.unknown:
            console.print(f"      not known: {reason}", markup=False)
    if not finding.met:
        for line in remedy_lines(finding):
            console.print(f"  {line}", markup=False)
    console.print(f"{finding.id}: {told}", style="bold green" if finding.met else "bold red", markup=False)


def as_json(explanation: Explanation) -> dict[str, Any]:
    """All of it for programs."""
    finding = explanation.finding
    return {
        "format": 1,
        "id": finding.id,
        "where": explanation.where,
        "wish": finding.wish,
        "met": finding.met,
        "margin": finding.margin,
        "about": explanation.about,
        "arithmetic": list(explanation.arithmetic),
        "cases": [dict(row) for row in explanation.rows],
        "lost": {name: list(members) for name, members in explanation.lost.items()},
        "failures": [failure_text(failure) for failure in finding.failures],
        "remedies": list(remedy_lines(finding)) if not finding.met else [],
    }


def _finding(each: Judged, wanted: str) -> Finding:
    from diversite.stackfile.closest import did_you_mean

    assert each.verdict is not None  # noqa: S101  # as above
    found = {finding.id: finding for finding in each.verdict.findings}
    paths = {dotted(finding.path): finding for finding in reversed(each.verdict.findings)}
    if finding := found.get(wanted) or paths.get(wanted) or found.get(f"bounds.{wanted}"):
        return finding
    known = ", ".join(found)
    raise DiversiteError(f"--explain {wanted}: nothing of that name is judged{did_you_mean(wanted, found)}: {known}")


def _objective(plan: Plan, finding: Finding) -> Objective | None:
    index = finding.path[-1]
    return plan.topology.survive[index] if finding.path[0] == "survive" and isinstance(index, int) else None


def _about(finding: Finding, objective: Objective | None) -> str:
    """The vocabulary's own words, so that they are told the same everywhere."""
    describe(Objective, Bounds, Recovery)
    if objective:
        told = Objective.model_fields["outcome"].description
        return f"outcome {objective.outcome}: {told}" if told else ""
    described = {**Bounds.model_fields, **Recovery.model_fields}.get(str(finding.path[-1]))
    return (described.description if described else None) or ""


def _arithmetic(bench: Bench, finding: Finding) -> Iterator[str]:
    if finding.path[0] == "survive" or finding.id.endswith("orders_lost_max"):
        survey = bench.survey
        total, model, parts = survey.total, survey.fault_model, quorum.PARTS[survey.fault_model]
        most = share(quorum.lost_max(total, model), total)
        yield f"a {model} quorum is lost when {parts} * lost >= total; of {total} power at most {most} may be missing"
        yield "a validator counts only with the engine beside it; an entrance only where it reaches a voting engine"
    elif finding.id == "time-outs":
        timing = bench.plan.timing
        yield f"propose {timing.propose_ms} ms, prevote {timing.prevote_ms} ms, precommit {timing.precommit_ms} ms"
        stalls = (f"S({k}) = {consensus.stall_ms(timing, k):.0f} ms" for k in (1, 2, 3))
        yield f"a stall of k dead proposers in a row: {', '.join(stalls)}"


def _survive_rows(bench: Bench, objective: Objective) -> Iterator[Row]:
    cases = [_worst_case(bench, objective, domain) for domain in bench.survey.membership.all(objective.any)]
    for domain, standing in sorted(cases, key=lambda case: _badness(case[1]), reverse=True):
        met = CLASSES.index(standing.outcome) <= CLASSES.index(objective.outcome)
        watched = standing.watching or objective.while_
        yield {
            "": "✓" if met and watched else "✗",
            "lost": str(domain),
            **({"already down": ", ".join(sorted(standing.loss.down)) or "-"} if objective.while_ else {}),
            "the venue": standing.outcome.replace("_", " "),
            "power lost": share(standing.lost_power, standing.total),
            "validators left": _listed(standing.voting),
            "entrances left": _listed(standing.serving),
            "monitors left": _listed(standing.watching),
        }


def _worst_case(bench: Bench, objective: Objective, domain: Domain) -> tuple[Domain, Standing]:
    survey = bench.survey
    downs: list[tuple[str, ...]] = [(name,) for name in bench.plan.hosts] if objective.while_ else [()]
    return domain, max((survey.standing(survey.loss([domain], down)) for down in downs), key=_badness)


def _badness(standing: Standing) -> tuple[int, int]:
    return CLASSES.index(standing.outcome), standing.lost_power


def _quorum_rows(bench: Bench) -> Iterator[Row]:
    yield from _slowest_first(_quorum_rtts(bench, "", bench.survey.standing(Loss())))


def _quorum_after_loss_rows(bench: Bench) -> Iterator[Row]:
    cases = ((str(domain), standing) for domain, standing in bench.named if standing.main)
    worst = (max(_quorum_rtts(bench, name, standing), key=_round_trip) for name, standing in cases)
    yield from _merged(_slowest_first(list(worst)))


def _quorum_rtts(bench: Bench, lost: str, standing: Standing) -> list[Row]:
    survey = bench.survey
    one_way, power = survey.one_way_ms(survey.unreachable(standing.loss)), survey.voting_power(standing)
    return [
        {
            **({"lost": lost} if lost else {}),
            "proposer at": site,
            "power there": share(power[site], standing.total),
            "round trip to a quorum, ms": f"{consensus.quorum_rtt_ms(one_way, power, site, standing.total):.2f}",
        }
        for site in power
    ]


def _pair_rows(bench: Bench) -> Iterator[Row]:
    yield from _slowest_first(
        [
            {"pair": f"{a} - {b}", "over": ", ".join(route.links), "round trip, ms": f"{route.rtt_ms:.2f}"}
            for (a, b), route in bench.plan.routes.items()
            if a < b
        ]
    )


def _slowest_first(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=_round_trip, reverse=True)


def _round_trip(row: Row) -> float:
    return float(next(value for column, value in row.items() if column.startswith("round trip")))


def _recovery_rows(bench: Bench) -> Iterator[Row]:
    yield from _merged(list(_recoveries(bench)))


def _recoveries(bench: Bench) -> Iterator[Row]:
    outcomes = [predict(bench.plan, [domain], survey=bench.survey) for domain, _ in bench.named]
    going_on = [(it.rto_seconds, it) for it in outcomes if it.rto_seconds and it.recovery]
    for rto, outcome in sorted(going_on, key=lambda item: item[0].high, reverse=True):
        terms = outcome.recovery.terms if outcome.recovery else ()
        yield {
            "lost": str(outcome.lost[0]),
            "going on, s": f"{rto.low:.2f} to {rto.high:.2f}",
            "of which": "; ".join(f"{it.name} {it.ms.low:.0f} to {it.ms.high:.0f} ms ({it.source})" for it in terms),
        }


def _loss_rows(bench: Bench) -> Iterator[Row]:
    rows: list[Row] = [
        {
            "lost": str(domain),
            "consensus": standing.consensus.replace("_", " "),
            "power lost": share(standing.lost_power, standing.total),
        }
        for domain, standing in bench.named
    ]
    yield from _merged(rows)


def _merged(rows: list[Row]) -> Iterator[Row]:
    """Losses that mean the same in one row, at the place of the first."""
    lost: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for row in rows:
        same = tuple((column, value) for column, value in row.items() if column != "lost")
        lost.setdefault(same, []).append(row["lost"])
    for same, names in lost.items():
        yield {**dict(same), "lost": ", ".join(names)}


def _no_rows(_: Bench) -> Iterator[Row]:
    return iter(())


_OTHER_ROWS: Mapping[str, Callable[[Bench], Iterator[Row]]] = {
    "bounds.quorum_rtt_ms_max": _quorum_rows,
    "bounds.quorum_rtt_after_loss_ms_max": _quorum_after_loss_rows,
    "bounds.pair_rtt_ms_max": _pair_rows,
    "bounds.recovery.rto_seconds_max": _recovery_rows,
    "bounds.recovery.orders_lost_max": _loss_rows,
}


def _breaking(finding: Finding) -> Iterator[Domain]:
    yield from dict.fromkeys(domain for failure in finding.failures for domain in failure.lost)


def _members(bench: Bench, domain: Domain) -> tuple[str, ...]:
    return tuple(sorted(bench.survey.membership.members(domain)))


def _print_rows(rows: tuple[Row, ...], console: Console) -> None:
    if rows:
        cells = new_table(*rows[0])
        for row in rows:
            cells.add_row(*(value.replace("[", "\\[") for value in row.values()))
        console.print(cells)


def _listed(names: frozenset[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(names)) or "none"
