"""The Pulumi program: read the settings, load the topology, plan it, judge it, build it, export. No decisions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pulumi

from components.validator import tell
from components.venue import Venue, VenueArgs
from diversite import keys, stackfile
from diversite.acceptance import require_accepted
from diversite.errors import DiversiteError
from diversite.judge import judge
from diversite.keeping import restored
from diversite.plan import plan
from services.facts import facts_of

settings = pulumi.Config("diversite")
name = settings.get("topology") or pulumi.get_stack()
substrate = settings.require("substrate")
stacks = Path(__file__).parent / "stacks"

try:
    topology = stackfile.load(stacks / f"{name}.yaml")
    planned = plan(topology.halting_at(settings.get_int("haltHeight")))
    planned = replace(planned, keepings=restored(planned.keepings, settings.get("restore")))
    judge(planned, remedies=False).require_met()
    if substrate == "cloud":
        require_accepted(planned)
    halves = keys.load(stacks / f"{name}.keys.yaml", planned) if substrate == "cloud" else None
except DiversiteError as error:
    raise pulumi.RunError(str(error)) from error  # the engine shows its text, and no traceback

for awaited in keys.awaited(halves, planned) if halves else ():
    pulumi.warn(f"{name}.keys.yaml: {awaited}; until then the link carries nothing, the validator waits")
if halves:
    tell(halves.genesis, planned, {key: half.public_key for key, half in halves.validators.items()})

venue = Venue(
    planned.venue,
    VenueArgs(
        plan=planned,
        substrate=substrate,
        owner=f"{pulumi.get_project()}/{pulumi.get_stack()}",
        known=facts_of(halves) if halves else None,
        rolling=settings.get("rolling"),
        accounts=settings.get_object("accounts") or {},
    ),
)
pulumi.export("entrances", venue.entrances)
pulumi.export("monitors", venue.monitors)
if venue.order_forms:
    pulumi.export("order_forms", venue.order_forms)
if venue.orders:
    pulumi.export("orders", venue.orders)
