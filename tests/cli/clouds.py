"""A small venue at Hetzner as a stack, for the commands that ask accounts."""

from __future__ import annotations

from pathlib import Path

from diversite.plan import Plan
from diversite.stackfile import writing
from tests.accounts.venues import venue


def write_venue(folder: Path) -> Plan:
    """The venue's stack file in a folder of stacks, and its plan."""
    planned = venue("nbg")
    (folder / "small.yaml").write_text(writing.dumps(planned.topology), encoding="utf-8")
    return planned


def expect(folder: Path, accounts: str) -> None:
    """Settings of the venue's stack that name accounts."""
    settings = f"config:\n  diversite:topology: small\n  diversite:substrate: cloud\n  diversite:accounts: {accounts}\n"
    (folder / "Pulumi.small.yaml").write_text(settings, encoding="utf-8")
