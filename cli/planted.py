"""`diversite drill --planted`: put mistakes into a venue on purpose, and see whether the drills catch them.

Each mistake has a lab of its own, made for it and removed after it: some ruin what they touch. Ends 0 only if all are
caught.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from diversite.errors import DiversiteError

if TYPE_CHECKING:
    from cli.stacks import LabStack
    from drills.planted.hunting import Caught

ALL = "all"


def hunt(stack: str, mistake: str, repeat: int, seed: int, hold: float) -> int:
    """Hunt one mistake, or all of them; 1 if any escaped."""
    from cli.console import new_console, new_table
    from cli.lab.up import borrowed
    from cli.stacks import lab_stack, near
    from drills import results
    from drills.planted.known import VARIANTS

    _require_noticeable(hold)
    console, venue = new_console(), lab_stack(stack)
    _require_none_runs(venue)
    directory = results.begin(venue.topology, seed, {"planted": mistake, "repeat": repeat, "hold": hold})
    rows = new_table("mistake", "caught by", "after", "because")
    found: dict[str, Caught | None] = {}
    for name in VARIANTS if mistake == ALL else [mistake]:
        with borrowed(venue, console, keep=False):
            found[name] = caught = _hunted(venue, name, repeat, seed, hold)
        console.print(f"{name}: {_told(caught)}", markup=False, emoji=False, soft_wrap=True)
        rows.add_row(name, *(_cells(caught) if caught else ("nobody", "", "")))
        results.write(directory / "planted.json", found)
    console.print(rows)
    console.print(f"results in {near(directory)}", soft_wrap=True)
    return 0 if all(found.values()) else 1


def _told(caught: Caught | None) -> str:
    return f"{caught.fault} after {caught.repetitions}: {caught.signs[0]}" if caught else "escaped"


def _hunted(venue: LabStack, name: str, repeat: int, seed: int, hold: float) -> Caught | None:
    from drills.course import Course
    from drills.drill import Phases
    from drills.planted import hunting
    from drills.planted.known import by_name

    planned = Course(
        stack=venue.topology,
        lab=venue.name,
        plan=venue.plan,
        faults=(),
        repeat=repeat,
        seed=seed,
        phases=Phases(hold_seconds=hold),
    )
    return hunting.hunt(by_name(name), planned, lambda report: None)


def _cells(caught: Caught) -> Iterator[Text]:
    yield Text(caught.fault)
    yield Text(f"{caught.repetitions} of it")
    yield Text("; ".join(caught.signs)[:200])


def _require_noticeable(hold: float) -> None:
    from drills.drill import NOTICED_SECONDS_MAX

    if hold < NOTICED_SECONDS_MAX:
        raise DiversiteError(
            f"--hold {hold:g}: mistakes are hunted with faults of {NOTICED_SECONDS_MAX:g} s or more, in which a "
            "monitor can notice; leave --hold away"
        )


def _require_none_runs(venue: LabStack) -> None:
    from lab import world

    if world.find(venue.name) is not None:
        raise DiversiteError(
            f"lab {venue.name} runs, and what is planted would ruin it: `diversite lab down {venue.topology}` first"
        )
