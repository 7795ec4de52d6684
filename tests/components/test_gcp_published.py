"""What Google's part of a venue declares, held against what Google publishes and against its limits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from components.gcp import names
from components.gcp.families import FAMILIES
from diversite import ports
from diversite.catalog import catalog
from tests.components.published_gcp import SCHEMAS, faults
from tests.components.recorded_gcp import (
    DISK,
    INSTANCE,
    changed,
    hosts,
    joined,
    planned,
    venue,
)


def test_every_value_is_one_that_google_publishes() -> None:
    """Every property, enumerated value and pattern is of Google's own discovery documents."""
    assert [fault for it in (*venue(), *joined()) if it.type in SCHEMAS for fault in faults(it)] == []
    assert {it.type for it in (*venue(), *joined()) if it.type.startswith("gcp:")} <= SCHEMAS.keys()


@pytest.mark.parametrize(
    ("type_", "name", "change", "says"),
    [
        (INSTANCE, "validator-ldn", {"scheduling": {"onHostMaintenance": "MOVE"}}, "'MOVE', not of"),
        (INSTANCE, "validator-ldn", {"name": "Validator"}, "'Validator', not like"),
        (INSTANCE, "validator-ldn", {"machineTyp": "c3"}, "machineTyp is no property of Instance"),
        (DISK, "validator-ldn-data", {"size": "large"}, "size is 'large', no string of digits"),
        ("gcp:compute/address:Address", "gateway-ldn", {"networkTier": "GOLD"}, "'GOLD', not of"),
    ],
)
def test_a_value_that_google_refuses_is_found(type_: str, name: str, change: dict[str, Any], says: str) -> None:
    """The test above can fail: one wrong value is told with what is allowed."""
    right = venue().named(name, type_)
    (found,) = faults(replace(right, inputs={**right.inputs, **change}))
    assert says in found


def test_zones_and_machines_are_the_catalogues() -> None:
    """Each machine stands in its site's zone, on its topology's machine; each region is the zone's."""
    for it in hosts(venue()):
        host = planned().hosts[it.inputs["labels"]["node"]]
        place = planned().sites[host.site].place
        assert (it.inputs["zone"], it.inputs["machineType"]) == (place.zone, host.machine)
        assert it.inputs["networkInterfaces"][0]["networkIp"] == str(host.address)
    zones = {place.zone for place in catalog().places.values() if place.provider == "gcp"}
    assert {it.inputs["zone"] for it in venue() if "zone" in it.inputs} <= zones
    assert {it.inputs["region"] for it in venue() if "region" in it.inputs} <= {zone[:-2] for zone in zones}


def test_every_machine_of_the_catalogue_has_a_family() -> None:
    """Whatever a topology may name at Google, its disks are known."""
    machines = {name for provider, name in catalog().machines if provider == "gcp"}
    assert {name.partition("-")[0] for name in machines} == set(FAMILIES)


def test_disks_fit_their_machines() -> None:
    """Google's newer machines take hyperdisks only, its older ones none."""
    machines = {it.inputs["labels"]["node"]: it for it in hosts(venue())}
    for it in venue().of_type(DISK):
        machine = machines[it.inputs["labels"]["node"]].inputs
        newer = machine["machineType"].startswith(("c4-", "c4a-"))
        types = {it.inputs["type"], machine["bootDisk"]["initializeParams"]["type"]}
        assert {type_.startswith("hyperdisk") for type_ in types} == {newer}


def test_names_are_within_googles_limits() -> None:
    """The longest keys that a topology may have make names and tags of 63 characters at most, and no two alike."""
    long = "x" * 16
    given = replace(planned(), topology=planned().topology.model_copy(update={"venue": long}))
    made = [names.named(given, f"cross-cloud-ap-southeast-1-asia-southeast1-{long}-{long}-{n}") for n in "ab"]
    assert len(set(made)) == 2
    assert all(re.fullmatch(names.PATTERN, name) for name in made)
    assert len(names.of_role(given, "validator", long)) <= 63


def test_names_are_unique() -> None:
    """No two resources of a type share a name at Google, and no tag means two things."""
    named = [(it.type, it.inputs["name"]) for it in venue() if it.type.startswith("gcp:") and "name" in it.inputs]
    assert max(Counter(named).values()) == 1
    odd = changed(
        planned(), sites={**planned().topology.sites, "validator": planned().topology.sites["ldn"]}, links=full_mesh()
    )
    tags = [names.in_site(odd, site) for site in odd.sites] + [names.of_role(odd, role) for role in ports.ROLES]
    assert len(tags) == len(set(tags))


def full_mesh() -> Mapping[str, Any]:
    """The links of the venue with one more site."""
    links = planned().topology.links
    return {**links, "third": links["second"].model_copy(update={"ends": ("ldn", "validator"), "preference": 3})}
