"""Consoles and tables of every command, so that nothing is lost where output is not read on a terminal.

A pipe, a file or a log of CI has no width: names there are never cut, and a line ends where the text does. On a narrow
terminal a long name goes on in the next line; it is not shortened either.
"""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

PIPED_COLUMNS = 100_000
"""Wider than any message; a table takes only what its content needs."""


def new_console(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """A console on standard output or standard error; with `soft_wrap` a terminal wraps long lines by itself."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        emoji=False,
        stderr=stderr,
        soft_wrap=soft_wrap,
        highlight=False,
        width=None if stream.isatty() else PIPED_COLUMNS,
    )


def new_table(*columns: str, header: bool = True) -> Table:
    """A table without lines, whose cells are folded where they do not fit."""
    made = Table(box=None, pad_edge=False, show_header=header)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made
