"""What was judged of a stack file, and how it is told: as text, as JSON, as SARIF."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from rich.console import Console

from cli.console import new_table
from cli.formats import plain
from cli.sarif import Result, Rule
from cli.stacks import StackFile

if TYPE_CHECKING:
    from diversite.plan import Plan
    from diversite.stackfile.yamltext import Node, Steps
    from diversite.verdict import Failure, Finding, Verdict

MET, NOT_MET, WRONG = 0, 1, 2
"""Exit codes; of several stack files the highest counts."""
STATUS = {MET: "met", NOT_MET: "not met", WRONG: "wrong"}
TOLD_MAX = 3
"""How many failures of one objective are told without `--explain`."""

IDS_WHOLE_COLUMNS = 80
"""A terminal of that width leaves room beside the longest id, which is then copied without a break."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A stack file, with its verdict or with every problem that it has."""

    file: StackFile
    plan: Plan | None = None
    verdict: Verdict | None = None
    problems: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 met, 1 not met, 2 the file is wrong."""
        if self.verdict is None:
            return WRONG
        return MET if self.verdict.met else NOT_MET

    def line_of(self, steps: Steps) -> int:
        """The line of what stands at these keys and indexes, or of the nearest that the file has around them."""
        return self.mark_of(steps)[0]

    def mark_of(self, steps: Steps) -> tuple[int, int]:
        """The same, line and column."""
        return self._text.mark_of(steps) if self._text and steps[:1] else (1, 1)

    @cached_property
    def _text(self) -> Node | None:
        from diversite.stackfile import yamltext

        return yamltext.read(self.file.path.read_text(encoding="utf-8-sig"))[0]


def judged(file: StackFile, *, remedies: bool = True) -> Judged:
    """Load, plan and judge a stack file; its problems are in what is returned, not raised."""
    from diversite import stackfile
    from diversite.errors import DiversiteError, TopologyError
    from diversite.judge import judge
    from diversite.plan import plan

    try:
        planned = plan(stackfile.load(file.path))
        verdict = judge(planned, remedies=remedies)
    except TopologyError as error:
        return Judged(file=file, problems=error.problems)
    except DiversiteError as error:
        return Judged(file=file, problems=(f"{file.path}: {error}",))
    return Judged(file=file, plan=planned, verdict=verdict)


def as_text(each: Judged, console: Console) -> None:
    """Everything for a person, blockers last and in full."""
    for problem in each.problems:
        console.print(problem, style="red", markup=False)
    if each.verdict is None:
        console.print(f"{each.file.path} is wrong: {_count(len(each.problems), 'problem')}", markup=False)
        return
    _met(each.verdict, console)
    for finding in each.verdict.blockers:
        _blocker(each, finding, console)
    _figures(each.verdict, console)
    count = len(each.verdict.findings)
    told = f"met, all {count}" if each.verdict.met else f"NOT MET: {len(each.verdict.blockers)} of {count}"
    style = "bold green" if each.verdict.met else "bold red"
    console.print(f"{each.file.path}: {told}", style=style, markup=False)


def as_json(every: Iterable[Judged]) -> dict[str, Any]:
    """All of it for programs; docs/commands.md tells the fields."""
    stacks = [_stack_json(each) for each in every]
    return {"format": 1, "met": all(stack["status"] == STATUS[MET] for stack in stacks), "stacks": stacks}


def as_results(every: Iterable[Judged]) -> Iterator[Result]:
    """Problems, blockers and notes, each at its line."""
    for each in every:
        for problem in each.problems:
            line, _, says = problem_parts(problem)
            column = getattr(problem, "column", None)
            file = each.file.path
            yield Result(rule=STACK_FILE, level="error", message=says, file=file, line=line or 1, column=column)
        if each.verdict:
            yield from _verdict_results(each, each.verdict)


STACK_FILE = Rule(
    id="stack-file",
    says="A stack file is well-formed and agrees with itself and the catalogue.",
    help="docs/topology.md tells every key; stacks/europe.yaml is a whole file.",
)
NOTE = Rule(id="note", says="What no objective forbids and a person should know.")


def problem_parts(problem: str) -> tuple[int | None, str, str]:
    """Line, path and sentence of a problem of a stack file; no line where it is about the file as a whole."""
    line, path = getattr(problem, "line", None), getattr(problem, "path", "")
    if line is None:
        return None, "", problem.partition(": ")[2] or problem
    return line, path, problem.removeprefix(f"{problem.file}:{line}: ")  # type: ignore[attr-defined]  # a Problem


def failure_text(failure: Failure) -> str:
    """What breaks it, and by how much, in one sentence."""
    down = f" while {', '.join(failure.down)} is down" if failure.down else ""
    lost = " and ".join(map(str, failure.lost))
    return f"{lost}{down}: {failure.says}" if lost else failure.says


def dotted(path: Steps) -> str:
    """`bounds.recovery.rto_seconds_max`, `survive[2]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _met(verdict: Verdict, console: Console) -> None:
    rows = new_table("", "", "", "", header=False)
    for finding in verdict.findings:
        if finding.met:
            rows.add_row("[green]✓[/green]", _escaped(finding.id), _escaped(finding.wish), _escaped(finding.margin))
    rows.columns[1].no_wrap = console.width >= IDS_WHOLE_COLUMNS
    if rows.row_count:
        console.print(rows)


def _blocker(each: Judged, finding: Finding, console: Console) -> None:
    where = f"{each.file.path}:{each.line_of(finding.path)}"
    console.print(f"✗ {finding.id}: {finding.wish} ({where})", style="bold red", markup=False)
    for failure in finding.failures[:TOLD_MAX]:
        console.print(f"    {failure_text(failure)}", markup=False)
        if failure.unknown:
            console.print(f"      {_unknown(failure)}", markup=False)
    more = finding.failure_count - len(finding.failures[:TOLD_MAX])
    if more > 0:
        tells = f"diversite check {each.file.stack or each.file.path} --explain '{finding.id}'"
        console.print(f"    and {_count(more, 'failure')} more: {tells}", markup=False)
    for line in remedy_lines(finding):
        console.print(f"    {line}", markup=False)


def remedy_lines(finding: Finding) -> Iterator[str]:
    """What can be done about a blocker."""
    if finding.change:
        kind = "or give up the wish" if finding.change.loosens else "smallest change that removes it"
        yield f"{kind}: {finding.change.says}"
    if finding.ways_out:
        yield "ways out, as no placement can fulfil it:"
        yield from (f"  - {way}" for way in finding.ways_out)
    if not finding.change and not finding.ways_out:
        yield "no single change was found that removes it (the search is bounded)"


def _unknown(failure: Failure) -> str:
    first, rest = failure.unknown[0], len(failure.unknown) - 1
    return f"not known: {first}{f'; and {rest} more such' if rest else ''}"


def _figures(verdict: Verdict, console: Console) -> None:
    for note in verdict.notes:
        console.print(f"note: {note}", markup=False)
    least = ", ".join(f"{kind.replace('_', ' ')} {count or 'never'}" for kind, count in verdict.coefficients.items())
    console.print(f"fewest domains whose loss halts it (Nakamoto coefficient): {least}", markup=False)


def _stack_json(each: Judged) -> dict[str, Any]:
    told: dict[str, Any] = {
        "file": str(each.file.path),
        "stack": each.file.stack,
        "status": STATUS[each.exit_code],
        "problems": [_problem_json(problem) for problem in each.problems],
        "findings": [],
        "coefficients": {},
        "notes": [],
    }
    if each.verdict:
        findings = [_finding_json(each, finding) for finding in each.verdict.findings]
        told |= {"findings": findings, "notes": list(each.verdict.notes)}
        told |= {"coefficients": dict(each.verdict.coefficients)}
    return told


def _problem_json(problem: str) -> dict[str, Any]:
    line, path, says = problem_parts(problem)
    return {"line": line, "path": path, "says": says}


def _finding_json(each: Judged, finding: Finding) -> dict[str, Any]:
    change = finding.change
    return {
        "id": finding.id,
        "path": dotted(finding.path),
        "line": each.line_of(finding.path),
        "wish": finding.wish,
        "met": finding.met,
        "margin": finding.margin,
        "failures": plain(finding.failures),
        "failure_count": finding.failure_count,
        "change": {"says": change.says, "loosens": change.loosens} if change else None,
        "ways_out": list(finding.ways_out),
    }


def _verdict_results(each: Judged, verdict: Verdict) -> Iterator[Result]:
    for finding in verdict.blockers:
        yield result_at(each, finding.path)(rule=_rule(each, finding), level="error", message=_message(finding))
    for note in verdict.notes:
        yield result_at(each, ("venue",))(rule=NOTE, level="note", message=note)


def result_at(each: Judged, steps: Steps) -> Callable[..., Result]:
    """Makes results at what stands at these keys and indexes of a stack file."""
    line, column = each.mark_of(steps)
    return partial(Result, file=each.file.path, line=line, column=column)


def _rule(each: Judged, finding: Finding) -> Rule:
    """A rule's id says what is wished; an index would name another one after an edit."""
    index, says = finding.path[-1], f"{finding.wish[:1].upper()}{finding.wish[1:]}."
    explain = "`diversite check STACK --explain OBJECTIVE` tells the whole reasoning."
    if each.plan is None or not isinstance(index, int):
        return Rule(id=finding.id, says=says, help=explain)
    objective = each.plan.topology.survive[index]
    return Rule(id="/".join(filter(None, ("survive", objective.any, objective.while_))), says=says, help=explain)


def _message(finding: Finding) -> str:
    told = [failure_text(failure) for failure in finding.failures[:TOLD_MAX]]
    more = finding.failure_count - len(told)
    lines = [f"Not met: {finding.wish}.", *told, *([f"and {more} more"] if more > 0 else []), *remedy_lines(finding)]
    return "\n".join(lines)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _escaped(text: str) -> str:
    """Square brackets are text here, not Rich's markup."""
    return text.replace("[", "\\[")
