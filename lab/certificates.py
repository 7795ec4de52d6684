"""A member's key and the certificate of it, made on a host and kept there; only the certificate is told.

A certificate is signed by its own key and is no authority: whoever believes it believes this host and nobody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from diversite.errors import LabError
from lab import disk, host
from lab.files import JsonObject, write
from lab.inputs import CertificateInputs
from lab.world import World

KEY, CERTIFICATE = "key.pem", "certificate.pem"
KEY_MODE, CERTIFICATE_MODE = 0o600, 0o644
VALID_DAYS = 3650
"""All of a venue's are made on one day and would end on one day; its monitors ask for new ones long before."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What others may know."""

    certificate: str
    """PEM."""


def made(name: str, address: IPv4Address) -> tuple[str, str]:
    """A new key and its certificate, both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _pem_of(key), _certificate(key, name, address)


def create(world: World, inputs: CertificateInputs) -> Shown:
    """Make what is missing, never overwriting a key, and tell the certificate."""
    host.require(world, inputs.host)
    if find(world, inputs) is None:
        home = world.seen(Path(inputs.path))
        if (home / KEY).exists():
            raise LabError(f"{inputs.host}: {inputs.path} has a key and no certificate; remove the key or put it back")
        key, certificate = made(inputs.host, inputs.address)
        write(home / CERTIFICATE, certificate, CERTIFICATE_MODE)
        write(home / KEY, key, KEY_MODE)
        disk.sync(world, inputs.host)
    return _shown(world.seen(Path(inputs.path)))


def delete(world: World, inputs: CertificateInputs) -> None:
    """Remove key and certificate; what is gone already is no failure."""
    for name in (KEY, CERTIFICATE):
        (world.seen(Path(inputs.path)) / name).unlink(missing_ok=True)


def find(world: World, inputs: CertificateInputs) -> Shown | None:
    """The certificate that is there; None if it or its key is missing."""
    home = world.seen(Path(inputs.path))
    return _shown(home) if (home / KEY).is_file() and (home / CERTIFICATE).is_file() else None


def outputs(shown: Shown) -> JsonObject:
    """What Pulumi sees."""
    return {"certificate": shown.certificate}


def _shown(home: Path) -> Shown:
    return Shown(certificate=(home / CERTIFICATE).read_text())


def _pem_of(key: ec.EllipticCurvePrivateKey) -> str:
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain).decode()


def _certificate(key: ec.EllipticCurvePrivateKey, name: str, address: IPv4Address) -> str:
    """Both ends of a connection show it, so it is good for servers and for clients."""
    subject, begins = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), datetime.now(UTC) - timedelta(hours=1)
    # pgBackRest compares the address that it was told with names alone.
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.DNSName(str(address)), x509.IPAddress(address)])
    uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(begins).not_valid_after(begins + timedelta(days=VALID_DAYS))
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(names, critical=False).add_extension(uses, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
