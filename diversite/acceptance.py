"""Whose terms somebody accepted: no site is built at a provider whose terms for nodes of this kind nobody has read.

Providers stopped nodes of this kind before, all at once. The policy pack also asks how long ago it was; this holds for
an `up` without the pack.
"""

from __future__ import annotations

from diversite.errors import PlanError
from diversite.plan import Plan


def require_accepted(plan: Plan) -> None:
    """Refuse a venue with a site at a provider that `terms` does not name: `PlanError` with all of them."""
    providers = dict.fromkeys(site.place.provider for site in plan.sites.values())
    missing = [provider for provider in providers if provider not in plan.topology.terms]
    if missing:
        raise PlanError(
            f"terms: nobody accepted those of {', '.join(missing)} for nodes of this kind. Read them, ask the provider "
            f"where in doubt, and record terms.{missing[0]} (accepted_by, accepted_on) in the stack file."
        )
