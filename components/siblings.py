"""Which sibling builds a site. A sibling's SDK is imported only where it is used."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from components.contract import Sibling
from diversite.errors import PlanError
from diversite.plan import Plan

PACKAGES = {
    "lab": {"aws": "lab", "gcp": "lab", "hetzner": "lab"},
    "cloud": {"aws": "aws", "gcp": "gcp", "hetzner": "hcloud"},
}
"""The package below `components` that builds a provider's sites, by what `diversite:substrate` says."""
SUBSTRATES = tuple(PACKAGES)
STEERS = "aws"
"""The cloud that steers clients by name, though no site may stand there."""


def siblings(plan: Plan, substrate: str) -> dict[str, Sibling]:
    """The sibling of each provider of a venue, and of the one that steers where the topology asks for it."""
    if substrate not in SUBSTRATES:
        raise PlanError(
            f"stack setting diversite:substrate: {substrate!r} is not built; allowed: {', '.join(SUBSTRATES)}. "
            "Set it in stacks/Pulumi.<stack>.yaml."
        )
    providers = {site.place.provider: None for site in plan.sites.values()}
    steering = [STEERS] if plan.topology.steering else []
    return {provider: sibling(PACKAGES[substrate][provider]) for provider in (*providers, *steering)}


def sibling(package: str) -> Sibling:
    """The package of a sibling, by its name below `components`."""
    return cast(Sibling, import_module(f"components.{package}"))


def package_name(of: Sibling) -> str:
    """The name of a sibling's package below `components`."""
    return str(getattr(of, "__name__", of)).rpartition(".")[2]
