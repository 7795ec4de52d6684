"""A link between two sites in clouds: a tunnel, which the boot scripts of its two gateways make.

No single resource of a provider is the link, so it speaks through its registered inputs: the policy pack reads them.
"""

from __future__ import annotations

import pulumi

from components.component import Component
from components.contract import link_tags
from diversite.plan import LinkEnd, LinkPlan, Plan

ENCRYPTION = "wireguard"
"""Of every link, whatever carries it: two providers' managed path or a carrier's circuit encrypts nothing by itself."""


class Link(Component):
    """A private link between two sites; `components.path` makes what carries it, where that is a provider's."""

    def __init__(self, planned: Plan, link: LinkPlan, opts: pulumi.ResourceOptions | None = None) -> None:
        ends = {"a": _told(link.a), "b": _told(link.b)}
        super().__init__(link.name, opts, {**link_tags(planned, link), **ends, "encryption": ENCRYPTION})
        self.register_outputs({"rtt_ms": link.rtt_ms})


def _told(end: LinkEnd) -> dict[str, str]:
    return {"site": end.site, "interface": end.interface, "address": str(end.address)}
