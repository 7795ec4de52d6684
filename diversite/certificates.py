"""Certificates of members: of stores, queues and active-passive engines, each signed by its own key.

    members(plan)             the hosts that have one
    problems_of(host, text)   what keeps a text from being the certificate of a host

Others believe such a certificate as it stands. One that could vouch for another, or names another host, is refused
here: whoever gave it could speak for a host that is not its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, StringConstraints

from diversite.plan import Host, Plan

ROLES = ("store", "queue", "passive")
"""The roles whose hosts have one."""
CHARACTERS_MAX = 1000
_PEM = r"-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/=]{1,64}\n)+-----END CERTIFICATE-----\n"
Certificate = Annotated[str, StringConstraints(pattern=f"^{_PEM}$", max_length=CHARACTERS_MAX)]
"""PEM, and nothing beside it."""
Certificates = Annotated[tuple[Certificate, ...], Field(strict=False, min_length=1, max_length=2)]
"""The one in use; while a host's key changes, also the next one."""


def members(plan: Plan) -> list[str]:
    """The hosts that have a certificate."""
    return [host.name for host in plan.hosts.values() if host.role in ROLES]


def problems_of(host: Host, text: str) -> Iterator[str]:
    """What keeps a text from being the certificate of a host."""
    # Imported only where there is a certificate: it takes longer than all else that a check imports.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415

    unreadable = (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
    try:
        found = x509.load_pem_x509_certificate(text.encode())
        found.verify_directly_issued_by(found)
        names = list(found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        is_authority = found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, TypeError, InvalidSignature, *unreadable) as error:
        yield f"{host.name}: its certificate is none that a host makes ({error or 'another key signed it'})"
        return
    # pgBackRest compares an address with names alone. Another kind of name would count too: for NATS an e-mail's first.
    own = [x509.DNSName(host.name), x509.DNSName(str(host.address)), x509.IPAddress(host.address)]
    if found.subject.rfc4514_string() != f"CN={host.name}" or names != own:
        yield (
            f"{host.name}: its certificate is of {found.subject.rfc4514_string()}, {[it.value for it in names]}; it "
            f"must be of this host at {host.address} alone"
        )
    if is_authority:
        yield f"{host.name}: its certificate could vouch for others; a host makes one that cannot (CA:FALSE)"
