"""A member's certificate is made once, is told without its key, and is no authority."""

from __future__ import annotations

import json
import stat
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509

from diversite.errors import LabError
from lab import certificates, host
from lab.inputs import CertificateInputs
from lab.world import World
from tests.lab.conftest import NAME, machine

pytestmark = pytest.mark.lab

HOME = "/run/lab/hosts/h1/data/member"
INPUTS = CertificateInputs(world=NAME, host="h1", path=HOME, address=IPv4Address("10.1.0.11"))


@pytest.fixture
def home(made: World) -> Path:
    """Where a host keeps them, as seen from outside."""
    host.create(made, machine("h1"))
    return made.seen(Path(HOME))


def test_a_certificate_is_made_once(made: World, home: Path) -> None:
    """Creating one that is there gives the same."""
    assert certificates.create(made, INPUTS) == certificates.create(made, INPUTS) == certificates.find(made, INPUTS)


def test_the_key_is_for_the_owner_only(made: World, home: Path) -> None:
    """No one else can read it, and the outputs do not hold it."""
    told = json.dumps(certificates.outputs(certificates.create(made, INPUTS)))
    assert stat.S_IMODE((home / certificates.KEY).stat().st_mode) == 0o600
    assert "PRIVATE" not in told


def test_a_certificate_names_its_host_and_can_make_no_other(made: World, home: Path) -> None:
    """Who believes it believes this host at this address, and nobody whom it would vouch for."""
    found = x509.load_pem_x509_certificate(certificates.create(made, INPUTS).certificate.encode())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["h1", str(INPUTS.address)]
    assert names.get_values_for_type(x509.IPAddress) == [INPUTS.address]
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_key_is_never_overwritten(made: World, home: Path) -> None:
    """A key whose certificate is missing is for a person to look at."""
    certificates.create(made, INPUTS)
    (home / certificates.CERTIFICATE).unlink()
    with pytest.raises(LabError, match="has a key and no certificate"):
        certificates.create(made, INPUTS)


def test_what_is_removed_is_gone(made: World, home: Path) -> None:
    """Removing twice is no failure."""
    certificates.create(made, INPUTS)
    certificates.delete(made, INPUTS)
    certificates.delete(made, INPUTS)
    assert certificates.find(made, INPUTS) is None
    assert not (home / certificates.KEY).exists()
