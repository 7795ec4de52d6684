"""Operators: Hetzner has no access of its own to a host, so people come by SSH, to a gateway and from it to its site.

The setting `diversite:operators` says who and from where: `{keys: {<name>: <OpenSSH public key>}, networks: [<CIDR>]}`.
Without it nobody can log in anywhere, and hosts are replaced instead of mended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network

import pulumi

from diversite.errors import PlanError

SETTING = "operators"


@dataclass(frozen=True, kw_only=True)
class Operators:
    """Who may log in, and from where."""

    keys: Mapping[str, str] = field(default_factory=dict)
    """OpenSSH public keys by a name of the person or team."""
    networks: tuple[str, ...] = ()
    """From which networks gateways let them in."""


def operators() -> Operators:
    """Those of the stack's settings; `PlanError` where they are not of the setting's form."""
    told = pulumi.Config("diversite").get_object(SETTING) or {}
    try:
        networks = tuple(str(ip_network(network)) for network in told.get("networks", ()))
        return Operators(keys={str(name): str(key) for name, key in told.get("keys", {}).items()}, networks=networks)
    except (AttributeError, TypeError, ValueError) as error:
        raise PlanError(
            f"stack setting diversite:{SETTING}: {error}; it is a map with `keys` (name to OpenSSH public key) and "
            "`networks` (a list of CIDR networks). Set it in stacks/Pulumi.<stack>.yaml."
        ) from error
