"""The three providers as the real client libraries meet them: moto for AWS, recorded answers on a local port else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import CredentialsWithRegionalAccessBoundary as GoogleCredentials
from moto import mock_aws

from tests.accounts.answering import Answer, Api, Asked, answering, recorded
from tests.accounts.hetzner import HETZNER_TOKEN, hetzner_api
from tests.accounts.venues import PROJECT

GOOGLE_TOKEN = "ya29.c0ASRK0GZzvJ8kq2" + "x9Yw3" * 20
AWS_KEY, AWS_SECRET, AWS_TOKEN = (
    "ASIAQ3EXAMPLEKEY0042",
    "wJalr7XUtnFEMI9K7MDENGbPxRfiCYzEXAMPLEKEY",
    "IQoJb3JpZ2luX2Vj" * 8,
)
SECRETS = (HETZNER_TOKEN, GOOGLE_TOKEN, AWS_KEY, AWS_SECRET, AWS_TOKEN)
COMPUTE = f"/compute/v1/projects/{PROJECT}"
ZONE = f"{COMPUTE}/zones/europe-north2-a"
CLEARED = ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "HCLOUD_TOKEN", "HCLOUD_ENDPOINT")
QUOTAS = {"L-1216C47A": 64.0, "L-0263D0A3": 5.0, "L-F678F1CE": 5.0, "L-A2478D36": 5.0, "L-69A177A2": 50.0}


hetzner = pytest.fixture(hetzner_api)


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's own credentials are found, and no cloud's metadata server is asked."""
    for name in (*CLEARED, "GOOGLE_CLOUD_PROJECT", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@pytest.fixture
def aws_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", AWS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", AWS_SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", AWS_TOKEN)


@pytest.fixture
def quotas(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, float]]:
    """The quotas of the AWS account by code, which moto does not have; whoever changes them changes the answer."""
    kept = dict(QUOTAS)

    def tells(request: Asked) -> Answer:
        code = json.loads(request.body)["QuotaCode"]
        if code not in kept:
            return 400, {"__type": "NoSuchResourceException", "message": "The request failed because of no such quota."}
        document = recorded("aws/quota.json")
        document["Quota"] |= {"QuotaCode": code, "Value": kept[code]}
        return 200, document

    with answering(Api(answers={"*": tells})) as api:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", api.address)
        yield kept


@pytest.fixture
def moto(aws_keys: None, quotas: dict[str, float]) -> Iterator[None]:
    """AWS in this process."""
    with mock_aws(config={"core": {"passthrough": {"urls": [r"http://127\.0\.0\.1"]}, "mock_credentials": False}}):
        yield


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, aws_keys: None) -> Iterator[Api]:
    """AWS as recorded, by the action that is asked for; `*` may be replaced to answer everything alike."""
    actions: dict[str, Answer | Callable[[Asked], Answer]] = {
        "GetCallerIdentity": (200, recorded("aws/identity.xml")),
        "DescribeRegions": (200, recorded("aws/regions.xml")),
        "DescribeAvailabilityZones": (200, recorded("aws/zones.xml")),
        "DescribePlacementGroups": (200, recorded("aws/placement_groups.xml").format(strategy="spread")),
    }

    def tells(request: Asked) -> Answer:
        found = api.answers[parse_qs(request.body)["Action"][0]]
        return found(request) if callable(found) else found

    api = Api(answers={**actions, "/": tells})
    with answering(api):
        monkeypatch.setenv("AWS_ENDPOINT_URL", api.address)
        yield api


@pytest.fixture
def gcp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Api]:
    """Google as recorded, with a service account whose tokens the same port gives out."""
    region = "regions/europe-north2"
    image = "/compute/v1/projects/debian-cloud/global/images"
    answers: dict[str, Answer | Callable[[Asked], Answer]] = {
        "/token": (200, {"access_token": GOOGLE_TOKEN, "expires_in": 3599, "token_type": "Bearer"}),
        COMPUTE: (200, recorded("gcp/project.json")),
        f"{COMPUTE}/{region}": (200, recorded("gcp/region.json")),
        f"{COMPUTE}/zones": (200, recorded("gcp/zones.json")),
        f"{image}/debian-12-bookworm-v20261014": (200, recorded("gcp/image.json")),
        f"{image}/family/debian-12": (200, recorded("gcp/image.json")),
        f"{COMPUTE}/aggregated/instances": (200, google_instances()),
        f"{COMPUTE}/aggregated/resourcePolicies": (200, recorded("gcp/resource_policies.json")),
    }
    for machine in ("c3-standard-4", "e2-small"):
        answers[f"{ZONE}/machineTypes/{machine}"] = (200, recorded("gcp/machine_type.json") | {"name": machine})
    missing = (404, {"error": {"code": 404, "message": "The resource was not found", "errors": []}})
    with answering(Api(answers=answers, missing=missing)) as api:
        path = tmp_path / "service-account.json"
        path.write_text(json.dumps(_service_account(api)), encoding="utf-8")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        # google-auth asks another service beside, in the background, where a token may be used: never from a test.
        monkeypatch.setattr(GoogleCredentials, "_is_regional_access_boundary_lookup_required", lambda _: False)
        monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", f"{api.address}/compute/v1/")
        yield api


def google_instances(*instances: dict[str, Any]) -> dict[str, Any]:
    """An aggregated list of instances, with a zone that has none."""
    nothing = {"code": "NO_RESULTS_ON_PAGE", "message": "There are no results for this scope."}
    items: dict[str, Any] = {"zones/europe-west1-b": {"warning": nothing}}
    if instances:
        items["zones/europe-north2-a"] = {"instances": list(instances)}
    return {"kind": "compute#instanceAggregatedList", "id": f"projects/{PROJECT}/aggregated/instances", "items": items}


def ec2_error(code: str, message: str = "Of no interest.", status: int = 400) -> Answer:
    """How EC2 refuses."""
    return status, recorded("aws/error.xml").format(code=code, message=escape(message))


def sts_error(code: str, message: str = "Of no interest.", status: int = 403) -> Answer:
    """How the token service refuses."""
    return status, recorded("aws/error_sts.xml").format(code=code, message=escape(message))


def _service_account(api: Api) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return {
        "type": "service_account",
        "project_id": "another-project",
        "private_key_id": "0123456789abcdef",
        "private_key": pem,
        "client_email": f"preflight@{PROJECT}.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": f"{api.address}/token",
    }
