"""Who a member of a store, a queue or an engine is to the others: its own key, and the certificates that it believes.

A certificate is signed by its own key, which never leaves its host; others know it as it is, by the facts. There is no
authority that could make another one, and a program believes exactly those members that have business with it.
docs/decisions/2026-11-22-pinned-certificates.md says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from diversite import certificates
from diversite.keeping import PassivePlan
from diversite.plan import Plan
from services.service import Paths

NAME = "member"
"""Where a host keeps them: the directory of this name beside the services' own."""
KEY, CERTIFICATE = "key.pem", "certificate.pem"
ROLES = frozenset(certificates.ROLES)
"""The roles whose hosts have them."""


@dataclass(frozen=True, kw_only=True)
class Membership:
    """What a member shows, and whom it knows."""

    key: str
    """Path of its private key on its own host."""
    certificate: str
    """Path of the certificate of that key."""
    known: Mapping[str, str]
    """PEM of every member's certificate, by the host's name."""

    def trust(self, hosts: Iterable[str]) -> str:
        """The file of those of them who are believed; one whose certificate is not known yet is not."""
        return "".join(self.known[name] for name in hosts if name in self.known)


def membership(paths: Paths, certificates: Mapping[str, str]) -> Membership:
    """That of the host with these `paths` of `NAME`."""
    return Membership(key=f"{paths.data}/{KEY}", certificate=f"{paths.data}/{CERTIFICATE}", known=certificates)


def engines_of(plan: Plan, *, store: str = "", queue: str = "") -> tuple[PassivePlan, ...]:
    """The engines that use a store, or a queue."""
    return tuple(
        it for it in plan.keepings.engines.values() if (store and it.store == store) or (queue and it.queue == queue)
    )
