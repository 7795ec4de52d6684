"""A new key and its certificate, which is signed by the key itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_DAYS = 3650
"""All of a venue's are made on one day and would end on one day; its monitors ask for new ones long before."""


def made(name: str, address: IPv4Address) -> tuple[str, str]:
    """A new key and its certificate, both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _pem_of(key), _certificate(key, name, address)


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
