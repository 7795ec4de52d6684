"""AWS's part of venues as the program declares it: recorded once and shared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pulumi

import offline
from components.aws import Attachment, Foundation, Steering
from components.component import Component
from components.contract import AttachmentArgs, Entrance, FoundationArgs, SteeringArgs
from components.venue import Venue, VenueArgs
from diversite import stackfile, topology
from diversite.plan import Plan, plan
from diversite.underlay import Region, Underlay, underlays
from offline import Recording, Resource, Secret
from tests.components.clouds import ACCOUNTS, of_provider

ROOT = Path(__file__).parents[2]
STACKS = Path(__file__).parent / "stacks"
OWNER = "diversite/amazon"
CONTACTS = {"contacts": json.dumps(["operators@venue.example"])}
INSTANCE, VOLUME = "aws:ec2/instance:Instance", "aws:ebs/volume:Volume"
GROUP, ROUTE = "aws:ec2/securityGroup:SecurityGroup", "aws:ec2/route:Route"
SECRET = "planted.0123456789.secret"
KEY = "planted-activation-key"
FAR_OFFER = {"interface0": "203.0.113.10", "interface1": "203.0.113.11"}


@cache
def flagship_part() -> Plan:
    """The sites of the flagship that stand in AWS, with all that stands there."""
    whole = stackfile.load(ROOT / "stacks" / "europe.yaml")
    here = {site for site, item in whole.sites.items() if item.at.startswith("aws/")}
    told = whole.model_dump(by_alias=True, exclude_none=True)
    for part in ("validators", "engines", "order_entry", "monitoring"):
        told[part] = {key: item for key, item in told[part].items() if item["site"] in here}
    told["sites"] = {key: item for key, item in told["sites"].items() if key in here}
    told["links"] = {key: item for key, item in told["links"].items() if here.issuperset(item["ends"])}
    told["terms"] = {"aws": told["terms"]["aws"]}
    return plan(topology.Topology.model_validate({**told, "steering": None}))


@cache
def planned(name: str) -> Plan:
    """The plan of one of this folder's stack files."""
    return plan(stackfile.load(STACKS / f"{name}.yaml"))


@cache
def two_in_a_region() -> Plan:
    """Four sites, of which two are in one region."""
    return plan(of_provider("aws"))


@cache
def regional() -> Recording:
    """Its part of AWS after a simulated run."""
    return declared(two_in_a_region(), answer=computed)


@cache
def venue() -> Recording:
    """The flagship's part at preview."""
    return declared(flagship_part())


@cache
def made() -> Recording:
    """The flagship's part after a simulated run."""
    return declared(flagship_part(), answer=computed)


@cache
def joined() -> Recording:
    """AWS's ends of the private paths of `google-and-aws.yaml` after a simulated run; Google's are played."""
    return ends(planned("google-and-aws"))


def declared(given: Plan, config: Mapping[str, str] = CONTACTS, answer: Any = None, **args: Any) -> Recording:
    """A venue in AWS alone."""
    told: Any = {"project": "diversite", "stack": "amazon", "config": config, "answer": answer}
    return offline.record(lambda: build(given, **args), **told)


def build(given: Plan, **args: Any) -> None:
    """What the program does with a venue in AWS alone."""
    accounts = {site.account: ACCOUNTS["aws"] for site in given.sites.values()}
    Venue(given.venue, VenueArgs(**{"plan": given, "substrate": "cloud", "owner": OWNER, "accounts": accounts, **args}))


def ends(given: Plan, config: Mapping[str, str] = CONTACTS) -> Recording:
    """AWS's ends of every private path of a plan."""
    told: Any = {"project": "diversite", "stack": "amazon", "config": config, "answer": computed}
    return offline.record(lambda: build_ends(given), **told)


def build_ends(given: Plan) -> None:
    """What the program does with AWS's ends of every private path of a plan."""
    Ends(given)


class Ends(Component):
    """AWS's ends of private paths, introduced to each other, and to Google's that nobody made."""

    def __init__(self, given: Plan) -> None:
        super().__init__("ends")
        args = FoundationArgs(plan=given, owner=OWNER, accounts=ACCOUNTS)
        self.ground = Foundation("foundation-aws", args, self.child())
        for underlay in underlays(given):
            found = [self._end(given, underlay, region) for region in regions_of(underlay)]
            if len(found) == 2:
                first, second = found
                second.join(first.offer)
                first.join(second.offer)
            else:
                offer = {**FAR_OFFER, "activation_key": KEY}
                found[0].join({name: pulumi.Output.from_input(it) for name, it in offer.items()})

    def _end(self, given: Plan, underlay: Underlay, region: Region) -> Attachment:
        secrets = [pulumi.Output.from_input(f"{SECRET}.{number}") for number, _ in enumerate(underlay.tunnels)]
        made = AttachmentArgs(plan=given, underlay=underlay, region=region, foundation=self.ground, secrets=secrets)
        return Attachment(f"{underlay.name}-{region.name}", made, self.child())


class Steered(Component):
    """A name for entrances of which none stands in AWS."""

    def __init__(self, given: Plan, ways: Mapping[str, Entrance]) -> None:
        super().__init__("steered")
        args = FoundationArgs(plan=given, owner=OWNER, accounts=ACCOUNTS)
        ground = Foundation("foundation-aws", args, self.child())
        Steering("steering", SteeringArgs(plan=given, foundation=ground, entrances=ways), self.child())


def steered(given: Plan, ways: Mapping[str, Entrance]) -> Recording:
    """A name for some entrances."""
    return offline.record(lambda: ignore(Steered(given, ways)), project="diversite", stack="amazon", answer=computed)


def ways(part: Plan) -> Mapping[str, Entrance]:
    """The entrances of a plan, where some provider has put them."""
    return {
        host.name: Entrance(address=pulumi.Output.from_input(f"198.51.100.{number}"))
        for number, host in enumerate(part.of_role("entry"))
    }


def with_steering(part: Plan) -> Plan:
    """A plan whose clients are led by a name."""
    told = topology.Steering(zone="venue.example", zone_id="Z0123456789")
    return plan(part.topology.model_copy(update={"steering": told}))


def ignore(_: object) -> None:
    """A program returns nothing."""


def path(kind: str) -> Underlay:
    """The path of a kind."""
    return next(it for it in underlays(planned("google-and-aws")) if it.kind == kind)


def regions_of(underlay: Underlay) -> Iterator[Region]:
    """The ends of a path that are AWS's."""
    return (region for region in (underlay.a, underlay.b) if region.provider == "aws")


def computed(type_: str, name: str, _inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """What AWS would compute: names from names, and addresses of a range for documents."""
    kind = type_.rpartition(":")[2]
    address = f"198.51.100.{sum(name.encode()) % 250 + 1}"
    return {
        "id": f"{kind}/{name}",
        "arn": f"arn:{kind}/{name}",
        "arnSuffix": f"{kind}/{name}",
        "publicIp": address,
        "name": name,
        "keyId": name,
        "availabilityZone": "eu-west-3a",
        "primaryNetworkInterfaceId": f"eni/{name}",
        "defaultNetworkAclId": f"acl/{name}",
        "transitGatewayAttachmentId": f"attachment/{name}",
        "tunnel1Address": address,
        "tunnel2Address": f"192.0.2.{sum(name.encode()) % 250 + 1}",
    }


def hosts(recording: Recording) -> dict[str, Resource]:
    """The machines by name."""
    return {it.name: it for it in recording.of_type(INSTANCE)}


def plain(value: Any) -> Any:
    """A value with what is secret in it hidden."""
    if isinstance(value, Secret):
        return "<secret>"
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool) or value is None else repr(value)
