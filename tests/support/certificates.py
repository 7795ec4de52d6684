"""Keys and certificates of a plan's members, as a lab's hosts make them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from diversite.plan import Host, Plan
from lab.certificates import CERTIFICATE, KEY
from lab.selfsigned import made
from services.membership import ROLES


def certificates_of(venue: Plan) -> dict[str, str]:
    """The certificate of each member by its host's name; the same in one run."""
    return {host.name: _pair(host)[1] for host in venue.hosts.values() if host.role in ROLES}


def lay_down(host: Host, directory: Path) -> None:
    """Write a member's key and certificate where it looks for them."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in zip((KEY, CERTIFICATE), _pair(host), strict=True):
        (directory / name).write_text(text)
        (directory / name).chmod(0o600)


@cache
def _pair(host: Host) -> tuple[str, str]:
    return made(host.name, host.address)
