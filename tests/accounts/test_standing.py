"""What verify finds when everything runs as planned, and when one thing does not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import boto3  # type: ignore[import-untyped]  # boto3 comes without types
import pytest

from accounts.row import Row
from accounts.standing import Standing, standing
from components.contract import tags
from diversite.judge import judge
from diversite.plan import Host, Plan
from tests.accounts.answering import Api, recorded
from tests.accounts.conftest import COMPUTE, ec2_error, google_instances
from tests.accounts.hetzner import listed
from tests.accounts.running import aws_instance, google_instance, hetzner_server
from tests.accounts.venues import EXPECTED, venue

SITES = ("par", "sto", "nbg")


def test_a_venue_that_stands_as_planned(aws: Api, gcp: Api, hetzner: Api) -> None:
    """Every host of three providers is there, spread and as planned; the judge says of it what it says of the plan."""
    plan = venue(*SITES)
    found = _deployed(plan, aws, gcp, hetzner)
    assert [row for row in found.rows if row.standing == "problem"] == []
    assert {row.where for row in found.rows if row.subject == "host"} == set(plan.hosts)
    assert found.venue is not None
    assert found.venue.plan is not None
    assert found.venue.plan.hosts.keys() == plan.hosts.keys()
    assert found.venue.plan.power_by_site == plan.power_by_site
    assert found.venue.verdict is not None
    assert found.venue.verdict.met == judge(plan, remedies=False).met


def test_the_plan_that_stands_is_the_plan(aws: Api, gcp: Api, hetzner: Api) -> None:
    """Facts read from the providers equal facts of the topology, so nothing is lost on the way through tags."""
    from policies import facts

    plan = venue(*SITES)
    found = _deployed(plan, aws, gcp, hetzner)
    assert found.venue is not None
    assert found.venue.facts == facts.of_plan(plan)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"zone_name": "eu-west-3a"}, "stands in euw3-az2, planned is euw3-az1"),
        ({"machine": "c7i.large"}, "is of type c7i.large, planned is c7i.xlarge"),
        ({"address": "10.9.9.9"}, "has the private address 10.9.9.9, planned is "),
        ({"group": ""}, "is in no spread group"),
        ({"state": "stopped"}, "does not run: it is stopped"),
    ],
)
def test_an_instance_that_is_not_as_planned(aws: Api, changes: dict[str, str], says: str) -> None:
    """Each way in which an instance differs is a problem of its own, with what is planned."""
    plan = venue("par")
    host = plan.of_role("validator")[0]
    _run_at_aws(aws, plan, {host.name: changes})
    row = _problem(standing(plan, EXPECTED, "small").rows)
    assert row.where == host.name
    assert row.says.removeprefix("i-0f3a91c2d4e5b6071 ").startswith(says)


def test_a_stopped_instance_has_the_command_that_starts_it(aws: Api) -> None:
    """What mends a host that does not run is told with its id and region."""
    plan = venue("par")
    _run_at_aws(aws, plan, {"validator-par": {"state": "stopped"}})
    row = _problem(standing(plan, EXPECTED, "small").rows)
    assert row.mends == "aws ec2 start-instances --instance-ids i-0f3a91c2d4e5b6071 --region eu-west-3"


def test_a_group_that_clusters(aws: Api) -> None:
    """A placement group of another strategy does the opposite of spreading."""
    plan = venue("par")
    _run_at_aws(aws, plan, {})
    aws.answers["DescribePlacementGroups"] = (200, recorded("aws/placement_groups.xml").format(strategy="cluster"))
    rows = [row for row in standing(plan, EXPECTED, "small").rows if row.standing == "problem"]
    assert [row.where for row in rows] == ["validator-par", "engine-par"]
    assert rows[0].says.endswith("is in the group small-spread, which does not spread")


def test_a_google_policy_that_collocates(gcp: Api) -> None:
    """A Google policy that puts instances together does not spread them."""
    plan = venue("sto")
    close = f"https://www.googleapis.com{COMPUTE}/regions/europe-north2/resourcePolicies/sto-close"
    _run_at_google(gcp, plan, {"validator-sto": {"resourcePolicies": [close]}})
    assert _problem(standing(plan, EXPECTED, "small").rows).says.endswith("sto-close, which does not spread")


def test_a_gateway_that_joins_a_backbone(hetzner: Api) -> None:
    """A gateway may have an address in a second network; in whatever order they are told, the planned one counts."""
    plan = venue("nbg")
    server = hetzner_server(plan, plan.gateway("nbg"))
    server["private_net"].insert(0, server["private_net"][0] | {"network": 4712, "ip": "10.127.0.9"})
    _run_at_hetzner(hetzner, plan, [host for host in plan.hosts.values() if host.role != "gateway"], server)
    found = standing(plan, EXPECTED, "small")
    assert [row for row in found.rows if row.standing == "problem"] == []
    assert found.venue is not None
    assert found.venue.facts.hosts["gateway-nbg"].address == str(plan.gateway("nbg").address)


def test_a_server_that_is_not_there(hetzner: Api) -> None:
    """A planned host without a machine is missing, and deployed again."""
    plan = venue("nbg")
    _run_at_hetzner(hetzner, plan, [host for host in plan.hosts.values() if host.role != "monitor"])
    row = _problem(standing(plan, EXPECTED, "small").rows)
    assert (row.where, row.says) == ("monitor-nbg", "not there")
    assert "pulumi up --stack small" in row.mends


def test_a_host_that_is_there_twice(hetzner: Api) -> None:
    """Two machines that say to be one host are a problem: two validators of one key could sign apart."""
    plan = venue("nbg")
    hosts = list(plan.hosts.values())
    _run_at_hetzner(hetzner, plan, [*hosts, plan.of_role("validator")[0]])
    row = _problem(standing(plan, EXPECTED, "small").rows)
    assert (row.where, row.says[:13]) == ("validator-nbg", "there 2 times")


def test_a_machine_that_nobody_planned(hetzner: Api) -> None:
    """A machine with the venue's tag that the plan does not know costs money and may speak in its name."""
    plan = venue("nbg")
    stray = hetzner_server(plan, plan.gateway("nbg"), labels={"venue": "small"})
    _run_at_hetzner(hetzner, plan, plan.hosts.values(), stray)
    row = _problem(standing(plan, EXPECTED, "small").rows)
    assert row.says.endswith("the plan has no such host in this account")
    assert row.mends.startswith("hcloud server delete ")


def test_a_tag_that_tells_another_power(hetzner: Api) -> None:
    """Voting power is told by a tag; one that is not the plan's is a problem, and counts in the plan that stands."""
    plan = venue("nbg")
    host = plan.of_role("validator")[0]
    others = [other for other in plan.hosts.values() if other != host]
    labels = hetzner_server(plan, host)["labels"] | {"voting-power": "7"}
    _run_at_hetzner(hetzner, plan, others, hetzner_server(plan, host, labels=labels))
    found = standing(plan, EXPECTED, "small")
    assert _problem(found.rows).says.endswith(f"is tagged votingPower 7, planned is {host.voting_power}")
    assert found.venue is not None
    assert found.venue.plan is not None
    assert found.venue.plan.hosts[host.name].voting_power == 7


def test_what_does_not_run_is_not_judged_as_running(aws: Api, gcp: Api, hetzner: Api) -> None:
    """A site whose gateway does not run is cut off, and then there is no plan to judge."""
    plan = venue(*SITES)
    found = _deployed(plan, aws, gcp, hetzner, {"gateway-par": {"state": "stopped"}})
    assert found.venue is not None
    assert found.venue.plan is None
    assert {frozenset({"par"}), frozenset({"sto", "nbg"})} == set(found.venue.islands)


def test_half_an_answer_is_not_judged(aws: Api, hetzner: Api) -> None:
    """Where one account does not answer, there is no venue to judge."""
    plan = venue("par", "nbg")
    aws.answers["DescribeInstances"] = ec2_error("UnauthorizedOperation", status=403)
    _run_at_hetzner(hetzner, plan, plan.at_site("nbg"))
    found = standing(plan, EXPECTED, "small")
    assert found.venue is None
    assert _problem(found.rows).says == "denied: ec2:DescribeInstances (UnauthorizedOperation)"


def test_instances_of_moto_are_found_by_their_tags(moto: None) -> None:
    """Over calls of EC2, hosts are found by the venue's tag in their AZ ID, and a terminated one is not."""
    plan = venue("par", "dub")
    for region, site in (("eu-west-3", "par"), ("eu-west-1", "dub")):
        _launch(region, plan, plan.at_site(site))
    _terminate("eu-west-3", "monitor-par")
    rows = standing(plan, EXPECTED, "small").rows
    problems = {(row.where, row.says.partition(" ")[2] or row.says) for row in rows if row.standing == "problem"}
    unspread = {
        (f"{role}-{site}", "is in no spread group") for role in ("validator", "engine") for site in ("par", "dub")
    }
    assert problems == unspread | {("monitor-par", "there")}


def _deployed(
    plan: Plan, aws: Api, gcp: Api, hetzner: Api, changes: dict[str, dict[str, str]] | None = None
) -> Standing:
    _run_at_aws(aws, plan, changes or {})
    _run_at_google(gcp, plan, {})
    _run_at_hetzner(hetzner, plan, plan.at_site("nbg"))
    return standing(plan, EXPECTED, "small")


def _run_at_aws(aws: Api, plan: Plan, changes: dict[str, dict[str, str]]) -> None:
    instances = [aws_instance(plan, host, **changes.get(host.name, {})) for host in plan.at_site("par")]
    aws.answers["DescribeInstances"] = (200, recorded("aws/instances.xml").format(instances="".join(instances)))


def _run_at_google(gcp: Api, plan: Plan, changes: dict[str, dict[str, Any]]) -> None:
    instances = [google_instance(plan, host, **changes.get(host.name, {})) for host in plan.at_site("sto")]
    gcp.answers[f"{COMPUTE}/aggregated/instances"] = (200, google_instances(*instances))


def _run_at_hetzner(hetzner: Api, plan: Plan, hosts: Iterable[Host], *others: dict[str, Any]) -> None:
    servers = [*(hetzner_server(plan, host) for host in hosts), *others]
    hetzner.answers["/servers"] = (200, listed("servers", servers))


def _launch(region: str, plan: Plan, hosts: Iterable[Host]) -> None:
    ec2 = boto3.client("ec2", region)
    image = ec2.describe_images()["Images"][0]["ImageId"]
    for host in hosts:
        subnet = _subnet(ec2, plan, host.site)
        told = [{"Key": key, "Value": value} for key, value in tags(plan, host).items()]
        ec2.run_instances(
            ImageId=image,
            InstanceType=host.machine,
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet,
            PrivateIpAddress=str(host.address),
            TagSpecifications=[{"ResourceType": "instance", "Tags": told}],
        )


def _subnet(ec2: Any, plan: Plan, site: str) -> str:
    block = str(plan.sites[site].network)
    known = ec2.describe_subnets(Filters=[{"Name": "cidr-block", "Values": [block]}])["Subnets"]
    if not known:
        vpc = ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"]
        zone = plan.sites[site].place.zone
        known = [ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZoneId=zone)["Subnet"]]
    return str(known[0]["SubnetId"])


def _terminate(region: str, node: str) -> None:
    ec2 = boto3.client("ec2", region)
    found = ec2.describe_instances(Filters=[{"Name": "tag:node", "Values": [node]}])["Reservations"]
    ec2.terminate_instances(InstanceIds=[found[0]["Instances"][0]["InstanceId"]])


def _problem(rows: Iterable[Row]) -> Row:
    (row,) = [row for row in rows if row.standing == "problem"]
    return row
