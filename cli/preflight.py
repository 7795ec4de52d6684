"""`diversite preflight`: whether the venue's accounts are ready for the first deployment; they are only read."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.console import new_console
from cli.formats import TextOrJson, write
from cli.stacks import FLAGSHIP, resolve


def preflight(
    stack: Annotated[str, typer.Argument(metavar="[STACK]", help="A stack of clouds, or a topology.")] = FLAGSHIP,
    form: Annotated[TextOrJson, typer.Option("--format")] = "text",
) -> None:
    """Ask the providers, with your own credentials, whether the venue can be deployed: all problems at once.

    Exit code 0: ready; 1: there are problems, each with what mends it; 2: the file or its settings are wrong.
    """
    from accounts.preflight import preflight as inquire
    from cli import rows
    from diversite import stackfile
    from diversite.plan import plan

    file = resolve(stack)
    planned = plan(stackfile.load(file.path))
    expected = rows.expected_accounts(file, planned)
    name = file.stack or file.name
    with rows.waiting(f"asking the accounts of {name}"):
        found = inquire(planned, expected, name)
    if form == "json":
        write(rows.as_json(name, found))
    else:
        rows.as_text(found, new_console())
        rows.closing(found, new_console(), f"{name}: ready to be deployed")
    raise typer.Exit(rows.exit_code(found))
