"""Whatever a stack file may ask of the clouds is built as it says, and within the rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given
from hypothesis import settings as tried
from hypothesis import strategies as st

import offline
from components.contract import labels, tags
from diversite import ports
from diversite.errors import PlanError
from diversite.plan import Plan, plan
from diversite.topology import Topology
from offline import Recording, Secret
from policies import facts
from policies.declared import Resource
from policies.rule import ResourceRule
from policies.rules import RULES
from policies.rules.links import RANGE_PATHS
from policies.tokens import AWS_VPC, HCLOUD_NETWORK
from tests.components.recorded import COMPONENT, as_policies_see, program, settings
from tests.support.topologies import cloud_venues

RESOURCE_RULES = [rule for rule in RULES if isinstance(rule, ResourceRule)]
SUBNETS = RANGE_PATHS.keys() - {AWS_VPC, HCLOUD_NETWORK}
"""What a network is cut into; the networks themselves hold these."""
LISTENING = {
    "hcloud:index/loadBalancerService:LoadBalancerService": ("listenPort",),
    "aws:lb/listener:Listener": ("port",),
    "gcp:compute/forwardingRule:ForwardingRule": ("portRange", "ports"),
}
"""Where a balancer says on which ports it takes clients in."""
MIXES = (("hetzner",), ("aws",), ("gcp",), ("aws", "gcp", "hetzner"))
TRIED = tried(
    max_examples=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=set(Phase) - {Phase.explain},  # it would build many more venues
)


@pytest.mark.parametrize("providers", MIXES, ids="-".join)
def test_a_venue_is_built_as_its_file_says(providers: tuple[str, ...]) -> None:
    """Every host where the file says, every link with its two ends, nothing loose, overlapping, open or untagged."""

    @TRIED
    @given(cloud_venues(providers))
    def built(topology: Topology) -> None:
        planned = _planned(topology)
        venue = offline.record(program(planned, "cloud"), **_settings(planned))
        seen = as_policies_see(venue)
        _nothing_is_loose(venue)
        assert facts.of_resources(seen) == facts.of_plan(planned)
        assert all(len(set(link.sites)) == 2 for link in facts.of_resources(seen).links.values())
        assert _overlapping(seen) == []
        assert list(_violations(seen)) == []
        assert {port for it in seen.values() for port in _listening(it)} == {str(ports.ORDERS)}
        _every_host_is_labelled(planned, venue)

    built()


@given(st.data())
@TRIED
def test_a_site_that_is_added_moves_no_other(data: st.DataObject) -> None:
    """With a site more at the end, every resource of the others keeps its name and its addresses."""
    topology = data.draw(cloud_venues(("hetzner",)))
    assume(len(topology.sites) > 1)
    whole = _planned(topology)
    last = list(topology.sites)[-1]
    less = _planned(_without(topology, last))
    for name, host in less.hosts.items():
        assert whole.hosts[name].address == host.address
    before, after = (
        {it.urn: it.inputs.get("ipRange") for it in offline.record(program(it_, "cloud"), **_settings(it_))}
        for it_ in (less, whole)
    )
    assert before.items() <= after.items()


def _without(topology: Topology, site: str) -> Topology:
    told = topology.model_dump(by_alias=True)
    for section in ("validators", "engines", "order_entry", "monitoring"):
        told[section] = {name: item for name, item in told[section].items() if item["site"] != site}
    told["links"] = {name: link for name, link in told["links"].items() if site not in link["ends"]}
    del told["sites"][site]
    assume(told["order_entry"] and told["monitoring"])
    return Topology.model_validate(told)


def _planned(topology: Topology) -> Plan:
    try:
        return plan(topology)
    except PlanError:
        assume(False)
        raise


def _settings(planned: Plan) -> Any:
    told = settings()
    told["config"] |= {f"hcloud-{site.account}:token": Secret("s" * 64) for site in planned.sites.values()}
    return told


def _nothing_is_loose(venue: Recording) -> None:
    assert max(Counter(it.urn for it in venue).values()) == 1
    assert [it.urn for it in venue if it.custom and not venue.at(it.parent).type.startswith(COMPONENT)] == []


def _overlapping(seen: dict[str, Resource]) -> list[tuple[str, str]]:
    """Subnets with an address in common, and hosts with one address."""
    found = sorted((IPv4Network(it.get(RANGE_PATHS[it.type])), it.urn) for it in seen.values() if it.type in SUBNETS)
    hosts = Counter(IPv4Address(host.address or "") for host in facts.of_resources(seen).hosts.values())
    twice = [(str(address), str(times)) for address, times in hosts.items() if times > 1]
    return twice + [(a, b) for (here, a), (there, b) in pairwise(found) if here.overlaps(there)]


def _violations(seen: dict[str, Resource]) -> Iterator[str]:
    for resource in seen.values():
        for rule in RESOURCE_RULES:
            if rule.applies(resource):
                yield from (f"{rule.name}: {resource.urn}: {says}" for says in rule.check(resource, rule.settings()))


def _listening(resource: Resource) -> Iterator[str]:
    for path in LISTENING.get(resource.type, ()):
        value = resource.get(path)
        yield from map(str, value if isinstance(value, list) else [] if value is None else [value])


def _every_host_is_labelled(planned: Plan, venue: Recording) -> None:
    for host in planned.hosts.values():
        (found,) = (it for it in venue if it.type in facts.HOST_TYPES and it.name == host.name)
        told = found.inputs.get("labels") or found.inputs["tags"]
        assert (tags if host.provider == "aws" else labels)(planned, host).items() <= told.items()
