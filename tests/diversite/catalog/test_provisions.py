"""Machines, limits, terms and on-ramps are whole, and what a provider does not fix stays unknown."""

from __future__ import annotations

import pytest

from diversite.catalog import Machine, OnRamp, catalog

every_machine = pytest.mark.parametrize("machine", catalog().machines.values(), ids=lambda machine: machine.name)
every_provider = pytest.mark.parametrize("provider", ["aws", "gcp", "hetzner"])
STACK_MACHINES = [
    *(("aws", name) for name in ("c7i.large", "c7i.xlarge", "c7a.xlarge", "c7g.xlarge", "m7i.large", "t3.small")),
    *(("gcp", name) for name in ("c3-standard-4", "c3d-standard-4", "n2-standard-2", "e2-small", "t2d-standard-2")),
    *(("hetzner", name) for name in ("cx23", "cpx22", "ccx13", "ccx23", "cax11", "cax31")),
]


@every_machine
def test_a_machine_is_plausible(machine: Machine) -> None:
    """Memory is half a gibibyte to eight for a virtual processor, and Arm and x86 come from their own vendors."""
    assert 0.5 <= machine.memory_gib / machine.vcpus <= 8
    arm = machine.cpu_vendor in {"amazon", "google", "ampere"}
    assert machine.architecture == ("arm64" if arm else "x86_64")
    assert machine.cpu_vendor or not machine.cpu_family


@pytest.mark.parametrize(("provider", "name"), STACK_MACHINES)
def test_the_machines_of_stacks_are_known(provider: str, name: str) -> None:
    """Every machine type that a stack uses is in the catalogue."""
    assert catalog().machine(provider, name).name == name


def test_hardware_that_a_provider_does_not_fix_is_unknown() -> None:
    """Shared machines may run on either vendor; a vendor may be fixed and its generation not."""
    assert catalog().machine("gcp", "e2-small").cpu_vendor is None
    assert catalog().machine("hetzner", "cx23").cpu_vendor is None
    assert catalog().machine("gcp", "n2-standard-2").cpu_vendor == "intel"
    assert catalog().machine("gcp", "n2-standard-2").cpu_family is None
    assert catalog().machine("hetzner", "ccx23").cpu_vendor == "amd"
    assert catalog().machine("hetzner", "cax11").cpu_vendor == "ampere"


def test_the_slowest_bfd_of_a_circuit_is_that_of_google() -> None:
    """AWS notices a cut circuit after 0.9 s, Google after 5 s, and neither speaks BFD on its VPN."""
    aws, gcp = catalog().limits("aws").bfd, catalog().limits("gcp").bfd
    assert aws["circuit"] is not None
    assert gcp["circuit"] is not None
    assert (aws["circuit"].detection_ms, gcp["circuit"].detection_ms) == (900, 5000)
    assert (aws["vpn"], gcp["vpn"]) == (None, None)


@every_provider
def test_limits_are_whole(provider: str) -> None:
    """Names, labels, packets and health checks have a limit at every provider, and each section its sources."""
    limits = catalog().limits(provider)
    assert limits.name_length_max["resource"] >= 63
    assert limits.label_key_length_max >= 63
    assert limits.label_value_length_max >= 63
    assert {"network", "internet"} <= set(limits.mtu_bytes_max)
    assert all(1280 <= size <= 9001 for size in limits.mtu_bytes_max.values())
    assert limits.health_check_interval_seconds_min["balancer"] >= 1
    assert set(limits.bfd) <= {"backbone", "vpn", "circuit", "cross_cloud"}
    assert set(limits.sources) == {"names", "labels", "bfd", "bgp", "mtu", "health_checks"}


@every_provider
def test_terms_never_turn_silence_into_permission(provider: str) -> None:
    """What was not found is None; a finding rests on a source beside general knowledge."""
    terms = catalog().terms(provider)
    assert terms.statement
    found = terms.mining is not None or terms.nodes is not None
    assert found == (terms.confidence != "missing")
    assert found == bool(set(terms.sources) - {"general-knowledge"})


def test_hetzner_restricts_nodes() -> None:
    """Hetzner calls a single node of a blockchain a violation, so an operator must ask."""
    assert catalog().terms("hetzner").nodes == "forbidden"


@pytest.mark.parametrize("ramp", catalog().all_on_ramps, ids=lambda ramp: ramp.codes[0])
def test_an_on_ramp_is_whole(ramp: OnRamp) -> None:
    """An on-ramp has its codes and building, and names only metros and regions of the catalogue."""
    assert ramp.facility
    assert all(ramp.codes)
    assert ramp.metro is None or ramp.metro in catalog().metros
    assert ramp.region is None or (ramp.provider, ramp.region) in catalog().regions or ramp.region in UNLISTED_REGIONS


UNLISTED_REGIONS = {"us-central6", "europe-north3"}
"""Regions that Google names beside a facility and in no list of zones that was read."""


def test_a_building_is_listed_once_a_provider() -> None:
    """No code appears twice."""
    codes = [(ramp.provider, code) for ramp in catalog().all_on_ramps for code in ramp.codes]
    assert len(codes) == len(set(codes))


CODES_ON_ONE_PAGE_ONLY = {"icn-zone1-7573", "icn-zone2-7573", "icn-zone1-7674", "lhr-zone1-832"}
"""Google's page on Cross-Cloud Interconnect has them, its page on facilities has not; on_ramps.yaml says so."""


def test_cross_cloud_buildings_are_on_ramps_of_both() -> None:
    """Each building of Cross-Cloud Interconnect is an on-ramp of AWS and, but for four codes, of Google."""
    ramps = {p: {code for r in catalog().all_on_ramps if r.provider == p for code in r.codes} for p in ("aws", "gcp")}
    assert {pair.direct_connect for pair in catalog().cross_cloud} <= ramps["aws"]
    assert {code for pair in catalog().cross_cloud for code in pair.google} - ramps["gcp"] == CODES_ON_ONE_PAGE_ONLY


def test_managed_pairs_join_regions_of_the_catalogue() -> None:
    """A managed pair is an AWS and a Google region with zones."""
    for aws, gcp in catalog().managed_pairs:
        assert catalog().regions["aws", aws].zones
        assert catalog().regions["gcp", gcp].zones


def test_london_has_a_building_with_both_clouds() -> None:
    """The same facility number in both tables is one building."""
    numbers = {p: {r.peeringdb for r in catalog().on_ramps("london") if r.provider == p} for p in ("aws", "gcp")}
    assert 832 in numbers["aws"] & numbers["gcp"]
