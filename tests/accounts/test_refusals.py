"""Whatever an account answers is a row: what went wrong, what mends it, and never a credential or a traceback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from accounts.hiding import fit_to_show
from accounts.preflight import preflight
from accounts.row import Row
from tests.accounts.answering import Answer, Api, Asked, recorded
from tests.accounts.conftest import (
    AWS_KEY,
    AWS_SECRET,
    AWS_TOKEN,
    COMPUTE,
    GOOGLE_TOKEN,
    SECRETS,
    ec2_error,
    sts_error,
)
from tests.accounts.hetzner import HETZNER_TOKEN
from tests.accounts.venues import EXPECTED, venue

PORTAL = 200, "<html><body>Sign in to the network to go on</body></html>"
CLOSED = "http://127.0.0.1:1"
"""A port on which nobody listens."""
SIGNED = f"""The request signature we calculated does not match the signature you provided.

The Canonical String for this request should have been
'POST
/
x-amz-security-token:{AWS_TOKEN}
"""
LOGIN = "gcloud auth application-default login"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries retry as ever, without the pauses between."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    for module in ("aws", "gcp", "hcloud"):
        monkeypatch.setattr(f"accounts.{module}.ANSWER_SECONDS_MAX", 0.5)


@pytest.mark.parametrize(
    ("answer", "says", "mends"),
    [
        (sts_error("ExpiredToken"), "the credentials have expired (ExpiredToken)", "aws sso login"),
        (sts_error("InvalidClientTokenId"), "AWS does not accept the credentials (InvalidClientTokenId)", "aws sts"),
        (sts_error("SignatureDoesNotMatch", SIGNED), "AWS does not accept the credentials (Signature", "aws sts"),
        (sts_error("Throttling", status=400), "still throttled after 3 attempts (Throttling)", "run it again"),
        (sts_error("InternalFailure", "Of us.", 500), "GetCallerIdentity: InternalFailure: Of us.", "run it again"),
        (PORTAL, "an unexpected answer", "run it again"),
    ],
)
def test_aws_refuses_the_credentials(aws: Api, answer: Answer, says: str, mends: str) -> None:
    """Without an identity nothing else is asked: one row tells why."""
    aws.answers["GetCallerIdentity"] = answer
    row = _of_credentials(preflight(venue("par"), EXPECTED, "small"))
    assert row.says.startswith(says)
    assert row.mends.startswith(mends)
    assert AWS_TOKEN not in repr(row)


def test_aws_denies_one_action(aws: Api) -> None:
    """What is denied is named as an action to allow, and the other questions are asked all the same."""
    message = f"You are not authorized to perform this operation. Encoded authorization failure message: {'aZ9' * 60}"
    aws.answers["DescribeAvailabilityZones"] = ec2_error("UnauthorizedOperation", message, 403)
    rows = preflight(venue("par"), EXPECTED, "small")
    (row,) = [row for row in rows if row.subject == "zone"]
    assert (row.standing, row.says) == ("problem", "denied: ec2:DescribeAvailabilityZones (UnauthorizedOperation)")
    assert row.mends == "allow ec2:DescribeAvailabilityZones to the role that runs diversite"
    assert [row.subject for row in rows if row.account == "aws"][-1] == "terms"


def test_the_list_of_regions_is_had_where_it_is_allowed(aws: Api) -> None:
    """An organisation may deny regions that the venue does not use: the next one is asked."""
    told: list[str] = []

    def tells(request: Asked) -> Answer:
        region = request.headers["Authorization"].split("/")[2]
        told.append(region)
        return (200, recorded("aws/regions.xml")) if region == "eu-west-3" else ec2_error("UnauthorizedOperation")

    aws.answers["DescribeRegions"] = tells
    rows = preflight(venue("par"), EXPECTED, "small")
    assert told == ["us-east-1", "eu-west-3"]
    assert next(row for row in rows if row.subject == "zone").standing == "good"


@pytest.mark.parametrize(
    ("path", "answer", "says", "mends"),
    [
        (
            "/token",
            (400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}),
            "the credentials have expired or were withdrawn",
            LOGIN,
        ),
        (COMPUTE, (401, {"error": {"code": 401, "message": "Invalid Credentials"}}), "Google does not accept", LOGIN),
        (
            COMPUTE,
            (403, recorded("gcp/denied.json")),
            "denied: ",
            "gcloud projects add-iam-policy-binding venue-prod --member user:YOU --role roles/compute.viewer",
        ),
        (
            COMPUTE,
            (403, recorded("gcp/disabled.json")),
            "the Compute Engine API is not enabled in venue-prod",
            "gcloud services enable compute.googleapis.com --project venue-prod",
        ),
        (COMPUTE, (404, {"error": {"code": 404, "message": "Not there"}}), "there is no such thing", "gcloud projects"),
        (
            COMPUTE,
            (403, {"error": {"code": 403, "message": "Rate Limit Exceeded"}}),
            "still throttled after all retries",
            "run it again",
        ),
        (COMPUTE, (503, {"error": {"code": 503, "message": "Busy"}}), "Google cannot be reached, or is too busy", ""),
        (COMPUTE, PORTAL, "an unexpected answer", "run it again"),
    ],
)
def test_google_refuses_the_credentials(gcp: Api, path: str, answer: Answer, says: str, mends: str) -> None:
    """Each refusal of Google is told with the command that mends it."""
    gcp.answers[path] = answer
    row = _of_credentials(preflight(venue("sto"), EXPECTED, "small"))
    assert row.says.startswith(says)
    assert row.mends.startswith(mends)


def test_google_without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file of credentials that is none is told as such."""
    path = tmp_path / "broken.json"
    path.write_text("{", encoding="utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    row = _of_credentials(preflight(venue("sto"), EXPECTED, "small"))
    assert row.says.startswith("no credentials: ")
    assert row.mends == LOGIN


@pytest.mark.parametrize(
    ("answer", "says", "mends"),
    [
        ((401, {"error": {"code": "unauthorized", "message": "unable to authenticate"}}), "Hetzner", "make"),
        ((403, {"error": {"code": "forbidden", "message": "insufficient permissions"}}), "denied: insuff", "make"),
        ((429, {"error": {"code": "rate_limit_exceeded", "message": "limit"}}), "still throttled", "run it again"),
        ((503, {"error": {"code": "unavailable", "message": "in repair"}}), "unavailable: in repair", "run it again"),
        (PORTAL, "200: OK", "run it again"),
    ],
)
def test_hetzner_refuses_the_token(hetzner: Api, answer: Answer, says: str, mends: str) -> None:
    """Each refusal of Hetzner is told with what mends it."""
    hetzner.answers["/servers"] = answer
    row = _of_credentials(preflight(venue("nbg"), EXPECTED, "small"))
    assert row.says.startswith(says)
    assert row.mends.startswith(mends)


@pytest.mark.parametrize("token", [HETZNER_TOKEN[:-1], f"{HETZNER_TOKEN}\nX", f'"{HETZNER_TOKEN}"'])
def test_a_token_that_is_none_is_not_sent(hetzner: Api, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """A cut token, one with a line break or with quotes is told by its length, and neither sent nor shown."""
    monkeypatch.setenv("HCLOUD_TOKEN", token)
    row = _of_credentials(preflight(venue("nbg"), EXPECTED, "small"))
    assert row.says.startswith(f"HCLOUD_TOKEN is no token: it has {len(token)} characters, a token has 64")
    assert HETZNER_TOKEN[:-1] not in repr(row)
    assert hetzner.asked == []


@pytest.mark.parametrize(
    ("site", "variable"),
    [("par", "AWS_ENDPOINT_URL"), ("sto", "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"), ("nbg", "HCLOUD_ENDPOINT")],
)
def test_a_provider_that_cannot_be_reached(
    clouds: tuple[Api, ...], monkeypatch: pytest.MonkeyPatch, site: str, variable: str
) -> None:
    """Where nobody answers, one row says so."""
    monkeypatch.setenv(variable, f"{CLOSED}/compute/v1/" if site == "sto" else CLOSED)
    row = _of_credentials(preflight(venue(site), EXPECTED, "small"))
    assert "cannot be reached" in row.says
    assert "network" in row.mends


@pytest.mark.parametrize(("site", "path"), [("par", "GetCallerIdentity"), ("sto", COMPUTE), ("nbg", "/servers")])
def test_a_provider_that_never_answers(
    clouds: tuple[Api, ...], never: Callable[[Asked], Answer], site: str, path: str
) -> None:
    """Waiting ends: a connection that is taken and never answered becomes a row like any other."""
    for api in clouds:
        api.answers[path] = never
    row = _of_credentials(preflight(venue(site), EXPECTED, "small"))
    assert "cannot be reached" in row.says


@pytest.fixture
def clouds(aws: Api, gcp: Api, hetzner: Api) -> tuple[Api, ...]:
    """All three, as recorded."""
    return aws, gcp, hetzner


@pytest.fixture
def never() -> Iterator[Callable[[Asked], Answer]]:
    """An answer that comes only when the test is over."""
    over = threading.Event()

    def waits(_: Asked) -> Answer:
        over.wait(30)
        return 200, {}

    yield waits
    over.set()


@pytest.mark.parametrize(
    "text",
    [
        f"Invalid header value b'Bearer {HETZNER_TOKEN}'",
        f"The key {AWS_KEY} with {AWS_SECRET} is not known",
        f"x-amz-security-token:{AWS_TOKEN}",
        f"token={GOOGLE_TOKEN}&more",
        f'{{"access_token": "{GOOGLE_TOKEN}"}}',
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_what_looks_like_a_key_is_hidden(text: str, known: bool) -> None:
    """A credential is hidden where it is known, and where it only looks like one."""
    shown = fit_to_show(text, SECRETS if known else ())
    assert [secret for secret in SECRETS if secret in shown] == []
    assert "(hidden)" in shown


@pytest.mark.parametrize(
    "text",
    [
        "User: arn:aws:sts::123456789012:assumed-role/operator-of-the-venue/night-shift is not authorized",
        "projects/debian-cloud/global/images/debian-12-bookworm-v20261014 was not found",
        "Required 'compute.projects.get' permission for 'projects/venue-prod'",
    ],
)
def test_names_are_shown(text: str) -> None:
    """A name is no key, however long."""
    assert fit_to_show(text) == text


def _of_credentials(rows: tuple[Row, ...]) -> Row:
    """The only row beside that of the terms, which nobody needs to be asked for."""
    (row,) = [row for row in rows if row.subject != "terms"]
    assert (row.subject, row.standing) == ("credentials", "problem")
    assert [secret for secret in SECRETS if secret in repr(row)] == []
    return row
