"""The flagship in the lab: what the program declares, counted and compared with the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from components.lab.foundation import INTERNET
from components.lab.host import ROOT
from diversite.naming import RESOURCE_LENGTH_MAX
from offline import UNKNOWN, Recording, Resource, Secret
from services import needs_keys
from tests.components.recorded import COMPONENT, declared, flagship, made
from tests.services.venues import rendered

TAGS = {"venue", "site", "node", "role", "votingPower"}


@pytest.fixture(scope="module")
def venue() -> Recording:
    """The flagship at preview."""
    return declared("lab")


@pytest.fixture(scope="module")
def running() -> Recording:
    """The flagship after a run."""
    return made("lab")


def test_it_declares_what_was_planned(venue: Recording) -> None:
    """One world; a host for each planned one and the internet; a wire for each link and entrance; keys, one genesis."""
    planned = flagship()
    services = 3 * len(planned.of_role("monitor")) + sum(host.role != "monitor" for host in planned.hosts.values())
    assert Counter(it.type for it in venue if it.custom) == {
        "lab:index:World": 1,
        "lab:index:Host": len(planned.hosts) + 1,
        "lab:index:Wire": len(planned.links) + len(planned.accesses),
        "lab:index:Keys": len(planned.of_role("validator")),
        "lab:index:Genesis": 1,
        "lab:index:Service": services,
    }


def test_the_flagship_is_this_large(venue: Recording) -> None:
    """The reference venue in figures, so that a change of its size is seen in review."""
    assert Counter(it.type for it in venue) == {
        "pulumi:pulumi:Stack": 1,
        "diversite:venue:Venue": 1,
        "diversite:node:Gateway": 7,
        "diversite:node:MatchingEngine": 7,
        "diversite:node:OrderEntry": 3,
        "diversite:node:Monitoring": 2,
        "diversite:validator:Validator": 7,
        "diversite:lab:Foundation": 1,
        "diversite:lab:Machine": 26,
        "diversite:lab:Link": 21,
        "lab:index:World": 1,
        "lab:index:Host": 27,
        "lab:index:Wire": 24,
        "lab:index:Keys": 7,
        "lab:index:Genesis": 1,
        "lab:index:Service": 30,
    }


def test_every_resource_is_below_a_component(venue: Recording) -> None:
    """Nothing that costs money or time hangs loose: its parent is a component of ours."""
    assert [it.urn for it in venue if it.custom and not venue.at(it.parent).type.startswith(COMPONENT)] == []


def test_every_component_is_below_the_venue(venue: Recording) -> None:
    """There is one root, and whoever follows parents comes to it."""
    (root,) = venue.of_type("diversite:venue:Venue")
    assert [it.urn for it in venue if it.type.startswith(COMPONENT) and not _is_below(venue, it, root)] == []


def test_names_are_unique_and_short(venue: Recording) -> None:
    """No two resources share a URN, and no two of a type a name."""
    assert max(Counter(it.urn for it in venue).values()) == 1
    assert max(Counter((it.type, it.name) for it in venue).values()) == 1
    assert max(len(it.inputs["name"]) for it in venue.of_type("lab:index:Host")) <= RESOURCE_LENGTH_MAX


def test_every_host_carries_its_tags(venue: Recording) -> None:
    """Who looks at a host alone sees which venue, site, node and role it is, and what power it has."""
    planned = flagship()
    for found in venue.of_type("lab:index:Host"):
        tags = found.inputs["tags"]
        assert set(tags) >= TAGS
        assert all(isinstance(value, str) for value in tags.values())
        if found.name != INTERNET:
            host = planned.hosts[found.name]
            assert (tags["site"], tags["role"], tags["votingPower"]) == (host.site, host.role, str(host.voting_power))
            assert tags["at"] == planned.sites[host.site].place.id


def test_every_service_carries_the_tags_of_its_host(venue: Recording) -> None:
    """A service is judged as the host it runs on is."""
    hosts = {it.name: it.inputs["tags"] for it in venue.of_type("lab:index:Host")}
    for service in venue.of_type("lab:index:Service"):
        assert service.inputs["tags"] == hosts[service.inputs["tags"]["node"]]


def test_voting_power_is_all_there(venue: Recording) -> None:
    """The powers on the validators' hosts add up to the plan's total."""
    powers = [int(it.inputs["tags"]["votingPower"]) for it in venue.of_type("lab:index:Host")]
    assert sum(powers) == sum(flagship().power_by_site.values())


def test_every_wire_has_two_ends_on_different_hosts(running: Recording) -> None:
    """A wire joins two hosts that are declared, in one subnet, with an interface of its own at either."""
    hosts = {it.id for it in running.of_type("lab:index:Host")}
    ends = Counter[tuple[str, str]]()
    for wire in running.of_type("lab:index:Wire"):
        a, b = wire.inputs["a"], wire.inputs["b"]
        assert {a["host"], b["host"]} <= hosts
        assert a["host"] != b["host"]
        assert a["address"] != b["address"]
        ends.update([(a["host"], a["interface"]), (b["host"], b["interface"])])
    assert max(ends.values()) == 1


def test_every_link_has_its_delay(venue: Recording) -> None:
    """A link's wire takes half the planned round trip each way; the entrances' wires take nothing."""
    delays = {it.name: it.inputs["delayMicroseconds"] for it in venue.of_type("lab:index:Wire")}
    planned = {name: round(link.one_way_ms * 1000) for name, link in flagship().links.items()}
    assert delays == planned | {f"{entry}-access": 0 for entry in flagship().accesses}


def test_every_service_is_declared_as_rendered(running: Recording) -> None:
    """What runs is what `services` rendered: its command and its files, for every host, validators included."""
    expected = {
        f"{host}-{service.name}": (list(service.command), dict(service.files), service.restart)
        for host, services in rendered(flagship(), Path(ROOT)).items()
        for service in services
    }
    found = {
        it.name: (it.inputs["command"], it.inputs["files"], it.inputs["restart"])
        for it in running.of_type("lab:index:Service")
    }
    assert found == expected


def test_at_preview_only_what_needs_keys_is_unknown(venue: Recording) -> None:
    """A preview shows every file but those that the genesis of unmade keys is in."""
    needing = {f"{host.name}-cometbft" for host in flagship().hosts.values() if needs_keys(host)}
    unknown = {it.name for it in venue.of_type("lab:index:Service") if it.inputs["files"] is UNKNOWN}
    assert unknown == needing


def test_an_engine_is_there_before_its_validator(running: Recording) -> None:
    """Consensus starts after the engine that executes its blocks, and after everyone's keys."""
    engines = {host.name: host.partner for host in flagship().of_role("validator")}
    keys = {it.urn for it in running.of_type("lab:index:Keys")}
    for validator, engine in engines.items():
        needed = _needed(running, running.named(f"{validator}-cometbft"))
        assert running.named(f"{engine}-engine", "lab:index:Service").urn in needed
        assert keys <= needed


def test_a_router_is_there_before_its_site(running: Recording) -> None:
    """A host joins a LAN that its site's router has made."""
    for host in flagship().hosts.values():
        if host.role != "gateway":
            router = flagship().gateway(host.site).name
            assert running.named(router, "lab:index:Host").urn in _needed(
                running, running.named(host.name, "lab:index:Host")
            )


def test_a_services_host_is_there_before_it(running: Recording) -> None:
    """Nothing runs on a host that is not there."""
    for service in running.of_type("lab:index:Service"):
        assert running.named(service.inputs["host"], "lab:index:Host").urn in _needed(running, service)


def test_nothing_is_secret_and_no_key_is_told(running: Recording) -> None:
    """Private keys stay on their hosts' disks: no input or output is a secret, or looks like a private key."""
    for found in running:
        for value in _leaves({**found.inputs, **found.outputs}):
            assert not isinstance(value, Secret), found.urn
            assert "priv_key" not in str(value) or "priv_key_file" in str(value), found.urn
            assert "PRIVATE KEY" not in str(value), found.urn


def test_only_validators_hold_keys(venue: Recording) -> None:
    """Each validator makes its own keys, below its own component."""
    for keys in venue.of_type("lab:index:Keys"):
        machine = venue.at(keys.parent)
        assert venue.at(machine.parent).type == "diversite:validator:Validator"


def _is_below(recording: Recording, resource: Resource, root: Resource) -> bool:
    while resource.urn != root.urn and resource.parent:
        resource = recording.at(resource.parent)
    return resource.urn == root.urn


def _needed(recording: Recording, resource: Resource) -> set[str]:
    """Everything that must be there before a resource, through others and through components."""
    found: set[str] = set()
    left = list(resource.dependencies)
    while left:
        urn = left.pop()
        if urn not in found:
            found.add(urn)
            left += recording.at(urn).dependencies
    return found


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
