"""What every sibling must provide. A new one is added to `SIBLINGS`; what it lacks is then listed, all at once."""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest

from components import contract
from components.component import Component, token
from components.contract import (
    AlarmsArgs,
    Attaches,
    AttachmentArgs,
    BalancerArgs,
    Cloud,
    FoundationArgs,
    HoldsKeys,
    LinkArgs,
    MachineArgs,
    PublicKeys,
    Rehearsal,
    Sibling,
    SteeringArgs,
    Steers,
    Watches,
    link_tags,
    tags,
)
from components.siblings import sibling, siblings
from diversite.errors import PlanError
from offline import UNKNOWN, Recording, Resource
from services import Paths
from tests.components.recorded import COMPONENT, declared, flagship, made

SIBLINGS = ("lab",)
"""Every package that builds sites."""
COMMON: dict[str, type] = {"Foundation": FoundationArgs, "Machine": MachineArgs}
REHEARSAL: dict[str, type] = {"Link": LinkArgs}
CLOUD: dict[str, type] = {"Balancer": BalancerArgs}
CAPABILITIES: dict[str, type] = {"Alarms": AlarmsArgs, "Attachment": AttachmentArgs, "Steering": SteeringArgs}
"""The classes of a sibling and what each is made with; a capability is asked for only where it is there."""

every_sibling = pytest.mark.parametrize("substrate", SIBLINGS)


@every_sibling
def test_no_part_is_missing(substrate: str) -> None:
    """A sibling has every class and function of the contract, in the contract's shape."""
    assert faults(sibling(substrate)) == []


def test_an_empty_sibling_lists_every_missing_part() -> None:
    """Who starts a fifth sibling is told at once all that it needs."""
    assert faults(ModuleType("components.fifth")) == [
        "components.fifth has no class Foundation: components/fifth/foundation.py makes it",
        "components.fifth has no class Machine: components/fifth/machine.py makes it",
        "components.fifth has no class Balancer: components/fifth/balancer.py makes it",
        "components.fifth has no function paths(host): where the services of a host keep things",
    ]


def test_a_part_of_another_shape_is_named() -> None:
    """A class that is no component, or that cannot be made as the others are, is a fault; so is a wrong function."""
    odd = ModuleType("components.odd")
    package = sibling("lab")
    odd.Foundation, odd.Link = package.Foundation, type("Link", (), {})  # type: ignore[attr-defined]
    odd.Machine = type("Machine", (Component,), {"__init__": lambda self, name: None})  # type: ignore[attr-defined]
    odd.paths = lambda: None  # type: ignore[attr-defined]
    assert faults(odd) == [
        "components.odd.Machine takes (name); the contract's takes (name, args, opts)",
        "components.odd.Link is no Component: its token and its children's options come from there",
        "components.odd.paths takes (); the contract's takes (host)",
    ]


def test_the_contract_is_what_is_tested() -> None:
    """A part that is added to the contract is a part that is asked for here."""
    asked = {Sibling: COMMON, Rehearsal: REHEARSAL, Cloud: CLOUD}
    assert {it: set(it.__annotations__) for it in asked} == {it: set(parts) for it, parts in asked.items()}
    assert {name for it in (Watches, Attaches, Steers) for name in it.__annotations__} == set(CAPABILITIES)
    assert all(hasattr(contract, f"{name}Args") for parts in (*asked.values(), CAPABILITIES) for name in parts)


def test_a_substrate_that_is_not_built_is_refused() -> None:
    """The setting, its value, and what may stand there are told."""
    with pytest.raises(PlanError, match=r"diversite:substrate: 'moon' is not built; allowed: lab, cloud"):
        siblings(flagship(), "moon")


@every_sibling
def test_paths_are_a_services_own(substrate: str) -> None:
    """No two services of the venue write to one place."""
    found = [sibling(substrate).paths(host)("engine") for host in flagship().hosts.values()]
    places = [place for paths in found for place in (paths.etc, paths.data)]
    assert all(isinstance(paths, Paths) for paths in found)
    if substrate == "lab":  # elsewhere every host has a disk of its own
        assert len(set(places)) == len(places)


@every_sibling
def test_every_planned_host_and_link_is_made_once(substrate: str) -> None:
    """For each host a machine, for each link a link, by the names that the plan gives."""
    venue = declared(substrate)
    assert sorted(it.name for it in _of(venue, substrate, "Machine")) == sorted(flagship().hosts)
    assert sorted(it.name for it in _of(venue, substrate, "Link")) == sorted(flagship().links)
    assert len(_of(venue, substrate, "Foundation")) == 1


@every_sibling
def test_children_have_the_right_parents(substrate: str) -> None:
    """Each machine is below its node, each link and the ground below the venue: nothing escapes to another parent."""
    venue = declared(substrate)
    (root,) = venue.of_type("diversite:venue:Venue")
    for machine in _of(venue, substrate, "Machine"):
        node = venue.at(machine.parent)
        assert (node.name, node.parent) == (machine.name, root.urn)
        assert node.type in {
            f"diversite:node:{kind}" for kind in ("Gateway", "MatchingEngine", "OrderEntry", "Monitoring")
        } | {"diversite:validator:Validator"}
    for part in (*_of(venue, substrate, "Link"), *_of(venue, substrate, "Foundation")):
        assert part.parent == root.urn


@every_sibling
def test_what_is_tagged_is_tagged_by_the_contract(substrate: str) -> None:
    """The tags of a host's and a link's resources are those that the contract makes from the plan."""
    for found in declared(substrate):
        given = found.inputs.get("tags") or {}
        if given.get("node") in flagship().hosts:
            assert given == tags(flagship(), flagship().hosts[given["node"]]), found.urn
        if "link" in given:
            assert given == link_tags(flagship(), flagship().links[given["link"]]), found.urn


@every_sibling
def test_components_tell_what_they_registered(substrate: str) -> None:
    """A node tells its address, which a policy reads where a resource cannot carry tags."""
    for host in flagship().hosts.values():
        machine = declared(substrate).named(host.name, f"diversite:{substrate}:Machine")
        assert machine.outputs["address"] == str(host.address)


@every_sibling
def test_a_preview_makes_nothing_up(substrate: str) -> None:
    """What only a provider can know is unknown at preview, and known after a run."""
    keys = declared(substrate).of_type("lab:index:Keys")
    assert all(UNKNOWN in it.inputs.values() for it in keys)
    assert all(UNKNOWN not in it.inputs.values() for it in made(substrate))


@every_sibling
def test_machines_hold_keys(substrate: str) -> None:
    """A validator's machine makes its own keys: this venue's genesis is made from their public halves."""
    assert issubclass(sibling(substrate).Machine, HoldsKeys)
    files = made(substrate).named("validator-par-cometbft").inputs["files"]
    genesis = next(text for path, text in files.items() if path.endswith("genesis.json"))
    assert genesis.count('"pub_key"') == len(flagship().of_role("validator"))


def test_tokens_come_from_classes() -> None:
    """A component's token is made from where its class is, so type and name cannot be swapped."""
    assert token(sibling("lab").Machine) == "diversite:lab:Machine"


def test_public_keys_have_no_private_half() -> None:
    """What a machine tells of its keys is public, by the names of its fields."""
    assert not [name for name in PublicKeys.__dataclass_fields__ if "private" in name]


def faults(package: ModuleType | Sibling) -> list[str]:
    """Everything that a package lacks to be a sibling, in the contract's order; empty for a sibling."""
    name = str(getattr(package, "__name__", package))
    kind = REHEARSAL if hasattr(package, "Link") else CLOUD
    can = [part for part in CAPABILITIES if hasattr(package, part)]
    parts = [fault for part in (*COMMON, *kind, *can) for fault in _part_faults(package, name, part)]
    return parts + _paths_faults(package, name)


def _part_faults(package: object, name: str, part: str) -> list[str]:
    made_by = getattr(package, part, None)
    folder = name.replace(".", "/")
    if made_by is None:
        return [f"{name} has no class {part}: {folder}/{part.lower()}.py makes it"]
    if not (isinstance(made_by, type) and issubclass(made_by, Component)):
        return [f"{name}.{part} is no Component: its token and its children's options come from there"]
    return _shape_faults(f"{name}.{part}", made_by.__init__, ("name", "args", "opts"), skip=1)


def _paths_faults(package: object, name: str) -> list[str]:
    paths = getattr(package, "paths", None)
    if paths is None:
        return [f"{name} has no function paths(host): where the services of a host keep things"]
    return _shape_faults(f"{name}.paths", paths, ("host",), skip=0)


def _shape_faults(what: str, function: object, expected: tuple[str, ...], skip: int) -> list[str]:
    assert callable(function)
    taken = tuple(inspect.signature(function).parameters)[skip:]
    if taken == expected:
        return []
    return [f"{what} takes ({', '.join(taken)}); the contract's takes ({', '.join(expected)})"]


def _of(venue: Recording, substrate: str, kind: str) -> tuple[Resource, ...]:
    return venue.of_type(f"{COMPONENT}{substrate}:{kind}")
