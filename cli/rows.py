"""What was found at accounts, and how it is told: one table, then what mends it; or JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from rich.console import Console

from cli.console import new_console, new_table
from cli.formats import plain
from cli.stacks import SUBSTRATE, StackFile, configuration, near, of_lab

if TYPE_CHECKING:
    from accounts.row import Row
    from diversite.plan import Plan

GOOD, PROBLEMS = 0, 1
"""Exit codes; a wrong file is 2, as everywhere."""
SETTING = "diversite:accounts"
MARKS = {"good": "✓", "problem": "✗", "unknown": "?"}
STYLES = {"good": "green", "problem": "red", "unknown": "yellow"}


def expected_accounts(file: StackFile, plan: Plan) -> Mapping[str, str]:
    """What the stack's settings say that each account is, by the topology's name; DiversiteError where they are wrong.

    A lab has no accounts, so its stack is refused.
    """
    from diversite.errors import DiversiteError

    settings = configuration(file)
    _require_cloud(file, settings)
    said = settings.get(SETTING, {})
    if not isinstance(said, Mapping):
        raise DiversiteError(f"{SETTING} of {file.name}: {said!r} is no map of account names to ids{_example()}")
    names = {site.account for site in plan.sites.values()}
    for name, id_ in said.items():
        if name not in names or not isinstance(id_, str):
            raise DiversiteError(
                f"{SETTING}.{name} of {file.name}: {id_!r}; the accounts of its sites are {', '.join(sorted(names))}, "
                f"and each is a text, in quotes where it is a number{_example()}"
            )
    return dict(said)


def as_text(rows: Sequence[Row], console: Console) -> None:
    """The table, and below it what mends each problem and tells each unknown, once."""
    numbers: dict[str, int] = {}
    table = new_table("", "account", "what", "where", "found", "to do")
    for row in rows:
        number = numbers.setdefault(row.mends, len(numbers) + 1) if row.mends else None
        mark = f"[{STYLES[row.standing]}]{MARKS[row.standing]}[/]"
        cells = (row.account, row.subject, row.where, row.says)
        table.add_row(mark, *map(_escaped, cells), "" if number is None else str(number))
    console.print(table)
    for mends, number in numbers.items():
        console.print(f"{number:>3}  {mends}", markup=False, soft_wrap=True)


def as_json(stack: str, rows: Sequence[Row]) -> dict[str, Any]:
    """All of it for programs; docs/commands.md tells the fields."""
    return {"format": 1, "stack": stack, "good": exit_code(rows) == GOOD, "rows": plain(rows)}


def exit_code(rows: Sequence[Row]) -> int:
    """0 where nothing is a problem; what no API tells is none."""
    return PROBLEMS if any(row.standing == "problem" for row in rows) else GOOD


def closing(rows: Sequence[Row], console: Console, good: str) -> None:
    """The last line: all good, or how many problems there are."""
    problems = sum(row.standing == "problem" for row in rows)
    unknown = sum(row.standing == "unknown" for row in rows)
    by_hand = f"; {unknown} to be seen by hand" if unknown else ""
    said = f"{problems} problem{'' if problems == 1 else 's'}" if problems else good
    console.print(f"{said}{by_hand}", style="bold red" if problems else "bold green", markup=False)


def waiting(says: str) -> AbstractContextManager[object]:
    """Shows that accounts are asked, where a person watches."""
    return new_console(stderr=True).status(says) if sys.stderr.isatty() else nullcontext()


def _require_cloud(file: StackFile, settings: Mapping[str, Any]) -> None:
    from diversite.errors import DiversiteError

    stack = file.stack or file.name
    if settings.get(SUBSTRATE) == "lab" or (not settings and file.stack and of_lab(stack).name == stack):
        raise DiversiteError(
            f"stack {stack} is a lab, which needs no account; name a stack of clouds, or the topology: {file.name} "
            f"({near(file.path)})"
        )


def _example() -> str:
    return f'; as in {SETTING}: {{aws: "123456789012", gcp: a-project-id, hetzner: a-label}}'


def _escaped(text: str) -> str:
    """Square brackets are text here, not Rich's markup."""
    return text.replace("[", "\\[")
