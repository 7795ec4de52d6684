"""`diversite dashboard`: the Grafana dashboard of a venue, as JSON to import."""

from __future__ import annotations

from typing import Annotated

import typer


def dashboard(stack: Annotated[str, typer.Argument(metavar="STACK|FILE")]) -> None:
    """Print the venue's Grafana dashboard; its data source, a monitor's Prometheus, is asked for at the import."""
    from cli.stacks import resolve
    from diversite import stackfile
    from diversite.plan import plan
    from services.dashboard import dashboard as rendered

    typer.echo(rendered(plan(stackfile.load(resolve(stack).path))), nl=False)
