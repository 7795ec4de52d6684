"""`diversite check`: the verdict on topologies, at the desk and in CI; no cloud, no login, no network."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.formats import Format, write
from cli.stacks import FLAGSHIP, resolve, topologies


def check(
    stacks: Annotated[
        list[str] | None, typer.Argument(metavar="[STACK|FILE]...", help="Without any, the flagship.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every topology in stacks/.")] = False,
    form: Annotated[Format, typer.Option("--format", help="sarif: for what annotates changes in CI.")] = "text",
    explain: Annotated[
        str | None, typer.Option(metavar="OBJECTIVE", help="One objective in full, by its id or path: survive[2].")
    ] = None,
) -> None:
    """Judge topologies: each objective met, or what breaks it, by how much, and the smallest change that mends it.

    Exit code 0: met; 1: not met; 2: a file is wrong, with every problem of it.
    """
    names = list(topologies()) if every else stacks or [FLAGSHIP]
    if explain is None:
        raise typer.Exit(_judge(names, form))
    if len(names) > 1 or form == "sarif":
        raise typer.BadParameter("one stack file is explained at a time, as text or json", param_hint="--explain")
    raise typer.Exit(_explain(names[0], explain, form))


def _judge(names: list[str], form: Format) -> int:
    from cli import sarif, verdicts
    from cli.console import new_console

    files = {file.path.resolve(): file for file in map(resolve, names)}
    every = [verdicts.judged(file) for file in files.values()]
    code = max(each.exit_code for each in every)
    if form == "json":
        write(verdicts.as_json(every))
    elif form == "sarif":
        write(sarif.log(verdicts.as_results(every), exit_code=code))
    else:
        for each in every:
            verdicts.as_text(each, new_console())
    return code


def _explain(name: str, objective: str, form: Format) -> int:
    from cli import explanations, verdicts
    from cli.console import new_console

    each = verdicts.judged(resolve(name))
    if each.verdict is None:
        verdicts.as_text(each, new_console())
        return each.exit_code
    explained = explanations.explained(each, objective)
    if form == "json":
        write(explanations.as_json(explained))
    else:
        explanations.as_text(explained, new_console())
    return verdicts.MET if explained.finding.met else verdicts.NOT_MET
