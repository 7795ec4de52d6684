"""Which sibling builds a venue. A sibling's SDK is imported only where it is used."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from components.contract import Sibling
from diversite.errors import PlanError

SUBSTRATES = ("lab",)
"""What `diversite:substrate` may be; the clouds come as `cloud`."""


def sibling(substrate: str) -> Sibling:
    """The package that builds on a substrate."""
    if substrate not in SUBSTRATES:
        raise PlanError(
            f"stack setting diversite:substrate: {substrate!r} is not built; allowed: {', '.join(SUBSTRATES)}. "
            "Set it in stacks/Pulumi.<stack>.yaml."
        )
    return cast(Sibling, import_module(f"components.{substrate}"))
