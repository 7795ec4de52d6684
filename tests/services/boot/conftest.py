"""Every venue that boot scripts are rendered for."""

from __future__ import annotations

import pytest

from tests.services.boot.venues import Booted, booted_venue


@pytest.fixture(params=["europe", "small", "alone", "passive"])
def venue(request: pytest.FixtureRequest) -> Booted:
    """Each venue in turn, with the boot scripts of its hosts."""
    return booted_venue(request.param)
