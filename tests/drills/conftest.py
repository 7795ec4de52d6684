"""The venue of four sites, planned: what faults are told apart on."""

from __future__ import annotations

from pathlib import Path

import pytest

from diversite import stackfile
from diversite.plan import Plan, plan

FOUR = Path(__file__).parents[1] / "stacks" / "good" / "four.yaml"


@pytest.fixture(scope="session")
def four() -> Plan:
    """The four-site venue."""
    return plan(stackfile.load(FOUR))
