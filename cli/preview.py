"""`diversite preview`: what the engine would do, and every policy's result, without the engine or a login."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import new_console
from cli.formats import Format, write
from cli.stacks import FLAGSHIP, PROJECT, Target, near, target

if TYPE_CHECKING:
    from cli.previews import Seen
    from offline.results import OnEvent

PACK = PROJECT / "policies"
STANDARD_INPUT = "-"


def preview(
    stack: Annotated[str, typer.Argument(metavar="[STACK]", help="A topology is previewed as its lab.")] = "",
    form: Annotated[Format, typer.Option("--format", help="sarif: for what annotates changes in CI.")] = "text",
    state: Annotated[
        str | None, typer.Option(metavar="FILE", help="Judge an exported state instead; - reads standard input.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Every resource, not every kind of them.")] = False,
) -> None:
    """Run the program and the policy pack without the Pulumi CLI, a login or a cloud.

    Exit code 0: all policies hold; 1: one does not, or the topology's objectives are not met; 2: it cannot be run.
    """
    from cli import previews, sarif

    seen = _of_state(stack, state) if state else _of_program(target(stack or FLAGSHIP))
    if form == "json":
        write(previews.as_json(seen))
    elif form == "sarif":
        write(sarif.log(previews.as_results(seen), exit_code=seen.exit_code))
    else:
        previews.as_text(seen, new_console(), full=full)
    raise typer.Exit(seen.exit_code)


def _of_program(wanted: Target) -> Seen:
    """The file is judged first: the program refuses what does not meet its objectives, and would tell less of it."""
    import offline
    from cli import changes, previews, verdicts

    each = verdicts.judged(wanted.file)
    if each.exit_code != verdicts.MET:
        return previews.Seen(stack=wanted.stack, judged=each)
    with _turning(f"previewing {wanted.stack}") as turn:
        project, pack = offline.Project.load(PROJECT), _pack()
        found = offline.preview(project, wanted.stack, config=wanted.config, policies=pack, on_event=turn)
    may_run = wanted.is_lab and not found.errors
    change = changes.of_lab(wanted.stack, found, each.plan) if each.plan and may_run else None
    return previews.Seen(stack=wanted.stack, judged=each, preview=found, change=change)


@contextlib.contextmanager
def _turning(says: str) -> Iterator[OnEvent | None]:
    """What turns at a terminal, from the first event on: it is a thread, and who has one can fork no more."""
    console = new_console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    status = console.status(says)
    try:
        yield lambda _event: status.start()
    finally:
        status.stop()


def _of_state(stack: str, source: str) -> Seen:
    import offline
    from cli import changes, exported, previews, verdicts

    text = _read(source)
    pack = _pack()
    if pack is None:
        raise typer.BadParameter("there is no policy pack to judge it with", param_hint="--state")
    wanted = target(stack or exported.stack_of(text))
    project = offline.Project.load(PROJECT)
    found = offline.judge_state(project, wanted.stack, text, config=wanted.config, policies=pack)
    each = verdicts.judged(wanted.file)
    change = changes.of_state(text, each.plan) if each.plan else None
    return previews.Seen(stack=wanted.stack, judged=each, preview=found, change=change)


def _read(source: str) -> str:
    try:
        return sys.stdin.read() if source == STANDARD_INPUT else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{source} cannot be read: {error}", param_hint="--state") from error


def _pack() -> Path | None:
    if (PACK / "PulumiPolicy.yaml").exists():
        return PACK
    said = f"warning: {near(PACK)} holds no policy pack; only the program and its topology are judged"
    new_console(stderr=True).print(said, style="yellow", markup=False)
    return None
