"""`make lab`'s command, again and again: it ends 0 each time and leaves nothing.

A minute and more each, so only where `DIVERSITE_SHOWS` says how often.
"""

from __future__ import annotations

import os
import time

import pytest

from cli.stacks import FLAGSHIP
from tests.end_to_end.checkout import Checkout

SHOWS = int(os.environ.get("DIVERSITE_SHOWS", "0"))

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(SHOWS == 0, reason="DIVERSITE_SHOWS does not say how often the main job is to be shown"),
]


@pytest.mark.parametrize("number", range(1, SHOWS + 1))
def test_the_main_job_is_true_and_leaves_nothing(checkout: Checkout, number: int) -> None:
    """The flagship is deployed, shown, broken, healed and removed; every claim holds, and the machine is as before."""
    before = checkout.census()
    began = time.monotonic()
    printed = checkout.run("lab", "show", FLAGSHIP)
    assert "NOT TRUE" not in printed
    assert "Shown: " in printed
    assert checkout.census().left_of(before, before) == []
    print(f"{number} of {SHOWS}: {time.monotonic() - began:.0f} s\n{printed}")
