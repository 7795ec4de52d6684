"""`diversite verify`: whether what runs stands where it was declared, and what the judge says of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import new_console
from cli.formats import TextOrJson, write
from cli.stacks import FLAGSHIP, resolve

if TYPE_CHECKING:
    from accounts.row import Row
    from accounts.standing import Observed, Standing


def verify(
    stack: Annotated[str, typer.Argument(metavar="[STACK]", help="A stack of clouds, or a topology.")] = FLAGSHIP,
    form: Annotated[TextOrJson, typer.Option("--format")] = "text",
) -> None:
    """Compare what runs at the providers with the plan, host by host, and judge it as it really stands.

    Exit code 0: all stands as planned, and the objectives are met; 1: there are problems; 2: the file is wrong.
    """
    from accounts.standing import standing
    from cli import rows
    from diversite import stackfile
    from diversite.plan import plan

    file = resolve(stack)
    planned = plan(stackfile.load(file.path))
    expected = rows.expected_accounts(file, planned)
    name = file.stack or file.name
    with rows.waiting(f"asking the accounts of {name}"):
        found = standing(planned, expected, name)
    told = (*found.rows, *judged(found, planned.venue, name))
    if form == "json":
        write(rows.as_json(name, told))
    else:
        rows.as_text(told, new_console())
        rows.closing(told, new_console(), f"{name}: stands as planned, and meets its objectives")
    raise typer.Exit(rows.exit_code(told))


def judged(found: Standing, venue: str, stack: str) -> Iterator[Row]:
    """What the judge says of what really stands, or why it is not asked."""
    from accounts.row import Row

    def row(says: str, where: str, mends: str) -> Row:
        return Row(account="", subject="judge", where=where, standing="problem", says=says, mends=mends)

    if found.venue is None:
        yield row("not asked: an account did not answer", venue, "mend the account's row, and run it again")
    elif found.venue.verdict is None:
        yield row(f"not asked: {_unjudged(found.venue)}", venue, f"pulumi up --stack {stack}")
    elif found.venue.verdict.met:
        count = len(found.venue.verdict.findings)
        says = f"met, all {count} objectives, by what really runs"
        yield Row(account="", subject="judge", where=venue, standing="good", says=says)
    else:
        from cli.verdicts import failure_text

        for finding in found.venue.verdict.blockers:
            worst = "".join(f"; {failure_text(failure)}" for failure in finding.failures[:1])
            says = f"not met by what really runs: {finding.wish}{worst}"
            yield row(says, finding.id, f"mend the hosts above, or the file: diversite check {stack}")


def _unjudged(venue: Observed) -> str:
    if not venue.hosts("validator"):
        return "no validator runs"
    if venue.unplaceable:
        return f"nothing is known of where {', '.join(host.name for host in venue.unplaceable)} stands, or on what"
    groups = " from ".join("{" + ", ".join(sorted(island)) + "}" for island in venue.islands)
    return f"gateways that run leave sites cut off: {groups}"
