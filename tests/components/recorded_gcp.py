"""Google's part of venues as the program declares it: recorded once and shared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pulumi

import offline
from components.component import Component
from components.contract import AttachmentArgs, FoundationArgs
from components.gcp import Attachment, Foundation
from components.venue import Venue, VenueArgs
from diversite import stackfile
from diversite.plan import Plan, plan
from diversite.underlay import Region, Underlay, underlays
from offline import Recording, Resource

STACKS = Path(__file__).parent / "stacks"
ACCOUNTS = {"gcp": "venue-example", "aws": "123456789012"}
CONTACTS = {"contacts": json.dumps(["operators@venue.example"])}
INSTANCE, DISK, FIREWALL = "gcp:compute/instance:Instance", "gcp:compute/disk:Disk", "gcp:compute/firewall:Firewall"
SECRET = "planted-0123456789-secret"
FAR_ADDRESSES = {f"tunnel{number}": f"203.0.113.{number}" for number in range(4)}


@cache
def planned(name: str = "google") -> Plan:
    """The plan of one of this folder's stack files."""
    return plan(stackfile.load(STACKS / f"{name}.yaml"))


@cache
def venue() -> Recording:
    """The venue of `google.yaml`."""
    return declared(planned())


@cache
def joined() -> Recording:
    """Google's ends of the private paths of `google-and-aws.yaml`; AWS's are played."""
    return ends(planned("google-and-aws"))


def declared(given: Plan, config: Mapping[str, str] = CONTACTS, **args: Any) -> Recording:
    """A venue at Google alone, at preview."""
    return offline.record(lambda: build(given, **args), project="diversite", stack="google", config=config)


def build(given: Plan, **args: Any) -> None:
    """What the program does with a venue at Google alone."""
    wanted = {"plan": given, "substrate": "cloud", "owner": "diversite/google", "accounts": ACCOUNTS, **args}
    Venue(given.venue, VenueArgs(**wanted))


def ends(given: Plan, accounts: Mapping[str, str] = ACCOUNTS) -> Recording:
    """Google's ends of every private path of a plan."""
    return offline.record(lambda: build_ends(given, accounts), project="diversite", stack="google")


def build_ends(given: Plan, accounts: Mapping[str, str] = ACCOUNTS) -> None:
    """What the program does with Google's ends of every private path of a plan."""
    Ends(given, accounts)


class Ends(Component):
    """Google's ends of private paths, introduced to others that nobody made."""

    def __init__(self, given: Plan, accounts: Mapping[str, str]) -> None:
        super().__init__("ends")
        args = FoundationArgs(plan=given, owner="diversite/google", accounts=accounts)
        ground = Foundation("foundation-gcp", args, self.child())
        for underlay, region in google_ends(given):
            secrets = [pulumi.Output.from_input(f"{SECRET}-{number}") for number, _ in enumerate(underlay.tunnels)]
            made = AttachmentArgs(plan=given, underlay=underlay, region=region, foundation=ground, secrets=secrets)
            end = Attachment(f"{underlay.name}-{region.name}", made, self.child())
            end.join({name: pulumi.Output.from_input(address) for name, address in FAR_ADDRESSES.items()})


def google_ends(given: Plan) -> Iterator[tuple[Underlay, Region]]:
    """Each private path with its end at Google."""
    for underlay in underlays(given):
        yield from ((underlay, region) for region in (underlay.a, underlay.b) if region.provider == "gcp")


def hosts(recording: Recording) -> tuple[Resource, ...]:
    """The machines."""
    return recording.of_type(INSTANCE)


def changed(given: Plan, **update: Any) -> Plan:
    """The plan of another topology."""
    return plan(given.topology.model_copy(update=update))
