"""What an operator puts on a host is looked for where a rollout leaves it, and its absence stops nothing."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from services import pgbackrest
from tests.services.boot.rooted import Rooted
from tests.services.boot.venues import booted_venue

MEMBER = "store-ledger-lon"
CONFIGURATION = "[global]\nrepo1-path={root}/repository\nlog-level-file=off\n[ledger]\npg1-path={root}/database\n"


def _looked_for(host: str) -> set[str]:
    """Every directory in which a host's programs look for pgBackRest's secrets."""
    return set(re.findall(r"--config-include-path=([\w/-]+)", "\n".join(booted_venue("passive").files[host].values())))


def test_secrets_are_on_the_data_disk() -> None:
    """Every program of a member looks for them in the same place, below where the disk is mounted."""
    assert _looked_for(MEMBER) == {f"/var/lib/diversite/{pgbackrest.SECRETS}"}


def test_a_boot_makes_the_directory_of_secrets(tmp_path: Path) -> None:
    """Without it pgBackRest fails, and it works with an empty one; what an operator put there stays."""
    host = Rooted(tmp_path, "passive", MEMBER)
    host.stub("chown", "exit 0")
    (place,) = (host.path(path) for path in _looked_for(MEMBER))
    assert "missing path" in _asked(tmp_path, place).stderr
    for _ in range(2):
        assert host.run("homes").returncode == 0
        assert _asked(tmp_path, place).returncode == 0
        (place / "secrets.conf").write_text("[global]\nrepo1-cipher-type=none\n")
    assert [path.name for path in place.iterdir()] == ["secrets.conf"]


def test_only_members_of_stores_have_it() -> None:
    """No other host has secrets of pgBackRest's."""
    files = booted_venue("passive").files
    having = {name for name, texts in files.items() if pgbackrest.SECRETS in texts["/etc/diversite/host"]}
    assert having == {host.name for host in booted_venue("passive").plan.of_role("store")}


def _asked(root: Path, secrets: Path) -> subprocess.CompletedProcess[str]:
    (root / "pgbackrest.conf").write_text(CONFIGURATION.format(root=root))
    words = [f"--config={root}/pgbackrest.conf", f"--config-include-path={secrets}", "--stanza=ledger", "info"]
    return subprocess.run(["pgbackrest", *words], capture_output=True, text=True, timeout=60, check=False)
