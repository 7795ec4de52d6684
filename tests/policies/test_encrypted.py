"""What two providers carry for each other is encrypted by the link itself, or it is found."""

from __future__ import annotations

import offline
from components.link import Link
from diversite import stackfile
from diversite.plan import plan
from policies.expected import Expected
from policies.rule import Settings
from policies.rules.links import encrypted
from policies.venue import Venue
from tests.policies.clouds import Clouds
from tests.policies.pack import CHECKOUT
from tests.policies.test_facts import resources_of

PLANNED = plan(stackfile.load(CHECKOUT / "tests" / "components" / "stacks" / "google-and-aws.yaml"))
UNENCRYPTED = {"managed-ldn-lon of the kind 'cross_cloud'", "frankfurt-fra-ffm of the kind 'circuit'"}
"""What neither a carrier nor two providers encrypt by themselves."""


def causes(kind: str) -> list[str]:
    """What the rule says of hosts of two clouds with links of a type."""

    def program() -> None:
        Clouds(PLANNED)
        for link in PLANNED.links.values():
            Link(PLANNED, link)

    resources = resources_of(offline.record(program))
    chosen = {urn: it for urn, it in resources.items() if not it.type.endswith(":Link") or it.type == kind}
    venue = Venue(resources=chosen, expected=Expected(name="google-and-aws", plan=PLANNED))
    return [blocker.cause for blocker in encrypted.check(venue, Settings())]


def test_a_circuit_that_says_nothing_is_found() -> None:
    """A carrier's circuit and the providers' managed path carry packets as they are."""
    assert {cause.partition(" joins")[0] for cause in causes("diversite:clouds:Link")} == UNENCRYPTED


def test_a_clouds_links_are_tunnels() -> None:
    """Whatever carries a link in a cloud, its two gateways encrypt it, and it says so."""
    assert causes("diversite:link:Link") == []
