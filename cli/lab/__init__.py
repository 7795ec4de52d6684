"""`diversite lab …`: a venue rehearsed on this machine."""

from __future__ import annotations

import typer

from cli.lab import down, logs, shell, show, status, up

app = typer.Typer(no_args_is_help=True, help="Rehearse a venue on this machine.")
app.command("up")(up.up)
app.command("status")(status.status)
app.command("logs")(logs.logs)
app.command("shell")(shell.shell)
app.command("down")(down.down)
app.command("show")(show.show)
