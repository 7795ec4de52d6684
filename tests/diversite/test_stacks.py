"""The stack files that ship: each is a venue that meets its own objectives and can be built as it stands."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from diversite import stackfile
from diversite.catalog import catalog
from diversite.consensus import quorum_rtt_ms
from diversite.domains import parse
from diversite.judge import judge
from diversite.outcome import predict
from diversite.plan import Host, Plan, plan
from diversite.ports import Role

STACKS = Path(__file__).parents[2] / "stacks"
NAMES = ("europe", "global", "regional", "starter")
"""Those of the clouds."""
BESIDE = ("passive",)
"""Those whose heads tell of state beside consensus, and not of a quorum."""
CHECK_SECONDS_MAX = 1.0
RELEASED: tuple[Role, ...] = ("validator", "engine", "store", "queue", "passive")

every_stack = pytest.mark.parametrize("name", NAMES)
every_venue = pytest.mark.parametrize("name", [*NAMES, *BESIDE])


def planned(name: str) -> Plan:
    """A shipped stack, decided."""
    return plan(stackfile.load(STACKS / f"{name}.yaml"))


def head_of(name: str) -> str:
    """What a stack file says of itself before it begins, in one line."""
    text = (STACKS / f"{name}.yaml").read_text(encoding="utf-8")
    return " ".join(line.lstrip("# ") for line in text[: text.index("venue:")].splitlines()[1:])


def architecture(host: Host) -> str:
    """What a host's processor understands."""
    return catalog().machine(host.provider, host.machine).architecture


def test_these_are_all() -> None:
    """Every topology in stacks/ is tried here."""
    found = {path.stem for path in STACKS.glob("*.yaml") if not path.name.startswith("Pulumi.")}
    assert found == {*NAMES, *BESIDE}


@pytest.mark.parametrize("name", [*NAMES, *BESIDE])
def test_it_meets_its_own_objectives(name: str) -> None:
    """What a stack file wishes is true of it."""
    assert [finding.wish for finding in judge(planned(name), remedies=False).blockers] == []


@pytest.mark.parametrize("name", [*NAMES, *BESIDE])
def test_it_is_judged_within_a_second(name: str) -> None:
    """From text to verdict; the catalogue, which all share, is read before."""
    planned(name)
    began = time.process_time()
    judge(planned(name))
    assert time.process_time() - began < CHECK_SECONDS_MAX


@every_stack
def test_its_head_tells_the_quorum_rtt(name: str) -> None:
    """The round trip to a quorum that the head comment states is the slowest proposer's in the plan."""
    venue = planned(name)
    total = sum(venue.power_by_site.values())
    slowest = max(quorum_rtt_ms(venue.one_way_ms, venue.power_by_site, site, total) for site in venue.power_by_site)
    told = re.search(r"slowest proposer[^.]*? has its quorum in ([\d.]+) ms", head_of(name))
    assert told
    assert float(told[1]) == pytest.approx(slowest, abs=0.5)


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("europe", ["metro:london", "site:par"]),
        ("europe", ["provider:aws"]),
        ("regional", ["synchronous_area:continental-europe"]),
        ("regional", ["country:DE"]),
        ("regional", ["metro:paris", "metro:falkenstein"]),
        ("regional", ["provider:aws"]),
        ("regional", ["provider:gcp"]),
        ("global", ["country:US", "country:IE"]),
        ("global", ["country:US", "country:CA"]),
        ("global", ["provider:aws"]),
        ("global", ["provider:gcp"]),
        ("starter", ["site:fsn", "site:nbg"]),
        ("starter", ["country:DE"]),
        ("starter", ["synchronous_area:continental-europe"]),
    ],
)
def test_what_it_says_it_does_not_survive_halts_it(name: str, lost: list[str]) -> None:
    """The limits that a head comment names are real: the venue halts, and nothing is lost."""
    venue = planned(name)
    outcome = predict(venue, [parse(each, venue) for each in lost])
    assert (outcome.consensus, outcome.orders_lost) == ("halts_safely", 0)


def test_the_cheapest_venue_may_lose_orders_with_its_provider() -> None:
    """One provider holds every disk: the starter's head says that its loss is not survived, nor safe."""
    starter = planned("starter")
    assert predict(starter, [parse("provider:hetzner", starter)]).consensus == "could_lose_data"
    assert "may take every disk" in head_of("starter")


@every_venue
def test_every_host_has_an_image(name: str) -> None:
    """For each provider, each AWS region and each architecture that it uses, a boot image is pinned."""
    venue = planned(name)
    for host in venue.hosts.values():
        place = venue.sites[host.site].place
        images = venue.topology.images[f"aws/{place.region}" if place.provider == "aws" else place.provider]
        assert getattr(images, architecture(host)), f"{host.name} at {place.region} on {architecture(host)}"


@every_venue
def test_every_host_that_runs_the_venues_own_software_has_a_build(name: str) -> None:
    """Validators, engines, stores and queues name a release that is built for their processor."""
    venue = planned(name)
    for host in (host for role in RELEASED for host in venue.of_role(role)):
        assert host.release is not None
        assert venue.topology.releases[host.release].build(architecture(host)), f"{host.name}: {host.release}"


@every_venue
def test_nothing_is_pinned_that_no_host_uses(name: str) -> None:
    """An image or a build that is left over would be replaced by its user in vain."""
    venue = planned(name)
    used = {(host.provider, venue.sites[host.site].place.region, architecture(host)) for host in venue.hosts.values()}
    for key, images in venue.topology.images.items():
        provider, _, region = key.partition("/")
        here = {chip for owner, where, chip in used if owner == provider and region in ("", where)}
        assert set(images.model_dump(exclude_none=True)) == here, key


def test_the_stacks_show_every_kind_of_link() -> None:
    """Between them the shipped stacks use each kind, and pairs that are joined in two ways."""
    links = [link for name in NAMES for link in planned(name).links.values()]
    assert {link.kind for link in links} == {"backbone", "vpn", "circuit", "cross_cloud", "wireguard"}
    assert {link.preference for link in links} == {1, 2}


def test_circuits_stand_where_providers_offer_them() -> None:
    """A circuit has an on-ramp of its cloud in each end's metro; a cross-cloud link joins regions that are a pair."""
    found = [(each, link) for each in map(planned, NAMES) for link in each.links.values()]
    for venue, link in found:
        places = {venue.sites[site].place.provider: venue.sites[site].place for site in link.sites}
        if link.kind == "circuit":
            ramps = {
                (ramp.provider, ramp.metro) for place in places.values() for ramp in catalog().on_ramps(place.metro)
            }
            assert {(provider, place.metro) for provider, place in places.items()} <= ramps, link.name
        if link.kind == "cross_cloud":
            assert (places["aws"].region, places["gcp"].region) in catalog().managed_pairs, link.name
