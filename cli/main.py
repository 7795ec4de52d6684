"""The command line: what commands there are, and how a failure is told.

Exit codes: 0 as wished, 1 not met (a verdict, a drill), 2 the input is wrong or the machine cannot.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from cli import lab
from diversite.errors import DiversiteError

MISUSED = 2

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    help="A trading venue over several clouds: judged before it is built, rehearsed on one machine.",
)
app.add_typer(lab.app, name="lab")


def main() -> None:
    """Run the command line."""
    try:
        app()
    except DiversiteError as error:
        Console(stderr=True, soft_wrap=True).print(f"diversite: {error}", style="red", markup=False, highlight=False)
        sys.exit(MISUSED)


if __name__ == "__main__":
    main()
