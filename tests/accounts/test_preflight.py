"""What preflight finds at accounts, by the real client libraries of the three providers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]  # boto3 comes without types
import pytest

from accounts.preflight import preflight
from accounts.row import Row
from tests.accounts.answering import Api, recorded
from tests.accounts.conftest import COMPUTE, SECRETS, ZONE
from tests.accounts.hetzner import listed
from tests.accounts.running import hetzner_server
from tests.accounts.venues import EXPECTED, IMAGES, PLACES, venue

ROOT = Path(__file__).parents[2]
SDKS = {"aws": "boto3", "gcp": "google.cloud.compute_v1", "hetzner": "hcloud"}


def test_a_ready_venue_has_no_problem(moto: None, gcp: Api, hetzner: Api) -> None:
    """With everything in place at three providers, nothing is a problem, and what no API tells is said to be so."""
    rows = preflight(venue(images=_images()), EXPECTED, "small")
    assert [row for row in rows if row.standing == "problem"] == []
    assert {(row.account, row.subject) for row in rows if row.standing == "unknown"} == {
        ("hetzner", "credentials"),
        ("hetzner", "quota"),
    }
    asked = {"credentials", "zone", "machine", "image", "quota", "terms"}
    assert all({row.subject for row in rows if row.account == account} == asked for account in EXPECTED)


def test_nothing_but_reads_is_asked(aws: Api, gcp: Api, hetzner: Api) -> None:
    """Google and Hetzner are only asked to get; AWS, where all is posted, only to get, list and describe."""
    preflight(venue(), EXPECTED, "small")
    assert hetzner.methods == {"GET"}
    assert {request.method for request in gcp.asked if request.path != "/token"} == {"GET"}
    actions = {request.body.partition("Action=")[2].partition("&")[0] for request in aws.asked if request.body}
    assert all(action.startswith(("Get", "Describe", "List")) for action in actions if action)
    assert {"GetCallerIdentity", "DescribeAvailabilityZones"} <= actions


def test_an_az_id_is_told_by_its_name_here(moto: None) -> None:
    """Which AZ name is an AZ ID differs from account to account, so it is told."""
    row = _only(preflight(venue("par", "dub"), EXPECTED, "small"), subject="zone", where="aws/eu-west-1/euw1-az1")
    assert (row.standing, row.says) == ("good", "eu-west-1b in this account")


def test_a_zone_that_the_account_lacks(moto: None) -> None:
    """An AZ ID that the account does not have is a problem, told with those that it has."""
    sites = {"par": {"at": "aws/eu-west-1/euw1-az3"}, "dub": {"at": "aws/eu-central-2/euc2-az1"}}
    rows = preflight(venue("par", "dub", sites=sites), EXPECTED, "small")
    row = _only(rows, subject="zone", where="aws/eu-central-2")
    assert row.says == "the region eu-central-2 is not enabled in this account"
    assert row.mends == "aws account enable-region --region-name eu-central-2"
    assert not [row for row in rows if row.where.startswith("aws/eu-central-2/")]


def test_a_recorded_account_without_the_zone(aws: Api) -> None:
    """What the account has instead is told, and the command that lists it."""
    aws.answers["DescribeAvailabilityZones"] = (200, recorded("aws/zones.xml").replace("euw3-az1", "euw3-az3"))
    row = _only(preflight(venue("par"), EXPECTED, "small"), subject="zone", where="aws/eu-west-3/euw3-az1")
    assert row.says == "this account has no zone euw3-az1 there; it has euw3-az2, euw3-az3"
    assert row.mends.endswith("--all-availability-zones --region eu-west-3")


def test_a_machine_that_is_not_offered(moto: None) -> None:
    """A machine type that a zone lacks is named beside those that it has."""
    hosts = {key: {"site": key, "machine": machine} for key, machine in (("par", "c7a.xlarge"), ("dub", "c7a.xlarge"))}
    rows = preflight(venue("par", "dub", validators=hosts), EXPECTED, "small")
    row = _only(rows, subject="machine", where="aws/eu-west-3/euw3-az1", standing="problem")
    assert row.says == "c7a.xlarge: not offered there"
    assert "describe-instance-type-offerings" in row.mends


@pytest.mark.parametrize(
    ("pinned", "says"),
    [
        (None, "no x86_64 image is pinned"),
        ("ami-0123456789abcdef0", "ami-0123456789abcdef0, for x86_64: not there for this account"),
        ("arm64", "for x86_64: it is for arm64"),
    ],
)
def test_images_that_cannot_boot(moto: None, pinned: str | None, says: str) -> None:
    """An image that is not pinned, not there, or for another processor is a problem."""
    id_ = _ami("eu-west-3", pinned) if pinned == "arm64" else pinned
    plan = venue("par", images={"aws/eu-west-3": {"x86_64": id_}} if id_ else {})
    row = _only(preflight(plan, EXPECTED, "small"), subject="image")
    assert row.standing == "problem"
    assert row.says.endswith(says)


def test_the_newest_image_is_proposed(gcp: Api, hetzner: Api) -> None:
    """Where a pinned image is gone, the one to pin instead is told."""
    images = {"gcp": {"x86_64": "projects/debian-cloud/global/images/gone"}, "hetzner": {"x86_64": "7"}}
    rows = preflight(venue("sto", "nbg", images=images), EXPECTED, "small")
    assert [row.mends for row in rows if row.subject == "image"] == [
        "in the stack file, images.gcp.x86_64: " + IMAGES["gcp"]["x86_64"],
        "in the stack file, images.hetzner.x86_64: 114690387",
    ]


def test_what_google_calls_deprecated_boots(gcp: Api) -> None:
    """Google calls every image but the newest deprecated: such a pin is good until it is obsolete."""
    assert _only(preflight(venue("sto"), EXPECTED, "small"), subject="image").standing == "good"
    obsolete = recorded("gcp/image.json") | {"deprecated": {"state": "OBSOLETE"}}
    gcp.answers["/compute/v1/" + IMAGES["gcp"]["x86_64"]] = (200, obsolete)
    row = _only(preflight(venue("sto"), EXPECTED, "small"), subject="image")
    assert (row.standing, row.says.rpartition(": ")[2]) == ("problem", "it is obsolete")


def test_a_short_quota_is_raised_by_a_command(moto: None, quotas: dict[str, float]) -> None:
    """What falls short is counted with what the account uses already, and the request for more has the right number."""
    quotas |= {"L-1216C47A": 12.0, "L-F678F1CE": 1.0}
    rows = preflight(venue("par"), EXPECTED, "small")
    short = [row for row in rows if row.subject == "quota" and row.standing == "problem"]
    assert [row.says for row in short] == [
        "vCPUs of standard on-demand instances: 18 needed, 0 of 12 used, 6 short",
        "VPCs: 1 needed, 1 of 1 used, 1 short",
    ]
    assert short[0].mends == (
        "aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-1216C47A "
        "--desired-value 18 --region eu-west-3"
    )


def test_only_standard_families_count_together(moto: None) -> None:
    """A graphics instance that runs in the account does not count against the quota of the venue's families."""
    ec2 = boto3.client("ec2", "eu-west-3")
    for machine in ("g4dn.xlarge", "c7i.xlarge"):
        ec2.run_instances(ImageId=_ami("eu-west-3", "x86_64"), InstanceType=machine, MinCount=1, MaxCount=1)
    rows = preflight(venue("par"), EXPECTED, "small")
    assert "vCPUs of standard on-demand instances: 18 needed, 4 of 64 used" in {row.says for row in rows}


def test_a_quota_that_is_not_told(moto: None, quotas: dict[str, float], gcp: Api) -> None:
    """A limit that no API tells is no problem, and it is said where to look."""
    del quotas["L-0263D0A3"]
    region = recorded("gcp/region.json")
    region["quotas"] = [quota for quota in region["quotas"] if quota["metric"] != "C3_CPUS"]
    gcp.answers[f"{COMPUTE}/regions/europe-north2"] = (200, region)
    rows = preflight(venue("par", "sto", images=_images()), EXPECTED, "small")
    unknown = {row.where: row for row in rows if row.subject == "quota" and row.standing == "unknown"}
    assert unknown["aws/eu-west-3"].says == "not known, check by hand: 2 elastic addresses needed"
    assert "CPUS-PER-VM-FAMILY-per-project-region" in unknown["gcp/europe-north2"].mends


def test_google_quotas_that_fall_short(gcp: Api) -> None:
    """Regional and global limits of a project are compared with what it uses and what the venue needs."""
    project = recorded("gcp/project.json")
    project["quotas"][0] |= {"limit": 1.0}
    gcp.answers[COMPUTE] = (200, project)
    row = _only(preflight(venue("sto"), EXPECTED, "small"), subject="quota", standing="problem")
    assert (row.where, row.says) == ("gcp", "NETWORKS: 1 needed, 1 of 1 used, 1 short")
    assert "project=venue-prod" in row.mends


def test_hosts_that_run_already_need_no_quota_again(hetzner: Api) -> None:
    """A second preflight counts only what is not there yet."""
    plan = venue("nbg")
    servers = [hetzner_server(plan, host) for host in plan.hosts.values() if host.role != "monitor"]
    hetzner.answers["/servers"] = (200, listed("servers", servers))
    row = _only(preflight(plan, EXPECTED, "small"), subject="quota")
    assert row.says == "not known, check by hand: 1 servers, 4 vCPUs, 1 placement groups, 1 volumes needed"


def test_private_paths_need_what_they_are_made_of(moto: None, quotas: dict[str, float], hetzner: Api) -> None:
    """Regions that AWS joins need a transit gateway each; gateways that Hetzner joins need a network more."""
    quotas["L-A2478D36"] = 0.0
    sites = {"fsn": {"at": "hetzner/eu-central/fsn1"}}
    sites |= {key: {"at": place} for key, place in PLACES.items() if not place.startswith("gcp/")}
    links = {
        "aws": {"kind": "backbone", "ends": ["par", "dub"], "carrier": "aws"},
        "hetzner": {"kind": "backbone", "ends": ["nbg", "fsn"], "carrier": "hetzner"},
        "across": {"kind": "wireguard", "ends": ["par", "nbg"], "carrier": "transit-a"},
    }
    rows = preflight(venue("par", "dub", "nbg", sites=sites, links=links), EXPECTED, "small")
    short = [row for row in rows if row.subject == "quota" and row.standing == "problem"]
    assert [row.where for row in short] == ["aws/eu-west-3", "aws/eu-west-1"]
    assert {row.says for row in short} == {"transit gateways: 1 needed, 0 of 0 used, 1 short"}
    assert ", 3 networks, " in _only(rows, account="hetzner", subject="quota").says


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ({"available": False}, "ccx23: it is out of stock there"),
        (
            {"deprecation": {"announced": "2025-01-01T00:00:00Z", "unavailable_after": "2025-04-01T00:00:00Z"}},
            "ccx23: it can no longer be ordered since 2025-04-01",
        ),
    ],
)
def test_hetzner_machines_that_cannot_be_had(hetzner: Api, location: dict[str, Any], says: str) -> None:
    """A server type that is out of stock or at its end in a location is a problem there."""
    types = recorded("hcloud/server_types.json")
    types["server_types"][0]["locations"][1] |= location
    hetzner.answers["/server_types"] = (200, types)
    assert _only(preflight(venue("nbg"), EXPECTED, "small"), subject="machine", standing="problem").says == says


def test_a_location_of_another_network_zone(hetzner: Api) -> None:
    """A location that Hetzner counts to another network zone could not join the site's network."""
    locations = recorded("hcloud/locations.json")
    locations["locations"][1]["network_zone"] = "eu-north"
    hetzner.answers["/locations"] = (200, locations)
    row = _only(preflight(venue("nbg"), EXPECTED, "small"), subject="zone")
    assert row.says == "this account has no zone nbg1 there; it has fsn1"


def test_a_google_zone_that_is_down(gcp: Api) -> None:
    """A zone that is down cannot be deployed to."""
    zones = recorded("gcp/zones.json")
    zones["items"][0]["status"] = "DOWN"
    gcp.answers[f"{COMPUTE}/zones"] = (200, zones)
    row = _only(preflight(venue("sto"), EXPECTED, "small"), subject="zone")
    assert (row.standing, row.says) == ("problem", "it is DOWN")


def test_a_google_machine_that_is_not_offered(gcp: Api) -> None:
    """Google says not found for what a zone lacks."""
    del gcp.answers[f"{ZONE}/machineTypes/e2-small"]
    row = _only(preflight(venue("sto"), EXPECTED, "small"), subject="machine", standing="problem")
    assert row.says == "e2-small: not offered there"


def test_terms_that_nobody_accepted(hetzner: Api) -> None:
    """A provider whose terms nobody accepted is a problem before it is deployed to."""
    rows = preflight(venue("nbg", terms={}), EXPECTED, "small")
    row = _only(rows, subject="terms")
    assert (row.standing, row.where) == ("problem", "hetzner")
    assert "terms.hetzner" in row.mends


def test_a_wrong_account_is_asked_no_more(moto: None, gcp: Api) -> None:
    """Credentials of another account are one problem, and nothing else is asked with them."""
    rows = preflight(venue("par", "sto"), EXPECTED | {"aws": "210987654321"}, "small")
    (row,) = [row for row in rows if row.account == "aws" and row.subject != "terms"]
    assert row.says.endswith("account 123456789012; expected is 210987654321")
    assert "stacks/Pulumi.small.yaml" in row.mends


def test_an_account_that_nobody_named(moto: None) -> None:
    """Without an expected account the credentials' own is told, with the command that makes it the expected one."""
    row = _only(preflight(venue("par"), {}, "small"), subject="credentials")
    assert row.standing == "problem"
    assert row.mends == ("pulumi config set --stack small --type string --path 'diversite:accounts.aws' 123456789012")


def test_accounts_of_their_own_names(moto: None, hetzner: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site's own account is asked with its own credentials: a profile of AWS, a token of Hetzner."""
    sites = {
        "par": {"at": "aws/eu-west-3/euw3-az1", "account": "second"},
        "nbg": {"at": "hetzner/eu-central/nbg1", "account": "other-one"},
    }
    rows = preflight(venue("par", "nbg", sites=sites), {}, "small")
    told = {row.account: row.says for row in rows if row.subject == "credentials"}
    assert told["second"] == "no credentials: The config profile (second) could not be found"
    assert told["other-one"] == "no credentials: HCLOUD_TOKEN_OTHER_ONE is not set"


def test_no_secret_is_ever_told(moto: None, gcp: Api, hetzner: Api) -> None:
    """Whatever is found, no key and no token is in it."""
    told = repr(preflight(venue(), EXPECTED, "small"))
    assert [secret for secret in SECRETS if secret in told] == []


@pytest.mark.parametrize(("site", "provider"), [("par", "aws"), ("sto", "gcp"), ("nbg", "hetzner")])
def test_an_sdk_is_imported_only_for_its_sites(site: str, provider: str) -> None:
    """A venue of one provider loads the client library of no other."""
    script = (
        "import json, sys\nfrom accounts.preflight import preflight\nfrom tests.accounts.venues import venue\n"
        f"rows = preflight(venue({site!r}), {{}}, 'small')\n"
        f"print(json.dumps([rows[0].says, [name for name in {list(SDKS.values())!r} if name in sys.modules]]))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    says, loaded = json.loads(ran.stdout)
    assert says.startswith("no credentials")
    assert loaded == [SDKS[provider]]


def _images() -> dict[str, Any]:
    """Images that moto has, for both regions of AWS."""
    return {f"aws/{region}": {"x86_64": _ami(region, "x86_64")} for region in ("eu-west-3", "eu-west-1")}


def _ami(region: str, architecture: str) -> str:
    images = boto3.client("ec2", region).describe_images(Filters=[{"Name": "architecture", "Values": [architecture]}])[
        "Images"
    ]
    return str(images[0]["ImageId"])


def _only(rows: Iterable[Row], **wanted: str) -> Row:
    (row,) = [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]
    return row
