"""Venues as the program declares them, recorded once and shared: what a preview knows, and what a run comes to know."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import offline
from components.venue import Venue, VenueArgs
from diversite import stackfile
from diversite.plan import Plan, plan
from offline import Recording, Secret
from policies import declared as declared_values
from policies.declared import Resource as Declared
from tests.components.clouds import ACCOUNTS, of_provider
from tests.services.venues import GENESIS_TIME, facts_of

ROOT = Path(__file__).parents[2]
OWNER = "diversite/lab"
COMPONENT = "diversite:"
TOKEN = "hetzner-token-" + "t" * 50
"""As long as Hetzner's, and nobody's."""
PROVIDERS = {"aws": "aws", "gcp": "gcp", "hcloud": "hetzner"}
"""The provider whose sites a cloud's sibling builds."""


COMPUTED: Mapping[str, Mapping[str, str]] = {
    "aws:ec2/eip:Eip": {"publicIp": "198.51.100.1"},
    "gcp:compute/address:Address": {"address": "198.51.100.2"},
    "hcloud:index/loadBalancer:LoadBalancer": {"ipv4": "198.51.100.4"},
    "hcloud:index/primaryIp:PrimaryIp": {"ipAddress": "198.51.100.3"},
}
"""Addresses that a provider gives, of a range for documents."""


@cache
def flagship() -> Plan:
    """The reference venue."""
    return plan(stackfile.load(ROOT / "stacks" / "europe.yaml"))


@cache
def venue_of(package: str) -> Plan:
    """What a sibling is tried on: the flagship in the lab, four sites of its own provider for a cloud's."""
    return flagship() if package == "lab" else plan(of_provider(PROVIDERS[package]))


@cache
def declared(package: str) -> Recording:
    """What a sibling declares at preview: what a provider computes is unknown."""
    return offline.record(program(venue_of(package), _substrate(package)), **settings())


@cache
def made(package: str) -> Recording:
    """The same after a simulated run, in which every validator of a lab has keys."""
    planned = venue_of(package)
    return offline.record(program(planned, _substrate(package)), **settings(), answer=answers(planned))


def program(planned: Plan, substrate: str, **further: Any) -> Callable[[], None]:
    """What `__main__.py` does once everything is decided."""
    accounts = {site.account: ACCOUNTS[site.place.provider] for site in planned.sites.values()}

    def build() -> None:
        args = VenueArgs(plan=planned, substrate=substrate, owner=OWNER, accounts=accounts, **further)
        Venue(planned.venue, args)

    return build


def _substrate(package: str) -> str:
    return "lab" if package == "lab" else "cloud"


def settings() -> Any:
    """How every recording is made: a token that must not come out again."""
    return {"project": "diversite", "stack": "lab", "config": {"hcloud:token": Secret(TOKEN)}}


def answers(planned: Plan) -> Callable[[str, str, Mapping[str, Any]], Mapping[str, Any]]:
    """What a provider would compute: a resource's own name as its identity, and keys that nobody holds."""
    keys = {f"{host.name}-keys": facts_of(planned).validators[host.key] for host in planned.of_role("validator")}

    def answer(type_: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        known: dict[str, Any] = {"id": _id(type_, name, inputs), **COMPUTED.get(type_, {})}
        if name in keys:
            known |= {
                "validatorPublicKey": keys[name].public_key,
                "validatorAddress": keys[name].address,
                "nodeId": keys[name].node_id,
                "createdAt": GENESIS_TIME,
            }
        if type_ == "lab:index:Genesis":
            known["kept"] = inputs["document"]
        return known

    return answer


def as_policies_see(venue: Recording) -> dict[str, Declared]:
    """What is recorded, as the policy pack is shown it."""
    return {
        it.urn: Declared(
            urn=it.urn,
            type=it.type,
            name=it.name,
            inputs=_plain(it.inputs),
            parent=it.parent,
            protect=it.protect,
            ignore_changes=it.ignore_changes,
            delete_before_replace=bool(it.delete_before_replace),
            uses=it.property_dependencies,
        )
        for it in venue
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Secret):
        return _plain(value.value)
    return declared_values.UNKNOWN if value is offline.UNKNOWN else value


def _id(type_: str, name: str, inputs: Mapping[str, Any]) -> str:
    """Hetzner's ids are numbers."""
    number = str(zlib.crc32(f"{type_}/{name}".encode()))
    return number if type_.startswith("hcloud:") else str(inputs.get("name", name))
