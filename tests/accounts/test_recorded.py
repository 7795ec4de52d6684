"""The recorded answers have the shapes that the providers publish, so what is tried on them is what will come."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.session import get_session  # type: ignore[import-untyped]
from google.cloud import compute_v1 as compute
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.placement_groups import PlacementGroup
from hcloud.server_types import ServerType
from hcloud.servers import Server

from tests.accounts.answering import recorded
from tests.accounts.conftest import google_instances

GOOGLE: dict[str, Any] = {
    "project": compute.Project,
    "region": compute.Region,
    "zones": compute.ZoneList,
    "machine_type": compute.MachineType,
    "image": compute.Image,
    "instance": compute.Instance,
    "resource_policies": compute.ResourcePolicyAggregatedList,
}
NEWER = {"datacenter", "load_balancers", "deleted", "deprecated"}
"""Fields of Hetzner's API that its client leaves out."""


@pytest.mark.parametrize("name", GOOGLE)
def test_google_knows_every_field(name: str) -> None:
    """A field that the client's type does not have would be refused."""
    text = json.dumps(recorded(f"gcp/{name}.json"))
    assert GOOGLE[name].from_json(text, ignore_unknown_fields=False)


def test_google_knows_the_list_of_instances() -> None:
    """The aggregated list that tests put together is one."""
    text = json.dumps(google_instances(recorded("gcp/instance.json")))
    assert compute.InstanceAggregatedList.from_json(text, ignore_unknown_fields=False).items


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Location, recorded("hcloud/locations.json")["locations"][0]),
        (ServerType, recorded("hcloud/server_types.json")["server_types"][0]),
        (Image, recorded("hcloud/image.json")["image"]),
        (Server, recorded("hcloud/server.json")),
        (PlacementGroup, recorded("hcloud/server.json")["placement_group"]),
    ],
)
def test_hetzner_knows_every_field(kind: Any, told: dict[str, Any]) -> None:
    """What is recorded of Hetzner are fields that its client reads."""
    assert set(told) - NEWER <= set(kind.__api_properties__)


def test_aws_knows_the_quota() -> None:
    """The quota that moto does not have is of the shape in AWS's own model."""
    model = get_session().get_service_model("service-quotas")
    known = set(model.shape_for("ServiceQuota").members)
    assert set(recorded("aws/quota.json")["Quota"]) <= known


@pytest.mark.parametrize(
    ("operation", "file"),
    [
        ("DescribeAvailabilityZones", "zones"),
        ("DescribeRegions", "regions"),
        ("DescribePlacementGroups", "placement_groups"),
    ],
)
def test_aws_reads_what_is_recorded(operation: str, file: str) -> None:
    """The client's own parser finds every item, and every element of it, by AWS's model."""
    from botocore.parsers import create_parser  # type: ignore[import-untyped]

    model = get_session().get_service_model("ec2").operation_model(operation).output_shape
    text = recorded(f"aws/{file}.xml")
    told = create_parser("ec2").parse({"body": text.encode(), "headers": {}, "status_code": 200}, model)
    (items,) = [value for key, value in told.items() if key != "ResponseMetadata"]
    assert len(items) == text.count("<item>")
    elements = text.partition("<item>")[2].partition("</item>")[0].count("</")
    assert len(items[0]) == elements
