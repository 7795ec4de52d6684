"""Every venue that services are rendered for."""

from __future__ import annotations

import pytest

from diversite.plan import Plan
from tests.services.venues import VENUES


@pytest.fixture(params=VENUES)
def venue(request: pytest.FixtureRequest) -> Plan:
    """The plan of each venue in turn."""
    return VENUES[request.param]()
