"""`diversite drill --warnings`: make things worse little by little, and see whether somebody is called in time.

Ends 0 only if every alert fired before what it warns of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drills.early import Warned


def warn(stack: str, seed: int, keep: bool) -> int:
    """Drive every degradation; 1 if an alert came too late or not at all."""
    from cli.console import new_console, new_table
    from cli.lab.up import borrowed
    from cli.stacks import lab_stack, near
    from drills import early, results
    from drills.drill import Phases

    console, venue = new_console(), lab_stack(stack)
    rows = new_table("worse and worse", "where", "alert", "fired s", "failed s", "lead s")
    found: list[Warned] = []
    with borrowed(venue, console, keep):
        directory = results.begin(venue.topology, seed, {"warnings": True})
        for warned in early.warnings(venue.name, venue.plan, directory, Phases().rate, seed):
            found.append(warned)
            rows.add_row(*_cells(warned))
            results.write(directory / "warnings.json", found)
    console.print(rows)
    console.print(f"results in {near(directory)}", soft_wrap=True)
    return 0 if all(warned.in_time for warned in found) else 1


def _cells(warned: Warned) -> tuple[str, ...]:
    times = (warned.fired_seconds, warned.failed_seconds, warned.lead_seconds)
    return (warned.word, warned.where, warned.alert, *("-" if time is None else f"{time:.0f}" for time in times))
