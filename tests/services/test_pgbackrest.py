"""What pgBackRest is told it takes, reaches nobody but members, and stands where the primary does not."""

from __future__ import annotations

import configparser
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diversite.keeping import restored
from diversite.plan import Plan, plan
from services import pgbackrest
from services.pgbackrest import Here
from services.service import Paths
from tests.services import venues
from tests.services.test_state import MINE

FRA, LON, HEL = "store-ledger-fra", "store-ledger-lon", "store-ledger-hel"


@pytest.fixture(scope="module")
def venue() -> Plan:
    """The example of state beside consensus."""
    return venues.passive()


def here(venue: Plan, name: str, *, cloud: bool = False) -> Here:
    """A member."""
    root = "" if cloud else f"/run/lab/hosts/{name}"
    paths = Paths(etc=f"{root}/etc/pgbackrest", data=f"{root}/data/pgbackrest", cloud=cloud)
    store = venue.keepings.stores["ledger"]
    return Here(plan=venue, host=venue.hosts[name], store=store, paths=paths, mine=MINE)


def told(text: str) -> Any:
    """A configuration, section by section."""
    parser = configparser.ConfigParser(delimiters=("=",), strict=True)
    parser.read_string(text.replace("tls-server-auth=", "tls-server-auth "))
    return parser


@pytest.mark.parametrize("name", [FRA, LON, HEL])
def test_the_program_knows_every_option(venue: Plan, name: str, tmp_path: Path) -> None:
    """It warns of an option that it does not know, or that belongs elsewhere; of ours it says nothing like it."""
    member = here(venue, name)
    texts = {"member": pgbackrest.member(member), "keeper": pgbackrest.keeper(member)}
    for cloud in ("aws", "gcp", "hetzner"):
        away = moved(venue, cloud)
        texts[cloud] = pgbackrest.member(here(away, name, cloud=True))
    for what, text in texts.items():
        path = tmp_path / what
        path.write_text(text.replace("/run/lab/hosts", str(tmp_path)).replace("io-timeout=2", "io-timeout=0.1"))
        words = ["pgbackrest", f"--config={path}", "--stanza=ledger", "version"]
        known = subprocess.run([*words[:-1], "archive-push"], capture_output=True, text=True, check=False, timeout=60)
        assert "invalid" not in known.stdout + known.stderr, what
        assert "not valid" not in known.stdout + known.stderr, what


def test_only_members_are_let_in(venue: Plan) -> None:
    """Each by its own certificate's name, and to the store alone."""
    files = pgbackrest.service(venue, venue.hosts[FRA], here(venue, FRA).paths, MINE).files
    server = next(text for path, text in files.items() if path.endswith(pgbackrest.SERVER))
    allowed = {line for line in server.splitlines() if line.startswith("tls-server-auth")}
    assert allowed == {f"tls-server-auth={name}=ledger" for name in (FRA, LON, HEL)}


def test_the_log_leaves_the_primarys_site(venue: Plan) -> None:
    """In a lab it goes to the host of the backup site, which alone keeps it; the others reach it there."""
    hel = str(venue.hosts[HEL].address)
    for name in (FRA, LON):
        section = told(pgbackrest.member(here(venue, name)))["global"]
        assert (section["repo1-host"], section["repo1-host-type"]) == (hel, "tls")
        assert not pgbackrest.keeps(venue, venue.hosts[name], here(venue, name).paths)
    assert told(pgbackrest.member(here(venue, HEL)))["global"]["repo1-path"].startswith(f"/run/lab/hosts/{HEL}/")
    assert pgbackrest.keeps(venue, venue.hosts[HEL], here(venue, HEL).paths)


def test_every_member_is_backed_up_from(venue: Plan) -> None:
    """Whoever is primary: the keeper knows all, each by its place in the store."""
    section = told(pgbackrest.keeper(here(venue, HEL)))["ledger"]
    assert [section.get(f"pg{number}-host", "here") for number in (1, 2, 3)] == [
        str(venue.hosts[FRA].address),
        str(venue.hosts[LON].address),
        "here",
    ]


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        (
            "aws",
            {"repo1-type": "s3", "repo1-s3-endpoint": "s3.eu-west-3.amazonaws.com", "repo1-s3-region": "eu-west-3"},
        ),
        ("gcp", {"repo1-type": "gcs", "repo1-gcs-bucket": "passive-ledger-backup"}),
        ("hetzner", {"repo1-type": "s3", "repo1-s3-endpoint": "hel1.your-objectstorage.com"}),
    ],
)
def test_a_cloud_keeps_backups_in_object_storage(venue: Plan, provider: str, expected: dict[str, str]) -> None:
    """Of the backup site's provider, encrypted here, and without a credential in the file."""
    member = here(moved(venue, provider), FRA, cloud=True)
    section = dict(told(pgbackrest.member(member))["global"])
    assert expected.items() <= section.items()
    assert section["repo1-cipher-type"] == "aes-256-cbc"
    assert not [key for key in section if "key" in key.removeprefix("repo1-s3-").split("-") or "pass" in key]
    assert pgbackrest.keeps(venue, venue.hosts[FRA], member.paths)


def test_the_others_read_their_own_secrets(venue: Plan) -> None:
    """A member that is asked for its database wants the cipher's passphrase too, and says so instead of answering."""
    section = told(pgbackrest.keeper(here(moved(venue, "aws"), FRA, cloud=True)))["ledger"]
    found = {key: value for key, value in section.items() if key.endswith("-include-path")}
    assert set(found) == {f"pg{number}-host-config-include-path" for number in (2, 3)}
    (place,) = set(found.values())
    assert place.endswith(f"/{pgbackrest.SECRETS}")
    assert not [key for key in told(pgbackrest.keeper(here(venue, HEL)))["ledger"] if key.endswith("-include-path")]


def test_a_store_without_backups_archives_nothing(venue: Plan) -> None:
    """There is nowhere to."""
    store = replace(venue.keepings.stores["ledger"], backup_site=None, repository=None)
    assert pgbackrest.archiving(store, here(venue, FRA).paths) == {}


@pytest.mark.parametrize(
    ("until", "says"),
    [("latest", "--stanza=ledger restore"), ("2026-11-22T19:00:00+01:00", "2026-11-22 18:00:00.000000+00")],
)
def test_a_restore_goes_as_far_as_was_asked(venue: Plan, until: str, says: str) -> None:
    """To the end of the log, or to an instant, in the words that PostgreSQL reads."""
    store = restored(venue.keepings, until).stores["ledger"]
    assert says in pgbackrest.begin(store, Paths(etc="/etc/x/patroni", data="/data/x/patroni"))


def moved(venue: Plan, provider: str) -> Plan:
    """The venue with its backups at a site of that provider."""
    site = [key for key, it in venue.sites.items() if it.place.provider == provider][-1]
    store = venue.topology.stores["ledger"].model_copy(update={"backup": site})
    return plan(venue.topology.model_copy(update={"stores": {"ledger": store}}))
