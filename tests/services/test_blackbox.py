"""The blackbox exporter accepts its modules."""

from __future__ import annotations

from pathlib import Path

from services import blackbox
from tests.services.venues import run


def test_the_exporter_accepts_its_modules(tmp_path: Path) -> None:
    """`--config.check` finds no fault."""
    path = tmp_path / "blackbox.yml"
    path.write_text(blackbox.config())
    run("prometheus-blackbox-exporter", f"--config.file={path}", "--config.check")
