"""Google's part of a venue: what is declared and counted, what is refused, what is hidden."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from components.gcp.firewall import openings
from components.gcp.metadata import VALUE_BYTES_MAX, require_small
from components.gcp.provider import project
from components.gcp.watches import watches
from components.siblings import sibling
from diversite import stackfile
from diversite.errors import PlanError
from diversite.plan import Plan, plan
from offline import Secret
from tests.components.recorded_gcp import (
    ACCOUNTS,
    DISK,
    FIREWALL,
    INSTANCE,
    SECRET,
    STACKS,
    changed,
    declared,
    hosts,
    joined,
    planned,
    venue,
)
from tests.components.siblings import faults as missing
from tests.policies.pack import Pack

CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"


def test_no_part_is_missing() -> None:
    """Google's package has every part of the contract, and the capabilities that Google has."""
    package = sibling("gcp")
    assert missing(package) == []
    assert (hasattr(package, "Attachment"), hasattr(package, "Alarms"), hasattr(package, "Steering")) == (1, 1, 0)


def test_it_declares_what_was_planned() -> None:
    """Counts follow from the plan: a subnetwork a site, a machine a host, a disk for each that keeps something."""
    given = planned()
    sites, entries = len(given.sites), len(given.of_role("entry"))
    regions = len({site.place.region for site in given.sites.values()})
    assert Counter(it.type for it in venue() if it.type.startswith("gcp:")) == {
        "gcp:compute/network:Network": 1,
        "gcp:compute/subnetwork:Subnetwork": sites,
        "gcp:compute/router:Router": regions,
        "gcp:compute/routerNat:RouterNat": regions,
        "gcp:compute/route:Route": 1 + 2 * sites,
        FIREWALL: len(openings(given, tuple(given.sites))),
        "gcp:compute/resourcePolicy:ResourcePolicy": sites,
        "gcp:compute/address:Address": sites + entries,
        "gcp:serviceaccount/account:Account": 5,
        INSTANCE: len(given.hosts),
        DISK: sum(host.data_gib > 0 for host in given.hosts.values()),
        "gcp:compute/instanceGroup:InstanceGroup": entries,
        "gcp:compute/instanceGroupMembership:InstanceGroupMembership": entries,
        "gcp:compute/regionHealthCheck:RegionHealthCheck": entries,
        "gcp:compute/regionBackendService:RegionBackendService": entries,
        "gcp:compute/forwardingRule:ForwardingRule": entries,
        "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": entries,
        "gcp:monitoring/alertPolicy:AlertPolicy": 2 + entries,
        "gcp:monitoring/notificationChannel:NotificationChannel": 1,
    }


def test_the_flagships_part_is_this_large() -> None:
    """What Google holds of the flagship, in figures: no entrance, no monitor, no managed path."""
    flagship = plan(stackfile.load(Path(__file__).parents[2] / "stacks" / "europe.yaml"))
    here = [host for host in flagship.hosts.values() if host.provider == "gcp"]
    assert Counter(host.role for host in here) == {"gateway": 2, "validator": 2, "engine": 2}
    assert len(openings(flagship, ("ldn", "sto"))) == 21
    assert [it.name for it in watches(flagship, "gcp")] == ["machine-gone", "host-error"]


def test_nothing_hangs_loose() -> None:
    """Every resource is below a component, made by the provider of its account's project and by no default one."""
    given = venue().of_type("pulumi:providers:gcp")
    assert [(it.name, it.inputs["project"]) for it in given] == [("provider-gcp", "venue-example")]
    for it in venue():
        if it.type.startswith("gcp:"):
            assert venue().at(it.parent).type.startswith("diversite:gcp:"), it.urn
            assert it.provider.startswith(given[0].urn), it.urn


def test_a_second_project_has_all_of_its_own() -> None:
    """Sites of two accounts stand in two networks, with identities, routers and alarms of their own."""
    sites, links = planned().topology.sites, planned().topology.links
    second = {**sites, "frb": sites["frb"].model_copy(update={"account": "second"})}
    inside = {**links, "google": links["google"].model_copy(update={"ends": ("ldn", "sto", "fra")})}
    given = changed(planned(), sites=second, links=inside)
    found = declared(given, accounts={**ACCOUNTS, "second": "venue-second"})
    assert {it.inputs["project"] for it in found.of_type("pulumi:providers:gcp")} == {"venue-example", "venue-second"}
    assert len(found.of_type("gcp:compute/network:Network")) == 2
    (provider,) = [it.urn for it in found.of_type("pulumi:providers:gcp") if it.inputs["project"] == "venue-second"]
    machines = [it for it in hosts(found) if it.provider.startswith(provider)]
    assert {it.inputs["labels"]["site"] for it in machines} == {"frb"}


def test_secrets_are_never_plain() -> None:
    """A planted secret is found nowhere in what is declared, but where it is marked as one."""
    plain = json.dumps([[it.inputs, it.outputs] for it in joined()], default=_shown)
    assert SECRET not in plain
    assert "<secret>" in plain


def _shown(value: object) -> str:
    return "<secret>" if isinstance(value, Secret) else repr(value)


@pytest.mark.parametrize(
    ("accounts", "says"),
    [({}, r"diversite:accounts\.gcp: missing"), ({"gcp": "Venue 7"}, r"'Venue 7' is no id of a Google project")],
)
def test_a_project_is_named(accounts: Mapping[str, str], says: str) -> None:
    """Nothing is built in a project that nobody named: credentials may prefer another."""
    with pytest.raises(PlanError, match=says):
        project("gcp", accounts)


def _without_arm_images(given: Plan) -> Plan:
    images = given.topology.images["gcp"].model_copy(update={"arm64": None})
    return changed(given, images={"gcp": images})


def _on_unspread_machine(given: Plan) -> Plan:
    slow = given.topology.validators["ldn"].model_copy(update={"machine": "e2-standard-4"})
    return changed(given, validators={**given.topology.validators, "ldn": slow})


def _on_unknown_machine(given: Plan) -> Plan:
    host = replace(given.hosts["engine-ldn"], machine="z9-standard-4")
    return replace(given, hosts={**given.hosts, "engine-ldn": host})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_without_arm_images, r"images: there is none for \w+-fra, a [\w-]+ with arm64 at Google. Add its path"),
        (_on_unspread_machine, r"validator-ldn: Google spreads no e2-standard-4"),
        (_on_unknown_machine, r"engine-ldn: the disks of Google's machine family 'z9'"),
    ],
)
def test_what_cannot_be_built_is_told(change: Callable[[Plan], Plan], says: str) -> None:
    """What is missing, where, and what to write there."""
    with pytest.raises(PlanError, match=says):
        declared(change(planned()))


def test_contacts_are_addresses() -> None:
    """A setting of another shape is told with its value; without one nobody is told, and nothing fails."""
    with pytest.raises(PlanError, match=r"diversite:contacts: 'me' is no list of e-mail addresses"):
        declared(planned(), {"contacts": json.dumps("me")})
    assert declared(planned(), {}).of_type(CHANNEL) == ()


def test_who_is_named_twice_is_told_once() -> None:
    """A repeated address is one channel, and no resource that is declared twice."""
    told = {"contacts": json.dumps(["ops@venue.example", "ops@venue.example"])}
    (channel,) = declared(planned(), told).of_type(CHANNEL)
    assert channel.inputs["labels"] == {"email_address": "ops@venue.example"}


def test_a_boot_script_fits() -> None:
    """Google takes 256 KiB; more is refused before Google does."""
    host = planned().hosts["validator-ldn"]
    assert require_small(host, "x" * VALUE_BYTES_MAX)
    with pytest.raises(PlanError, match=r"validator-ldn: its boot script has 262,145 bytes"):
        require_small(host, "x" * (VALUE_BYTES_MAX + 1))


def test_the_pack_finds_nothing_wrong() -> None:
    """The policy pack says nothing mandatory of a venue at Google."""
    pack = Pack(STACKS / "google")
    try:
        assert [(it.rule, it.message) for it in pack.judge(venue()) if it.mandatory] == []
    finally:
        pack.close()


def test_only_googles_sdk_is_imported() -> None:
    """Who builds at Google alone waits for no other cloud's SDK."""
    program = "import sys, components.gcp; print(sorted(n for n in sys.modules if n.startswith('pulumi_')))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert {name.partition(".")[0] for name in re.findall(r"'([^']+)'", found)} == {"pulumi_gcp"}
