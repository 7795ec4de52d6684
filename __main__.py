"""The Pulumi program: read the settings, load the topology, plan it, judge it, build it, export. No decisions."""

from __future__ import annotations

from pathlib import Path

import pulumi

from components.venue import Venue, VenueArgs
from diversite import stackfile
from diversite.errors import DiversiteError
from diversite.judge import judge
from diversite.plan import plan

settings = pulumi.Config("diversite")
name = settings.get("topology") or pulumi.get_stack()
substrate = settings.require("substrate")

try:
    planned = plan(stackfile.load(Path(__file__).parent / "stacks" / f"{name}.yaml"))
    judge(planned, remedies=False).require_met()
except DiversiteError as error:
    raise pulumi.RunError(str(error)) from error  # the engine shows its text, and no traceback

venue = Venue(
    planned.venue,
    VenueArgs(
        plan=planned,
        substrate=substrate,
        owner=f"{pulumi.get_project()}/{pulumi.get_stack()}",
        rolling=settings.get("rolling"),
        accounts=settings.get_object("accounts") or {},
    ),
)
pulumi.export("entrances", venue.entrances)
pulumi.export("monitors", venue.monitors)
if venue.orders:
    pulumi.export("orders", venue.orders)
