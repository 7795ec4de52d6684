"""`diversite preflight` as people, programs and CI systems read it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli import stacks
from tests.accounts.answering import Api
from tests.accounts.hetzner import HETZNER_TOKEN, hetzner_api, listed
from tests.cli.clouds import expect, write_venue
from tests.cli.conftest import TEST_STACKS, Run

CLIENTS = ("boto3", "botocore", "hcloud", "google.auth", "google.cloud", "requests", "accounts")
hetzner = pytest.fixture(hetzner_api)


def test_an_account_that_is_ready(run: Run, folder: Path, hetzner: Api) -> None:
    """Without a problem the exit code is 0, and the last line says what is left to be seen by hand."""
    write_venue(folder)
    ran = run("preflight", "small")
    assert ran.code == 0
    assert ran.err == ""
    assert ran.out.splitlines()[-1] == "small: ready to be deployed; 2 to be seen by hand"


def test_all_problems_come_at_once(run: Run, folder: Path, hetzner: Api) -> None:
    """Zone, machine and image are wrong: each is a row, each has the number of what mends it, and the code is 1."""
    write_venue(folder)
    for path in ("/locations", "/server_types"):
        hetzner.answers[path] = (200, listed(path[1:], []))
    del hetzner.answers["/images/114690387"]
    ran = run("preflight", "small")
    assert ran.code == 1
    marked = [line for line in ran.out.splitlines() if line.startswith("✗")]
    assert [line.split()[2] for line in marked] == ["zone", "machine", "machine", "image"]
    mending = [line.strip() for line in ran.out.splitlines() if line[:3].strip().isdigit()]
    assert [line.split("  ", 1)[1] for line in mending[1:4]] == [
        "hcloud location list",
        "hcloud server-type list",
        "in the stack file, images.hetzner.x86_64: 114690387",
    ]
    assert ran.out.splitlines()[-1] == "4 problems; 2 to be seen by hand"


def test_programs_read_json(run: Run, folder: Path, hetzner: Api) -> None:
    """Every row has its fields, and `good` says what the exit code says."""
    write_venue(folder)
    ran = run("preflight", "small", "--format", "json")
    assert (ran.code, ran.json["good"], ran.json["stack"], ran.json["format"]) == (0, True, "small", 1)
    fields = {"account", "subject", "where", "standing", "says", "mends"}
    assert all(row.keys() == fields for row in ran.json["rows"])


def test_the_expected_account_stands_in_the_settings(run: Run, folder: Path, hetzner: Api) -> None:
    """What the stack's settings call the account is told where a person must compare."""
    write_venue(folder)
    expect(folder, "{hetzner: venue-production}")
    rows = run("preflight", "small", "--format", "json").json["rows"]
    assert rows[0]["mends"].endswith("belongs to the project venue-production")


@pytest.mark.parametrize("accounts", ["{hetzer: a}", "{hetzner: [a]}", "{hetzner: 7}", "venue-production"])
def test_wrong_settings_are_refused(run: Run, folder: Path, hetzner: Api, accounts: str) -> None:
    """Settings that name no account of the venue end 2, with an example; nobody is asked."""
    write_venue(folder)
    expect(folder, accounts)
    ran = run("preflight", "small")
    assert ran.code == 2
    assert 'diversite:accounts: {aws: "123456789012"' in ran.err
    assert hetzner.asked == []


def test_a_wrong_file_is_told_whole(run: Run) -> None:
    """A wrong stack file ends 2 with its problems, before anybody is asked."""
    ran = run("preflight", str(TEST_STACKS / "bad" / "all-at-once.yaml"))
    assert ran.code == 2
    assert '"Four" is not a name' in ran.err


@pytest.mark.parametrize("command", ["preflight", "verify"])
def test_a_lab_needs_no_account(run: Run, command: str) -> None:
    """A lab's stack is refused, with the stack or topology to name instead."""
    ran = run(command, "lab")
    assert ran.code == 2
    assert "stack lab is a lab, which needs no account" in ran.err


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_credential_is_printed(run: Run, folder: Path, hetzner: Api, form: str) -> None:
    """An answer that quotes the token is not repeated."""
    write_venue(folder)
    hetzner.answers["/servers"] = (400, {"error": {"code": "invalid", "message": f"Bearer {HETZNER_TOKEN} is bad"}})
    ran = run("preflight", "small", "--format", form)
    assert ran.code == 1
    assert HETZNER_TOKEN not in ran.out + ran.err
    assert "(hidden) is bad" in ran.out


def test_a_check_imports_no_client() -> None:
    """`diversite check` loads neither the providers' clients nor the part that uses them."""
    script = "import sys\nfrom cli.main import main\nsys.argv = ['diversite', 'check']\n"
    script += "try:\n    main()\nexcept SystemExit:\n    print('modules', *sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=stacks.PROJECT)
    loaded = ran.stdout.splitlines()[-1].split()
    assert loaded[0] == "modules"
    assert set(CLIENTS).isdisjoint(loaded)
