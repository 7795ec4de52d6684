"""No site at a provider whose terms nobody accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from diversite import stackfile
from diversite.acceptance import require_accepted
from diversite.errors import PlanError
from diversite.plan import plan

STACKS = Path(__file__).parents[2] / "stacks"


@pytest.mark.parametrize("name", ["europe", "global", "regional", "starter"])
def test_shipped_stacks_have_theirs_accepted(name: str) -> None:
    """Each provider in use is named under `terms`."""
    require_accepted(plan(stackfile.load(STACKS / f"{name}.yaml")))


def test_every_missing_acceptance_is_told() -> None:
    """All providers that nobody read the terms of are in one message, with what to write."""
    topology = stackfile.load(STACKS / "europe.yaml")
    only = topology.model_copy(update={"terms": {"aws": topology.terms["aws"]}})
    with pytest.raises(PlanError, match=r"those of gcp, hetzner .* record terms\.gcp"):
        require_accepted(plan(only))
