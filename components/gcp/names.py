"""What things are called at Google: names and network tags, each from the topology's keys and within Google's limits.

Two venues may share a project, so every name begins with the venue's. A tag says which firewall rules and routes a host
is meant by: its role, its role at its site, and for all but routers its site.
"""

from __future__ import annotations

from diversite import naming
from diversite.plan import Host, Plan

PATTERN = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
"""Of every resource's name and of every network tag (RFC 1035)."""


def named(plan: Plan, name: str) -> str:
    """The name at Google of a resource that the program calls `name`."""
    return naming.shortened(f"{plan.venue}-{name}")


def in_site(plan: Plan, site: str) -> str:
    """The tag of the hosts that send to other sites over their gateway."""
    return named(plan, f"in-{site}")


def of_role(plan: Plan, role: str, site: str | None = None) -> str:
    """The tag of the hosts of a role, at one site where it is given."""
    return named(plan, f"{role}-in-{site}" if site else role)


def tags(plan: Plan, host: Host) -> list[str]:
    """The tags of a host."""
    by_role = [of_role(plan, host.role), of_role(plan, host.role, host.site)]
    return by_role if host.role == "gateway" else [*by_role, in_site(plan, host.site)]


def labels(plan: Plan, **more: str) -> dict[str, str]:
    """The labels of what belongs to the venue and to no host of it."""
    return {"venue": plan.venue, **more}
