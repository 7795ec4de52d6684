"""A member's key and the certificate of it, made on a host and kept there; only the certificate is told.

A certificate is signed by its own key and is no authority: whoever believes it believes this host and nobody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diversite.errors import LabError
from lab import disk, host
from lab.files import JsonObject, write
from lab.inputs import CertificateInputs
from lab.world import World

KEY, CERTIFICATE = "key.pem", "certificate.pem"
KEY_MODE, CERTIFICATE_MODE = 0o600, 0o644


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What others may know."""

    certificate: str
    """PEM."""


def create(world: World, inputs: CertificateInputs) -> Shown:
    """Make what is missing, never overwriting a key, and tell the certificate."""
    host.require(world, inputs.host)
    if find(world, inputs) is None:
        home = world.seen(Path(inputs.path))
        if (home / KEY).exists():
            raise LabError(f"{inputs.host}: {inputs.path} has a key and no certificate; remove the key or put it back")
        from lab.selfsigned import made  # noqa: PLC0415  it takes longer to import than a preview of a host takes

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
