"""The command line: what commands there are, and how a failure is told.

Exit codes: 0 as wished, 1 not met (a verdict, a drill), 2 the input is wrong or the machine cannot.
"""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from cli import lab
from cli.backup import backup
from cli.check import check
from cli.console import new_console
from cli.dashboard import dashboard
from cli.drill import drill
from cli.drill_state import drill_state
from cli.keys import keys
from cli.power import power
from cli.preflight import preflight
from cli.preview import preview
from cli.restore import restore
from cli.rollout import rollout
from cli.switchover import switchover
from cli.verify import verify
from cli.whatif import whatif
from diversite.errors import DiversiteError

MISUSED = 2
COLLECTED_AFTER = 50_000
"""New objects until a collection: most that a command makes are modules, which are no garbage."""

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from cli.version import version

        new_console().print(f"diversite {version()}")
        raise typer.Exit


app.command("check")(check)
app.command("whatif")(whatif)
app.command("preview")(preview)
app.command("keys")(keys)
app.command("dashboard")(dashboard)
app.command("drill")(drill)
app.command("drill-state")(drill_state)
app.command("preflight")(preflight)
app.command("verify")(verify)
app.command("backup")(backup)
app.command("restore")(restore)
app.command("rollout")(rollout)
app.command("power")(power)
app.command("switchover")(switchover)
app.add_typer(lab.app, name="lab")


@app.callback()
def whole(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Tell the version.")
    ] = False,
) -> None:
    """A trading venue over several clouds: judged before it is built, rehearsed on one machine."""


def main() -> None:
    """Run the command line."""
    gc.set_threshold(COLLECTED_AFTER)
    try:
        app()
    except DiversiteError as error:
        new_console(stderr=True).print(f"diversite: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(MISUSED)
    finally:
        gc.freeze()  # on its way out Python looks through all that there is, three times


if __name__ == "__main__":
    main()
