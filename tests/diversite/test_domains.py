"""Failure domains: what fails together, what overlaps, and what is not known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from diversite import stackfile
from diversite.domains import KINDS, SPREAD_GROUP_MAX, UNKNOWN, Domain, Membership, domains_of, parse
from diversite.errors import DiversiteError
from diversite.plan import Plan, plan
from tests.support.venues import venue

STACKS = Path(__file__).parents[2] / "stacks"


@pytest.fixture(scope="module")
def europe() -> Plan:
    """The flagship, planned."""
    return plan(stackfile.load(STACKS / "europe.yaml"))


@pytest.fixture(scope="module")
def membership(europe: Plan) -> Membership:
    """Its failure domains."""
    return domains_of(europe)


def test_every_host_is_in_a_domain_of_every_kind_but_those_of_links(europe: Plan, membership: Membership) -> None:
    """No kind is forgotten: a host has each, if only as unknown; links have theirs."""
    for name in europe.hosts:
        assert membership.of[name].keys() == set(KINDS) - {"link", "carrier"}
    for name in europe.links:
        assert membership.of[name].keys() == {"link", "carrier"}


def test_entrances_and_monitors_fail_with_their_site(europe: Plan, membership: Membership) -> None:
    """Everything that stands at a site is lost with it."""
    lost = membership.members(Domain("site", europe.sites["nbg"].place.id))
    assert lost == {"gateway-nbg", "validator-nbg", "engine-nbg", "entry-nbg"}


def test_two_providers_in_one_metro_share_it(membership: Membership) -> None:
    """London on AWS and London on Google are two sites, one metro and one grid."""
    shared = (Domain("metro", "london"), Domain("synchronous_area", "great-britain"), Domain("country", "GB"))
    for domain in shared:
        assert {"validator-lon", "validator-ldn"} <= membership.members(domain)


def test_a_site_that_two_control_areas_may_feed_counts_in_both(europe: Plan) -> None:
    """Overlapping domains each hold the site."""
    site = europe.sites["nbg"]
    grid = replace(site.place.grid, control_areas=("tennet-de", "amprion"))
    both = replace(site, place=replace(site.place, grid=grid))
    found = domains_of(replace(europe, sites={**europe.sites, "nbg": both}))
    for area in ("tennet-de", "amprion"):
        assert "validator-nbg" in found.members(Domain("control_area", area))


def test_what_is_unknown_counts_in_every_domain_of_its_kind_and_says_why(europe: Plan) -> None:
    """Unknown fails closed, and the reason names the host and the place."""
    site = europe.sites["par"]
    dark = replace(site, place=replace(site.place, grid=replace(site.place.grid, synchronous_area=None)))
    found = domains_of(replace(europe, sites={**europe.sites, "par": dark}))
    for domain in found.all("synchronous_area"):
        assert "validator-par" in found.members(domain)
    reasons = [item.reason for item in found.unknown_of("synchronous_area") if item.member == "validator-par"]
    assert reasons == [
        "validator-par: the catalogue knows no synchronous area of aws/eu-west-3/euw3-az1, "
        "so it counts in every domain of that kind"
    ]


def test_where_nothing_is_known_all_are_one_domain(europe: Plan) -> None:
    """If no host's grid is known, they are taken to share it."""
    sites = {
        key: replace(site, place=replace(site.place, grid=replace(site.place.grid, local_grid=None)))
        for key, site in europe.sites.items()
    }
    found = domains_of(replace(europe, sites=sites))
    assert found.all("local_grid") == (Domain("local_grid", UNKNOWN),)
    assert found.members(Domain("local_grid", UNKNOWN)) == frozenset(europe.hosts)


def test_an_unpublished_processor_is_unknown_hardware(membership: Membership) -> None:
    """A Hetzner machine of unnamed processor shares hardware with everything."""
    assert all("validator-nbg" in membership.members(domain) for domain in membership.all("hardware"))
    assert "validator-lon" in membership.members(Domain("hardware", "amazon graviton3"))
    assert "validator-lon" not in membership.members(Domain("hardware", "amd genoa"))


def test_links_of_one_duct_fail_together_whatever_their_carriers() -> None:
    """A duct is a domain beside the carriers that rent it."""
    topology = venue()
    ducted = {name: link.model_copy(update={"duct": "bridge"}) for name, link in list(topology.links.items())[:2]}
    planned = plan(topology.model_copy(update={"links": {**topology.links, **ducted}}))
    names = {name for name, link in planned.links.items() if link.group in ducted}
    assert domains_of(planned).members(Domain("carrier", "duct bridge")) == names


def test_hosts_beyond_the_spread_group_may_stand_in_any_rack_of_their_place() -> None:
    """As many hosts as the provider spreads have a rack each; the next one shares one, nobody knows which."""
    place = "aws/eu-west-3/euw3-az1"
    planned = plan(venue((1,) * 5, places=(place,) * 5))
    found = domains_of(planned)
    assert len(found.all("rack")) == SPREAD_GROUP_MAX["aws"]
    beyond = list(planned.hosts)[SPREAD_GROUP_MAX["aws"]]
    assert all(beyond in found.members(domain) for domain in found.all("rack"))


def test_two_providers_may_use_one_account_name(europe: Plan) -> None:
    """An account belongs to its provider: the same name at another is another account."""
    sites = {key: replace(site, account="trading") for key, site in europe.sites.items()}
    identities = {domain.identity for domain in domains_of(replace(europe, sites=sites)).all("account")}
    assert identities == {"aws/trading", "gcp/trading", "hetzner/trading"}


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("provider:gcp", Domain("provider", "gcp")),
        ("grid:rte", Domain("control_area", "rte")),
        ("grid:nordic", Domain("synchronous_area", "nordic")),
        ("site:par", Domain("site", "aws/eu-west-3/euw3-az1")),
        ("provider-region:aws/eu-west-3", Domain("provider_region", "aws/eu-west-3")),
        ("host:validator-hel", Domain("host", "validator-hel")),
    ],
)
def test_a_person_may_name_a_domain_shortly(text: str, domain: Domain, europe: Plan) -> None:
    """Aliases of kinds and the topology's own names of sites are understood."""
    assert parse(text, europe) == domain


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("planet:earth", "^planet:earth: 'planet' is no kind of failure domain"),
        ("metro:pariss", "did you mean paris"),
        ("site:parr", r"did you mean par\?\)"),
        ("site:parr", r"par \(aws/eu-west-3/euw3-az1\)"),
    ],
)
def test_a_domain_that_is_not_there_is_refused_with_what_is_near(text: str, says: str, europe: Plan) -> None:
    """The message says what is wrong and what would be right."""
    with pytest.raises(DiversiteError, match=says):
        parse(text, europe)
