"""Runs a command of the command line in this process, as `main` would."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli import stacks
from cli.main import main

TEST_STACKS = Path(__file__).parents[1] / "stacks"
UNMET = str(Path(__file__).parent / "stacks" / "unmet.yaml")
"""A venue that loses its only monitor with one of its sites."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output, parsed."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("check", "europe")`."""

    def run_it(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["diversite", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        written = capsys.readouterr()
        return Ran(code=int(ended.value.code or 0), out=written.out, err=written.err)

    return run_it


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stacks/ of its own, empty."""
    monkeypatch.setattr(stacks, "STACKS", tmp_path)
    return tmp_path
