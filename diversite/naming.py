"""Names that fit every provider's limits.

A resource is `<role>-<key>`, the key from the topology. The tightest limit is the Linux interface name (15 characters);
the others are far wider than what a `topology.Name` allows.
"""

from __future__ import annotations

import hashlib

from diversite.errors import PlanError

INTERFACE_LENGTH_MAX = 15
"""IFNAMSIZ less its closing zero."""
RESOURCE_LENGTH_MAX = 63
"""Google Cloud resource names and DNS labels (RFC 1035); AWS and Hetzner allow as many or more."""


def host(role: str, key: str) -> str:
    """The name of a host: `validator-par`."""
    return within_limit(f"{role}-{key}")


def link(group: str, end_a: str, end_b: str) -> str:
    """The name of one link of a group: `aws-par-dub`; the group alone where it already names both ends."""
    pair = f"{end_a}-{end_b}"
    return within_limit(group if group == pair else f"{group}-{pair}")


def interface(link_name: str, far_site: str) -> str:
    """The interface of a link at one end: the far site, as far as it fits, and a hash that keeps links apart."""
    mark = hashlib.sha256(link_name.encode()).hexdigest()[:5]
    return f"{far_site[: INTERFACE_LENGTH_MAX - 6]}-{mark}"


def shortened(name: str, length_max: int = RESOURCE_LENGTH_MAX) -> str:
    """The name, or as much of it as fits with a hash that keeps it apart from others that begin alike."""
    if len(name) <= length_max:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:5]
    return f"{name[: length_max - 6].rstrip('-')}-{mark}"


def within_limit(name: str) -> str:
    """The name itself; `PlanError` where a provider would refuse it."""
    if len(name) > RESOURCE_LENGTH_MAX:
        raise PlanError(
            f"name {name!r} has {len(name)} characters; providers allow {RESOURCE_LENGTH_MAX}. Shorten its keys."
        )
    return name
