"""A preview, told as text, JSON or SARIF: the resource tree, counts, and every policy's result grouped by cause."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from cli import changes, verdicts
from cli.console import new_table
from cli.formats import plain
from cli.sarif import Level, Result, Rule
from cli.verdicts import MET, NOT_MET, WRONG, Judged

if TYPE_CHECKING:
    from diversite.judge import ChangeVerdict
    from offline import Preview, Resource

NAMED_MAX = 8
"""How many resources of one kind, or one cause, are named in the text."""
PROGRAM = Rule(
    id="program",
    says="The program runs, and declares only what can be previewed.",
    help="`diversite check STACK` judges the topology alone; docs/offline.md tells what is refused.",
)
CHANGE = Rule(
    id="change",
    says="One `up` does not stop a third of the power, or every entrance, together.",
    help="`diversite rollout STACK` takes such a change site by site.",
)


@dataclass(frozen=True, kw_only=True)
class Cause:
    """What a policy objects to, once for all resources that share it."""

    policy: str
    enforcement: str
    severity: str
    message: str
    urns: tuple[str, ...]

    @property
    def mandatory(self) -> bool:
        """Whether it blocks."""
        return self.enforcement in ("mandatory", "remediate")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A stack, the verdict on its file, and its preview; none where the file is wrong or not met."""

    stack: str
    judged: Judged
    preview: Preview | None = None
    change: ChangeVerdict | None = None
    """What an `up` would do to the venue that runs; None where none does, or nobody knows which."""

    @property
    def exit_code(self) -> int:
        """0 all is met, 1 a policy or an objective is not, 2 the file is wrong or the program fails."""
        if self.preview is None or self.judged.exit_code != MET:
            return self.judged.exit_code
        if self.preview.errors:
            return WRONG
        may = self.change is None or self.change.met
        return MET if self.preview.ok and may else NOT_MET

    @property
    def causes(self) -> tuple[Cause, ...]:
        """What the policies say, blockers first."""
        urns: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
        for item in self.preview.policies if self.preview else ():
            urns[item.policy, item.enforcement, item.severity, item.message].extend([item.urn] if item.urn else [])
        found = [
            Cause(policy=policy, enforcement=level, severity=severity, message=message, urns=tuple(dict.fromkeys(urn)))
            for (policy, level, severity, message), urn in urns.items()
        ]
        return tuple(sorted(found, key=lambda cause: not cause.mandatory))


def as_text(seen: Seen, console: Console, *, full: bool = False) -> None:
    """The tree, the counts, the policies and what goes wrong, the verdict last."""
    if seen.preview is None or seen.judged.exit_code != MET:
        verdicts.as_text(seen.judged, console)
    if seen.preview:
        console.print(_tree(seen.stack, seen.preview.resources, full=full))
        console.print(_counts(seen.preview))
        _policies(seen, seen.preview, console)
        if seen.change and not seen.change.met:
            changes.tell(seen.change, seen.stack, console)
        _end(seen, seen.preview, console)


def as_json(seen: Seen) -> dict[str, Any]:
    """All of it for programs; no inputs or outputs, which may hold secrets."""
    document: dict[str, Any] = {"format": 1, "stack": seen.stack, "met": seen.exit_code == MET}
    document |= {"file": verdicts.as_json([seen.judged])["stacks"][0]}
    if found := seen.preview:
        document |= {
            "seconds": round(found.seconds, 3),
            "steps": plain(found.steps),
            "types": plain(Counter(resource.type for resource in found.resources)),
            "resources": [_resource_json(resource) for resource in found.resources],
            "policies_run": list(found.policies_run),
            "findings": plain(seen.causes),
            "diagnostics": plain(found.diagnostics),
            "change": changes.as_json(seen.change) if seen.change else None,
        }
    return document


def as_results(seen: Seen) -> Iterator[Result]:
    """Problems of the file, failures of the program and findings of the policies, each at the line it comes from."""
    yield from verdicts.as_results([seen.judged])
    if seen.preview is None:
        return
    resources = {resource.urn: resource for resource in seen.preview.resources}
    if seen.judged.exit_code == MET:
        for error in seen.preview.errors:
            names = tuple(filter(None, (error.urn,)))
            yield _at(seen, names, resources)(rule=PROGRAM, level="error", message=error.message)
    for blocker in seen.change.blockers if seen.change else ():
        yield Result(rule=CHANGE, level="error", message=blocker, file=seen.judged.file.path)
    for cause in seen.causes:
        rule = Rule(id=f"policy/{cause.policy}", says=f"The policy {cause.policy} holds.", help="See docs/policies.md.")
        level: Level = "error" if cause.mandatory else "warning"
        yield _at(seen, cause.urns, resources)(rule=rule, level=level, message=cause.message)


def _at(seen: Seen, urns: tuple[str, ...], resources: Mapping[str, Resource]) -> Callable[..., Result]:
    """A result about these resources, where the stack file asks for the first of them."""
    tags = _tags(resources[urns[0]]) if urns and urns[0] in resources else {}
    return partial(verdicts.result_at(seen.judged, _steps(seen.judged, tags)), names=urns)


_SECTIONS = {"validator": "validators", "engine": "engines", "entry": "order_entry", "monitor": "monitoring"}


def _steps(judged: Judged, tags: Mapping[str, Any]) -> tuple[str, ...]:
    """Where the stack file asks for a resource, by the tags that it carries."""
    host = judged.plan.hosts.get(str(tags.get("node"))) if judged.plan else None
    if host and host.role in _SECTIONS:
        return _SECTIONS[host.role], host.key
    if "site" in tags:
        return "sites", str(tags["site"])
    return ("links", str(tags["group"])) if "group" in tags else ("venue",)


def _tags(resource: Resource) -> Mapping[str, Any]:
    found = plain(resource.inputs.get("tags")) or plain(resource.inputs.get("labels"))
    return found if isinstance(found, Mapping) else {}


def _tree(stack: str, resources: Sequence[Resource], *, full: bool) -> Tree:
    children: dict[str, list[Resource]] = defaultdict(list)
    urns = {resource.urn for resource in resources}
    for resource in resources:
        children[resource.parent if resource.parent in urns else ""].append(resource)
    tree = Tree(Text(stack, style="bold"))
    _branch(tree, children[""], children, full=full)
    return tree


def _branch(tree: Tree, level: list[Resource], children: Mapping[str, list[Resource]], *, full: bool) -> None:
    """One branch a resource, or a type: alike resources are one, and so are those below them."""
    alike: dict[str, list[Resource]] = defaultdict(list)
    for resource in level:
        alike[resource.urn if full else resource.type].append(resource)
    for _, group in sorted(alike.items()):
        below = [child for resource in group for child in children.get(resource.urn, ())]
        _branch(tree.add(Text(_label(group, full=full))), below, children, full=full)


def _label(group: Sequence[Resource], *, full: bool) -> str:
    kind = group[0].type.partition(":")[2].replace("index:", "")
    number = f" {len(group)}" if len(group) > 1 else ""
    names = sorted({resource.name if full else _own_name(resource) for resource in group} - {""})
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    named = f": {', '.join(names[:NAMED_MAX])}{more}" if names else ""
    return f"{kind}{number}{named} ({_steps_text(group)})"


def _own_name(resource: Resource) -> str:
    """What its name adds to its parent's; nothing where it is the same."""
    parent = resource.parent.rpartition("::")[2]
    return resource.name.removeprefix(parent).removeprefix("-")


def _steps_text(group: Iterable[Resource]) -> str:
    steps = Counter(resource.step.value for resource in group)
    return next(iter(steps)) if len(steps) == 1 else ", ".join(f"{count} {step}" for step, count in steps.items())


def _counts(found: Preview) -> Any:
    steps = [step for step, count in found.steps.items() if count]
    rows = new_table("type", *(step.value for step in steps), "all")
    by_type: dict[str, Counter[str]] = defaultdict(Counter)
    for resource in found.resources:
        by_type[resource.type][resource.step.value] += 1
    for type_, counts in sorted(by_type.items()):
        rows.add_row(type_, *(str(counts[step.value] or "-") for step in steps), str(counts.total()))
    rows.add_row("all", *(str(found.steps[step]) for step in steps), str(len(found.resources)))
    return rows


def _policies(seen: Seen, found: Preview, console: Console) -> None:
    objecting = {cause.policy for cause in seen.causes}
    if quiet := [name for name in found.policies_run if name not in objecting]:
        console.print(Text.assemble((f"✓ {len(quiet)} policies hold: ", "green"), ", ".join(quiet)))
    by_policy: dict[tuple[str, str, str], list[Cause]] = defaultdict(list)
    for cause in seen.causes:
        by_policy[cause.policy, cause.enforcement, cause.severity].append(cause)
    for (policy, enforcement, severity), causes in by_policy.items():
        mark, style = ("✗", "bold red") if causes[0].mandatory else ("!", "yellow")
        console.print(f"{mark} {policy} ({enforcement}, {severity})", style=style, markup=False)
        for cause in causes:
            at = f" [at {_named(cause.urns)}]" if cause.urns else ""
            console.print(f"    {cause.message}{at}", markup=False)


def _end(seen: Seen, found: Preview, console: Console) -> None:
    for item in found.diagnostics:
        if item.severity in ("warning", "error"):
            style = "red" if item.severity == "error" else "yellow"
            where = f" ({item.urn})" if item.urn else ""
            console.print(f"{item.severity}: {item.message}{where}", style=style, markup=False)
    steps = ", ".join(f"{count} {step.value}" for step, count in found.steps.items() if count)
    told = {MET: "all policies hold", NOT_MET: "NOT MET", WRONG: "it cannot be deployed"}[seen.exit_code]
    style = "bold green" if seen.exit_code == MET else "bold red"
    policies = f"{len(found.policies_run)} policies" if found.policies_run else "no policy pack"
    told = told if found.policies_run or seen.exit_code != MET else "the program runs"
    console.print(f"{seen.stack}: {told}; {steps}; {policies}; {found.seconds:.1f} s", style=style, markup=False)


def _named(urns: Sequence[str]) -> str:
    names = [urn.rpartition("::")[2] for urn in urns]
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return f"{', '.join(names[:NAMED_MAX])}{more}"


def _resource_json(resource: Resource) -> dict[str, Any]:
    return {
        "urn": resource.urn,
        "type": resource.type,
        "name": resource.name,
        "step": resource.step.value,
        "parent": resource.parent,
        "changed": list(resource.changed),
    }
