"""A repository is looked at before a lab is brought up for it, and never put over another."""

from __future__ import annotations

from pathlib import Path

import pytest

from diversite.errors import LabError
from drills.state import repository
from tests.services.venues import europe, passive


def test_a_directory_without_backups_is_refused(tmp_path: Path) -> None:
    """Every store of the venue must be in it; a venue without any needs nothing."""
    with pytest.raises(LabError, match="no backup of store ledger; `diversite backup"):
        repository.require(tmp_path, passive())
    repository.require(tmp_path, europe())
    made = tmp_path / "backup" / "ledger"
    made.mkdir(parents=True)
    (made / "backup.info").touch()
    repository.require(tmp_path, passive())
