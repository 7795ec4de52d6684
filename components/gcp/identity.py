"""Who hosts are to Google: a service account for each role, which may do nothing.

No host of a venue needs anything of Google's interfaces: it logs to its own journal, is scraped by the venue's monitors
and fetches releases over https. So no role is granted, and the scopes are the two that an agent would need that an
operator grants `roles/logging.logWriter` or `roles/monitoring.metricWriter` later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.component import Component
from diversite import naming
from diversite.catalog import catalog
from diversite.plan import Plan

SCOPES = ("https://www.googleapis.com/auth/logging.write", "https://www.googleapis.com/auth/monitoring.write")


@dataclass(frozen=True, kw_only=True)
class IdentitiesArgs:
    """The identities of a project's hosts."""

    plan: Plan
    """The venue, decided."""
    roles: Iterable[str]
    """The roles that stand there."""


class Identities(Component):
    """A service account for each role."""

    def __init__(self, name: str, args: IdentitiesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.accounts = {
            role: gcp.serviceaccount.Account(
                f"{name}-{role}",
                account_id=naming.shortened(f"{args.plan.venue}-{role}", _length_max()),
                display_name=f"{args.plan.venue}: {role}",
                opts=self.child(),
            )
            for role in args.roles
        }
        self.register_outputs({})


def _length_max() -> int:
    return catalog().limits("gcp").name_length_max["service_account"]
