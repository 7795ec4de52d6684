"""What every sibling must provide. A new one is added to `SIBLINGS`; what it lacks is then listed, all at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import ModuleType

import pytest

import offline
from components import contract
from components.component import Component, token
from components.contract import (
    Attaches,
    Cloud,
    Foundation,
    FoundationArgs,
    HoldsKeys,
    PublicKeys,
    Rehearsal,
    Sibling,
    Steers,
    Watches,
    labels,
    link_tags,
    tags,
)
from components.siblings import PACKAGES, sibling, siblings
from diversite.errors import PlanError
from diversite.plan import Host
from offline import UNKNOWN, Recording, Resource
from policies import facts
from policies.venue import BOOT_PATHS
from services import Paths
from tests.components.clouds import ACCOUNTS
from tests.components.recorded import (
    COMPONENT,
    OWNER,
    ROOT,
    as_policies_see,
    declared,
    flagship,
    made,
    settings,
    venue_of,
)
from tests.components.siblings import CAPABILITIES, CLOUD, COMMON, REHEARSAL, faults

SIBLINGS = ("lab", "aws", "gcp", "hcloud")
"""Every package that builds sites."""
PAGE = ROOT / "docs" / "adding-a-cloud.md"

every_sibling = pytest.mark.parametrize("package", SIBLINGS)
every_cloud = pytest.mark.parametrize("package", SIBLINGS[1:])


@every_sibling
def test_no_part_is_missing(package: str) -> None:
    """A sibling has every class and function of the contract, in the contract's shape."""
    assert faults(sibling(package)) == []


def test_every_package_is_asked() -> None:
    """What builds a provider's sites is asked for everything here, on either substrate."""
    assert {package for substrate in PACKAGES.values() for package in substrate.values()} == set(SIBLINGS)


def test_an_empty_sibling_lists_every_missing_part() -> None:
    """Who starts a fifth sibling is told at once all that it needs."""
    assert faults(ModuleType("components.fifth")) == [
        "components.fifth has no class Foundation: components/fifth/foundation.py makes it",
        "components.fifth has no class Machine: components/fifth/host.py makes it",
        "components.fifth has no class Balancer: components/fifth/balancer.py makes it",
        "components.fifth has no function paths(host): where the services of a host keep things",
    ]


def test_the_page_lists_every_part() -> None:
    """`docs/adding-a-cloud.md` names each part and its file as the suite asks for them, and no other."""
    listed = re.findall(r"^- \[ \] `(\w+)` in `(\w+\.py)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == [(part.name, part.file) for part in (*COMMON, *CLOUD, *CAPABILITIES)]


def test_the_page_lists_every_check() -> None:
    """What the suite asks of each sibling, and of each cloud, stands on the page by the test's name."""
    asked = {name for name, test in globals().items() if name.startswith("test_") and hasattr(test, "pytestmark")}
    assert set(re.findall(r"`(test_\w+)`", PAGE.read_text(encoding="utf-8"))) == asked


def test_a_part_of_another_shape_is_named() -> None:
    """A class that is no component, or that cannot be made as the others are, is a fault; so is a wrong function."""
    odd = ModuleType("components.odd")
    package = sibling("lab")
    odd.Foundation, odd.Link = package.Foundation, type("Link", (), {})  # type: ignore[attr-defined]
    odd.Machine = type("Machine", (Component,), {"__init__": lambda self, name: None})  # type: ignore[attr-defined]
    odd.Attachment = type(  # type: ignore[attr-defined]
        "Attachment", (Component,), {"__init__": lambda self, name, args, opts: None}
    )
    odd.paths = lambda: None  # type: ignore[attr-defined]
    assert faults(odd) == [
        "components.odd.Machine takes (name); the contract's takes (name, args, opts)",
        "components.odd.Link is no Component: its token and its children's options come from there",
        "components.odd.Attachment has no kinds: the kinds of link that it makes an end of",
        "components.odd.paths takes (); the contract's takes (host)",
    ]


def test_the_contract_is_what_is_tested() -> None:
    """A part that is added to the contract is a part that is asked for here."""
    asked = {Sibling: COMMON, Rehearsal: REHEARSAL, Cloud: CLOUD}
    assert {it: set(it.__annotations__) for it in asked} == {
        it: {part.name for part in parts} for it, parts in asked.items()
    }
    assert {name for it in (Watches, Attaches, Steers) for name in it.__annotations__} == {
        part.name for part in CAPABILITIES
    }
    every = (*COMMON, *REHEARSAL, *CLOUD, *CAPABILITIES)
    assert [part.args.__name__ for part in every] == [f"{part.name}Args" for part in every]
    assert all(hasattr(contract, part.args.__name__) for part in every)


def test_a_substrate_that_is_not_built_is_refused() -> None:
    """The setting, its value, and what may stand there are told."""
    with pytest.raises(PlanError, match=r"diversite:substrate: 'moon' is not built; allowed: lab, cloud"):
        siblings(flagship(), "moon")


@every_sibling
def test_paths_are_a_services_own(package: str) -> None:
    """No two services of the venue write to one place; in a cloud every host has a disk of its own."""
    hosts = venue_of(package).hosts.values()
    found = [sibling(package).paths(host)(service) for host in hosts for service in ("engine", "bird")]
    places = [(paths.etc, paths.data) for paths in found]
    assert all(isinstance(paths, Paths) and paths.cloud == (package != "lab") for paths in found)
    assert len(set(places)) == (len(places) if package == "lab" else 2)


@every_sibling
def test_every_planned_host_and_link_is_made_once(package: str) -> None:
    """For each host a machine, for each link a link, by the names that the plan gives."""
    venue, planned = declared(package), venue_of(package)
    assert sorted(it.name for it in _of(venue, package, "Machine")) == sorted(planned.hosts)
    assert sorted(it.name for it in venue if it.type.endswith(":Link")) == sorted(planned.links)
    assert len(_of(venue, package, "Foundation")) == 1


@every_sibling
def test_children_have_the_right_parents(package: str) -> None:
    """Each machine is below its node, each link and the ground below the venue: nothing escapes to another parent."""
    venue = declared(package)
    (root,) = venue.of_type("diversite:venue:Venue")
    for machine in _of(venue, package, "Machine"):
        node = venue.at(machine.parent)
        assert (node.name, node.parent) == (machine.name, root.urn)
        assert node.type in {
            f"diversite:node:{kind}" for kind in ("Gateway", "MatchingEngine", "OrderEntry", "Monitoring")
        } | {"diversite:validator:Validator"}
    for part in (*(it for it in venue if it.type.endswith(":Link")), *_of(venue, package, "Foundation")):
        assert part.parent == root.urn


@every_sibling
def test_every_resource_is_below_a_component(package: str) -> None:
    """Nothing that costs money or time hangs loose: its parent is a component of ours."""
    venue = declared(package)
    assert [it.urn for it in venue if it.custom and not venue.at(it.parent).type.startswith(COMPONENT)] == []


@every_sibling
def test_what_is_tagged_is_tagged_by_the_contract(package: str) -> None:
    """The tags of a host's and a link's resources are those that the contract makes from the plan, or more."""
    planned = venue_of(package)
    for found in declared(package):
        given = _told(found)
        if given.get("node") in planned.hosts and found.custom:
            host = planned.hosts[given["node"]]
            assert _expected(package, host).items() <= given.items(), found.urn
        if "link" in given:
            assert given == link_tags(planned, planned.links[given["link"]]), found.urn


@every_sibling
def test_components_tell_what_they_registered(package: str) -> None:
    """A node tells its address, which a policy reads where a resource cannot carry tags."""
    for host in venue_of(package).hosts.values():
        machine = declared(package).named(host.name, f"{COMPONENT}{package}:Machine")
        assert machine.outputs["address"] == str(host.address)


@every_sibling
def test_facts_from_resources_are_the_plans(package: str) -> None:
    """What is declared stands where the plan says, on what it says, with the power, address and links that it says."""
    found, planned = facts.of_resources(as_policies_see(declared(package))), facts.of_plan(venue_of(package))
    assert found.hosts == planned.hosts
    assert found.links == planned.links


@every_sibling
def test_a_run_leaves_nothing_unknown(package: str) -> None:
    """What only a provider can know is known after a run: nothing waits for what never comes."""
    assert [it.urn for it in made(package) if it.custom and UNKNOWN in it.inputs.values()] == []


@every_cloud
def test_boot_scripts_are_known_at_preview(package: str) -> None:
    """But for a gateway's, which tunnels to addresses that do not exist yet: so the policies read them."""
    for host in _hosts(package):
        seen = as_policies_see(declared(package))[host.urn]
        given = [text for path in BOOT_PATHS if (text := seen.get(*path)) is not None]
        assert given, host.urn
        assert _told(host)["role"] == "gateway" or all(isinstance(text, str) for text in given), host.urn


@every_cloud
def test_every_site_has_an_endpoint(package: str) -> None:
    """The public address of each site's gateway is made with the ground, before the gateway that takes it."""
    planned = venue_of(package)
    accounts = {site.account: ACCOUNTS[site.place.provider] for site in planned.sites.values()}
    made: list[Foundation] = []

    def build() -> None:
        args = FoundationArgs(plan=planned, owner=OWNER, accounts=accounts)
        made.append(sibling(package).Foundation("ground", args))

    recorded = offline.record(build, **settings())
    assert set(made[0].endpoints) == set(planned.sites)
    assert not [it for it in recorded if it.type in facts.HOST_TYPES]


def test_machines_of_a_rehearsal_hold_keys() -> None:
    """A validator's machine makes its own keys: this venue's genesis is made from their public halves."""
    assert issubclass(sibling("lab").Machine, HoldsKeys)
    files = made("lab").named("validator-par-cometbft").inputs["files"]
    genesis = next(text for path, text in files.items() if path.endswith("genesis.json"))
    assert genesis.count('"pub_key"') == len(flagship().of_role("validator"))


def test_tokens_come_from_classes() -> None:
    """A component's token is made from where its class is, so type and name cannot be swapped."""
    assert token(sibling("lab").Machine) == "diversite:lab:Machine"


def test_public_keys_have_no_private_half() -> None:
    """What a machine tells of its keys is public, by the names of its fields."""
    assert not [name for name in PublicKeys.__dataclass_fields__ if "private" in name]


def _of(venue: Recording, package: str, kind: str) -> tuple[Resource, ...]:
    return venue.of_type(f"{COMPONENT}{package}:{kind}")


def _hosts(package: str) -> list[Resource]:
    return [it for it in declared(package) if it.type in facts.HOST_TYPES]


def _told(found: Resource) -> Mapping[str, str]:
    both = (found.inputs.get(key) for key in ("tags", "labels"))  # Google's instances have tags of another kind too
    return next((given for given in both if isinstance(given, Mapping)), {})


def _expected(package: str, host: Host) -> Mapping[str, str]:
    return (tags if package in ("lab", "aws") else labels)(venue_of(package), host)
