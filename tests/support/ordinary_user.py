"""What tests that run as an ordinary user need of this machine; where it is not there they say so."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def require_readable(as_user: Sequence[str]) -> None:
    """Skip where an ordinary user may not read the checkout and its packages, such as below root's home."""
    for path in (ROOT / "Makefile", Path(pytest.__file__)):
        if subprocess.run([*as_user, "test", "-r", str(path)], check=False, cwd="/").returncode:
            pytest.skip(f"an ordinary user may not read {path.parent}: test in a folder that everyone may enter")
