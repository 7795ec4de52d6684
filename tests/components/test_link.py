"""A link in clouds, which no single resource is: it speaks through its registered inputs."""

from __future__ import annotations

import offline
from components.contract import link_tags
from components.link import Link
from policies import facts
from tests.components.recorded import as_policies_see, venue_of


def test_a_link_tells_both_of_its_ends() -> None:
    """The site, interface and address of each end, its kind and carrier, and that it is a tunnel, as rules read it."""
    planned = venue_of("hcloud")

    def build() -> None:
        for link in planned.links.values():
            Link(planned, link)

    found = offline.record(build)
    for link in planned.links.values():
        told = found.named(link.name, "diversite:link:Link")
        ends = {
            key: {"site": end.site, "interface": end.interface, "address": str(end.address)}
            for key, end in (("a", link.a), ("b", link.b))
        }
        assert told.inputs == {**link_tags(planned, link), "encryption": "wireguard", **ends}
        assert told.outputs == {"rtt_ms": link.rtt_ms}
    assert facts.of_resources(as_policies_see(found)).links == facts.of_plan(planned).links
