"""What a change would do to the venue that runs: the deployed plan and the new one, before the judge together.

The deployed topology is an output of the stack's Venue component: it lies in the stack's state, wherever that is kept,
and is as old or as new as what the state says of the hosts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cli.console import new_table

if TYPE_CHECKING:
    from rich.console import Console

    from diversite.judge import ChangeVerdict
    from diversite.plan import Plan
    from offline import Preview, Resource

VENUE = "diversite:venue:Venue"
TOPOLOGY = "topology"
"""The component that keeps the deployed topology, and its output."""
SERVICE = "lab:index:Service"
RESTARTING = frozenset({"command", "files", "environment", "restart"})
"""Properties of a lab's service whose change restarts it."""
JUDGED_ROLES = ("validator", "engine", "entry", "store", "queue", "passive")
"""A router that reads its configuration anew is away for seconds, and its links' detection knows; it is not counted."""


def of_lab(stack: str, preview: Preview, after: Plan, *, down: Iterable[str] = ()) -> ChangeVerdict | None:
    """What `up` would do to a lab that runs; None where nothing is deployed."""
    import offline
    from cli.stacks import PROJECT
    from diversite.judge import judge_change

    state = offline.state(offline.Project.load(PROJECT), stack)
    before = _deployed(item.outputs for item in state.resources if item.type == VENUE)
    if before is None:
        return None
    return judge_change(before, after, down=down, restarts=restarted(preview.resources, before))


def of_state(text: str, after: Plan) -> ChangeVerdict | None:
    """What `up` would do to the venue of an exported state; None where it does not say its topology."""
    from diversite.judge import judge_change

    resources = json.loads(text)["deployment"]["resources"]
    before = _deployed(item.get("outputs", {}) for item in resources if item.get("type") == VENUE)
    return None if before is None else judge_change(before, after)


def restarted(resources: Iterable[Resource], before: Plan) -> frozenset[str]:
    """The hosts that the engine would stop, by what a preview says of the resources below them."""
    from rollout.touched import Foreseen, touched

    listed = [Foreseen(urn=it.urn, parent=it.parent, operation=_operation(it)) for it in resources]
    stopped = {name for name, operation in touched(listed, before.hosts).items() if operation == "stop"}
    return frozenset(name for name in stopped if before.hosts[name].role in JUDGED_ROLES)


def tell(found: ChangeVerdict, stack: str, console: Console) -> None:
    """Why one `up` must not do it, what it would stop, and what to do instead."""
    for blocker in found.blockers:
        console.print(f"✗ the change: {blocker}", style="bold red", markup=False)
    for finding in found.broken:
        console.print(f"✗ the change breaks {finding.id}: {finding.failures[0].says}", style="bold red", markup=False)
    table = new_table("stops", "because")
    for stop in found.stops:
        table.add_row(stop.host, stop.reason)
    if found.stops:
        console.print(table)
    if found.blockers:
        console.print(f"`diversite rollout {stack}` takes it site by site", markup=False)


def as_json(found: ChangeVerdict) -> Mapping[str, Any]:
    """The verdict for programs."""
    return {
        "met": found.met,
        "blockers": list(found.blockers),
        "broken": [finding.id for finding in found.broken],
        "stops": [{"host": stop.host, "reason": stop.reason, "signer": stop.signer} for stop in found.stops],
        "delete_first": list(found.delete_first),
        "rollout": list(found.rollout),
    }


def _deployed(outputs: Iterable[Mapping[str, Any]]) -> Plan | None:
    from diversite import stackfile
    from diversite.errors import DiversiteError
    from diversite.plan import plan

    text = next((found.get(TOPOLOGY) for found in outputs), None)
    try:
        return plan(stackfile.loads(text)) if isinstance(text, str) else None
    except DiversiteError:
        return None  # written by a version whose stack files are not read any more: nothing to compare with


def _operation(resource: Resource) -> str:
    """What the engine says, where a restart in place counts as a replacement."""
    if not resource.custom:
        return "same"
    heads = {path.partition("[")[0].partition(".")[0] for path in resource.changed}
    in_place = resource.type == SERVICE and resource.step.value == "update" and heads & RESTARTING
    return "replace" if in_place else resource.step.value
