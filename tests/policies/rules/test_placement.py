"""Where hosts may stand, what is compared with the topology, and how much one provider may hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from diversite.catalog import catalog
from diversite.domains import Identities, Membership, Unknown
from policies import tokens
from policies.declared import UNKNOWN, Resource
from policies.rules.placement import (
    as_planned,
    domain_known,
    engines_apart,
    hardware_of_two_vendors,
    location_agrees,
    monitors_apart,
    order_entry_at_two_sites,
    place_declared,
    share_of_a_provider,
    spread_groups_spread,
    spread_groups_used,
    terms_accepted,
    topology_known,
)
from policies.venue import Venue
from tests.policies import asked
from tests.policies.asked import blamed, said, said_of

PARIS, TOKYO = "aws/eu-west-3/euw3-az1", "aws/ap-northeast-1/apne1-az1"
UNREAD = replace(asked.right(), expected=asked.unread())
EMPTY = Venue(resources={}, expected=asked.right().expected)
OF_PARIS = ("engine-par", "entry-par", "gateway-par", "validator-par")
ENGINES = ("engine-par", "engine-dub", "engine-ldn", "engine-nbg")


def stack(*resources: Resource) -> Venue:
    """A stack of a few resources, beside the small topology."""
    return Venue(resources={item.urn: item for item in resources}, expected=asked.right().expected)


# What is meant.


def test_a_stack_without_hosts_needs_no_topology() -> None:
    """A stack may hold something else than a venue."""
    assert said(topology_known, Venue(resources={}, expected=asked.unread())) == []
    assert said(topology_known, UNREAD) == ["the topology 'unread' gives no plan: it cannot be read"]
    assert said(as_planned, EMPTY) == []
    assert said(as_planned, UNREAD) == []


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (
            {"at": "aws/nowhere"},
            "hosts at the place 'aws/nowhere' on the machine 'c7i.xlarge': the catalogue lacks one of them",
        ),
        ({"at": ""}, "hosts at the place None on the machine 'c7i.xlarge': nothing declared tells the place"),
        ({"machine": "x"}, f"hosts at the place '{PARIS}' on the machine 'x': the catalogue lacks one of them"),
    ],
)
def test_a_host_tells_its_place_and_its_machine(told: dict[str, str], says: str) -> None:
    """Of both the catalogue must know what is told."""
    assert said(place_declared, asked.tagged(asked.right(), "engine-par", **told)) == [says]


@pytest.mark.parametrize(
    ("power", "says"),
    [("1", "voting_power is 1, not {}"), (str(10**15), f"voting_power is {10**15}, not {{}}")],
)
def test_a_difference_is_told_with_both_sides(power: str, says: str) -> None:
    """More power is as wrong as less."""
    meant = asked.plan_of(asked.right()).hosts["validator-dub"].voting_power
    differing = asked.tagged(asked.right(), "validator-dub", votingPower=power)
    assert said(as_planned, differing) == [f"validator-dub is not as planned: {says.format(meant)}"]
    assert blamed(as_planned, differing) == ["validator-dub"]


def test_every_difference_is_told() -> None:
    """A host that differs in two ways is one finding."""
    differing = asked.tagged(asked.right(), "engine-par", machine="c7i.large", release="9")
    told = "engine-par is not as planned: machine is c7i.large, not c7i.xlarge, release is 9, not None"
    assert said(as_planned, differing) == [told]


def test_a_links_ends_are_told_in_order() -> None:
    """They are a set, which has none."""
    wire = asked.changed(asked.right(), "par-nbg", a={"address": "10.1.1.1/31"})
    [told] = said(as_planned, wire)
    assert "ends is [('nbg', '10.10.34.249'), ('par', '10.1.1.1')], not [('nbg', '10.10.34.249')," in told


def test_what_is_missing_and_what_is_too_much_are_told_apart() -> None:
    """A host under another name is both."""
    other = asked.tagged(asked.right(), "entry-par", node="entry-x")
    told = [
        "hosts of the topology that no resource declares: entry-par",
        "hosts that the topology does not know: entry-x",
    ]
    assert said(as_planned, other) == told
    unmeant = asked.tagged(asked.right(), "entry-par-access", link="extra")
    assert said(as_planned, unmeant) == ["links that the topology does not know: extra"]
    assert said(as_planned, asked.without(asked.right(), "par-nbg")) == [
        "links of the topology that no resource declares: par-nbg"
    ]


# Where hosts stand.


def machine(zone: object, at: str) -> Venue:
    """A Google machine in a zone, whose label says where it is."""
    told = {"node": "engine-a", "role": "engine", "site": "a", "at": at}
    inputs = {"zone": zone, "machineType": "c3d-standard-4", "labels": told}
    return stack(Resource(urn="m", name="m", type=tokens.GCP_INSTANCE, inputs=inputs))


@pytest.mark.parametrize(
    ("zone", "at", "agrees"),
    [
        ("europe-west2-a", "gcp_europe-west2_europe-west2-a", True),
        ("europe-west2-a", "gcp_europe-west1_europe-west1-b", False),
        ("europe-west2-a", "gcp_europe-west9_europe-west9-a", False),
        ("europe-west2-a", "", True),
        (UNKNOWN, "gcp_europe-west9_europe-west9-a", True),
    ],
)
def test_a_label_tells_the_place_that_the_zone_is(zone: object, at: str, agrees: bool) -> None:
    """Where the zone is not known yet there is nothing to agree with; where no label says it, nothing disagrees."""
    told = f"the tag `at` says {at.replace('_', '/')}, the host stands at gcp/europe-west2/europe-west2-a"
    assert said(location_agrees, machine(zone, at)) == [told] * (not agrees)


@pytest.mark.parametrize("site", ["dub", "zrh"])
def test_a_tag_tells_the_site_whose_network_it_is(site: str) -> None:
    """Whatever the two sites are called."""
    told = [f"the tag `site` says {site}, the host is in the network of par"]
    assert said(location_agrees, asked.tagged(asked.right(), "engine-par", site=site)) == told
    assert blamed(location_agrees, asked.tagged(asked.right(), "engine-par", site=site)) == ["engine-par"]


def test_hosts_of_one_site_stand_at_one_place() -> None:
    """Where they do not, all of them are blamed, and nobody at other sites."""
    scattered = asked.tagged(asked.right(), "engine-par", at=TOKYO)
    assert said(location_agrees, scattered) == [f"hosts of the site par stand at {TOKYO}, {PARIS}"]
    assert blamed(location_agrees, scattered) == list(OF_PARIS)


def test_hosts_whose_place_nobody_knows_are_not_scattered() -> None:
    """That the place is not told is another rule's finding."""
    assert said(location_agrees, asked.tagged(asked.right(), *OF_PARIS, at="")) == []
    assert said(location_agrees, asked.tagged(asked.right(), "engine-par", at="")) == []


# What stands together.


def test_a_venue_without_engines_has_none_in_one_place() -> None:
    """Where there is none, none is lost with another."""
    assert said(engines_apart, asked.without(asked.right(), *ENGINES)) == []
    assert said(engines_apart, UNREAD) == []
    assert said(monitors_apart, asked.without(asked.right(), "monitor-dub", "monitor-nbg")) == []


def test_engines_in_one_metro_are_together() -> None:
    """All domains that hold every engine are told, and every engine is blamed."""
    together = asked.without(asked.right(), *ENGINES[1:])
    told = f"every engine stands in the site {PARIS}, metro paris, provider region aws/eu-west-3"
    assert said(engines_apart, together) == [told]
    assert blamed(engines_apart, together) == ["engine-par"]
    further = said(engines_apart, together, engines_also_apart=("country",))
    assert further == [f"{told}, country FR"]


def test_a_domain_that_holds_nothing_but_the_engines_holds_them() -> None:
    """It need hold nobody else to take all of them with it."""
    venue = asked.without(asked.right())
    of: dict[str, Identities] = {name: {"site": frozenset({"x"})} for name in ENGINES}
    vars(venue)["membership"] = Membership(of=of, unknown=())
    assert said(engines_apart, venue) == ["every engine stands in the site x"]


@pytest.mark.parametrize(
    ("venue", "least", "says"),
    [
        (asked.right(), 2, []),
        (asked.right(), 3, ["orders can be entered at 2 place(s); 3 are needed"]),
        (asked.tagged(asked.right(), "engine-ldn", role="entry"), 2, []),
        (EMPTY, 2, []),
    ],
)
def test_orders_may_be_entered_at_more_sites_than_the_bound(venue: Venue, least: int, says: list[str]) -> None:
    """As many as are the least are enough, and a stack without hosts has no orders."""
    assert said(order_entry_at_two_sites, venue, order_entry_sites_min=least) == says


# Providers and processors.


def accepted(days: int) -> Venue:
    """The right venue, the terms of AWS accepted so many days before the catalogue's review."""
    plan = asked.plan_of(asked.right())
    told = plan.topology.terms["aws"].model_copy(update={"accepted_on": catalog().reviewed - timedelta(days=days)})
    topology = plan.topology.model_copy(update={"terms": {**plan.topology.terms, "aws": told}})
    return replace(asked.right(), expected=replace(asked.right().expected, plan=replace(plan, topology=topology)))


@pytest.mark.parametrize(("days", "passes"), [(-1, True), (0, True), (730, True), (731, False), (5000, False)])
def test_terms_hold_for_two_years(days: int, passes: bool) -> None:
    """What was accepted exactly as long ago as the bound is still accepted."""
    assert (not said(terms_accepted, accepted(days))) is passes


def test_terms_concern_the_hosts_of_their_provider() -> None:
    """Only those are blamed, and nobody where no topology can be read."""
    at_aws = sorted(host.name for host in asked.right().hosts() if (host.place or "").startswith("aws/"))
    assert blamed(terms_accepted, accepted(731)) == at_aws
    assert said(terms_accepted, UNREAD) == []


def test_only_domains_that_an_objective_names_need_be_known() -> None:
    """`careless` asks for hardware, which is not known of one host; of grids it asks nothing."""
    assert said(domain_known, asked.right("careless")) == ["the hardware is not known"]
    known = ["entry-par", "engine-dub", "engine-par", "validator-dub", "validator-par"]
    assert blamed(domain_known, asked.right("careless")) == sorted(asked.right("careless").facts.hosts.keys() - known)
    assert said(domain_known, UNREAD) == []
    venue = asked.without(asked.right())
    unasked = Unknown(member="engine-par", kind="country", reason="nobody knows")
    link = Unknown(member="par-nbg", kind="carrier", reason="nobody knows")
    vars(venue)["membership"] = Membership(of={}, unknown=(unasked, link))
    assert said(domain_known, venue) == []


@pytest.mark.parametrize(
    ("machines", "least", "says"),
    [
        ({}, 2, []),
        ({}, 3, ["validators run on processors of amd, intel only"]),
        ({"validator-par": "c7g.xlarge", "validator-ldn": "c3-standard-4"}, 2, []),
        ({"validator-dub": "c7i.xlarge", "validator-ldn": "e2-standard-2", "validator-nbg": "cx23"}, 2, None),
    ],
)
def test_validators_may_run_on_as_few_vendors_as_the_bound(
    machines: dict[str, str], least: int, says: list[str] | None
) -> None:
    """Three are more than two; a machine of which nobody knows the vendor counts for none."""
    venue = asked.right()
    for name, type_ in machines.items():
        venue = asked.tagged(venue, name, machine=type_)
    told = ["validators run on processors of intel only"] if says is None else says
    assert said(hardware_of_two_vendors, venue, vendors_min=least) == told


def powered(**power: int) -> Venue:
    """The right venue with other voting powers, by site."""
    venue = asked.right()
    for site, held in power.items():
        venue = asked.tagged(venue, f"validator-{site}", votingPower=str(held))
    return venue


@pytest.mark.parametrize(
    ("at_aws", "passes"), [(5000, True), (5004, True), (5006, False), (5060, False), (9000, False), (0, True)]
)
def test_a_provider_may_hold_as_much_as_its_share(at_aws: int, passes: bool) -> None:
    """A half is allowed, and what the plan scales powers apart by is no concentration."""
    venue = powered(par=at_aws, dub=0, ldn=(10_000 - at_aws) // 2, nbg=(10_000 - at_aws) // 2)
    assert (not said(share_of_a_provider, venue)) is passes


@pytest.mark.parametrize(
    ("share", "says"),
    [(34, "; alone it can halt the venue"), (33, "")],
)
def test_a_third_of_the_power_halts_the_venue(share: int, says: str) -> None:
    """It is told what the share means, and whose hosts hold it."""
    venue = powered(par=share, dub=0, ldn=20, nbg=80 - share)
    told = said(share_of_a_provider, venue, provider_share_max=0.325)
    assert f"aws holds {share:.1f} % of the voting power{says}" in told
    assert blamed(share_of_a_provider, powered(par=9, dub=1, ldn=1, nbg=1)) == ["validator-dub", "validator-par"]


def test_where_nobody_has_power_nobody_has_too_much() -> None:
    """Powers that are not declared yet are no concentration."""
    assert said(share_of_a_provider, powered(par=0, dub=0, ldn=0, nbg=0)) == []
    assert said(share_of_a_provider, UNREAD) == []


# Spread groups.

GROUPS = {
    tokens.AWS_INSTANCE: ("tags", "placementGroup"),
    tokens.GCP_INSTANCE: ("labels", "resourcePolicies"),
    tokens.HCLOUD_SERVER: ("labels", "placementGroupId"),
}


@pytest.mark.parametrize("type_", GROUPS)
@pytest.mark.parametrize(
    ("role", "group", "passes"),
    [
        ("validator", "g", True),
        ("engine", UNKNOWN, True),
        ("engine", None, False),
        ("validator", [], False),
        ("gateway", None, True),
    ],
)
def test_what_must_not_share_a_rack_is_in_a_group(type_: str, role: str, group: object, passes: bool) -> None:
    """Which group need not be known yet; a gateway needs none."""
    tags, path = GROUPS[type_]
    told = [f"{path} is not declared"] * (not passes)
    assert said_of(spread_groups_used, type_, {tags: {"role": role}, path: group}) == told


@pytest.mark.parametrize(
    ("type_", "declared", "passes"),
    [
        (tokens.AWS_PLACEMENT_GROUP, {"strategy": "spread"}, True),
        (tokens.AWS_PLACEMENT_GROUP, {"strategy": "partition"}, False),
        (tokens.AWS_PLACEMENT_GROUP, {"strategy": "spreads"}, False),
        (tokens.AWS_PLACEMENT_GROUP, {"type": "spread"}, False),
        (tokens.HCLOUD_PLACEMENT_GROUP, {"type": "spread"}, True),
        (tokens.HCLOUD_PLACEMENT_GROUP, {"strategy": "spread"}, False),
        (tokens.HCLOUD_PLACEMENT_GROUP, {"type": UNKNOWN}, False),
        (tokens.GCP_RESOURCE_POLICY, {"groupPlacementPolicy": {"availabilityDomainCount": 2}}, True),
        (tokens.GCP_RESOURCE_POLICY, {"groupPlacementPolicy": {"availabilityDomainCount": 1}}, False),
        (tokens.GCP_RESOURCE_POLICY, {"groupPlacementPolicy": {"vmCount": 2}}, False),
        (tokens.GCP_RESOURCE_POLICY, {"snapshotSchedulePolicy": {}}, True),
    ],
)
def test_a_group_says_that_it_spreads(type_: str, declared: dict[str, Any], passes: bool) -> None:
    """In its cloud's own words; a policy about something else than placement groups nothing."""
    assert (not said_of(spread_groups_spread, type_, declared)) is passes
