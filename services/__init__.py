"""What runs on a host, rendered from the plan: strings in, strings out.

    services_of(plan, host, paths, facts)   everything that runs on a host, in start order
    needs_keys(host)                        whether that takes `Facts`, known only when keys were made
    member_services_of(plan, host, paths, certificates)  those of a member of a store, a queue or an engine
    names_of(host)                          the names of what runs on a member of a store, a queue or an engine
    firewall.ruleset(plan, host)            its packet filter
    sysctl.settings(plan, host)             its kernel settings

One module a service. A service is added here when a host of some role must run it; what it listens on goes into
`diversite.ports`, what it decides into `diversite.plan`. Of the project, `services` imports only `diversite`.
"""

from __future__ import annotations

from collections.abc import Mapping

from diversite.errors import PlanError
from diversite.plan import Host, Plan
from services import (
    alertmanager,
    bird,
    blackbox,
    cometbft,
    engine,
    etcd,
    firewall,
    haproxy,
    keeper,
    membership,
    nats,
    passive,
    patroni,
    pgbackrest,
    prometheus,
    store_proxy,
    sysctl,
)
from services.facts import Facts, ValidatorKeys
from services.service import Paths, PathsOf, Ready, Service

__all__ = [
    "Facts",
    "Paths",
    "PathsOf",
    "Ready",
    "Service",
    "ValidatorKeys",
    "firewall",
    "member_services_of",
    "membership",
    "names_of",
    "needs_keys",
    "services_of",
    "sysctl",
]


def needs_keys(host: Host) -> bool:
    """Whether the services of a host can be rendered only with `Facts`."""
    return host.role == "validator" or host.role in membership.ROLES


def names_of(host: Host) -> tuple[str, ...]:
    """The names of what runs on a member of a store, a queue or an engine, in start order."""
    return tuple(it.NAME for it in _MEMBERS[host.role])


def services_of(plan: Plan, host: Host, paths: PathsOf, facts: Facts | None = None) -> tuple[Service, ...]:
    """Everything that runs on a host, in start order; `PlanError` where `facts` are needed and missing."""
    match host.role:
        case "validator":
            return (cometbft.service(plan, host, paths(cometbft.NAME), _required(facts, host)),)
        case "monitor":
            first = blackbox.service(host, paths(blackbox.NAME))
            return (first, *(it.service(plan, host, paths(it.NAME)) for it in (alertmanager, prometheus)))
        case "store" | "queue" | "passive":
            return member_services_of(plan, host, paths, _required(facts, host).certificates)
        case role:
            return tuple(it.service(plan, host, paths(it.NAME)) for it in _PROGRAMS[role])


def member_services_of(plan: Plan, host: Host, paths: PathsOf, certificates: Mapping[str, str]) -> tuple[Service, ...]:
    """What runs on a member of a store, a queue or an engine; `certificates`: PEM of every member's, by host.

    `PlanError` where its own is not known: nobody would believe it.
    """
    if host.name not in certificates:
        raise PlanError(f"host {host.name}: its certificate is not known; make the keys, then pass their facts")
    mine = membership.membership(paths(membership.NAME), certificates)
    return tuple(it.service(plan, host, paths(it.NAME), mine) for it in _MEMBERS[host.role])


_PROGRAMS = {
    "gateway": (bird,),
    "engine": (engine,),
    "entry": (haproxy,),
}
"""The programs of the other roles, in start order."""
_MEMBERS = {
    "store": (etcd, pgbackrest, patroni, keeper),
    "queue": (nats,),
    "passive": (store_proxy, passive),
}
"""Those of the roles that have certificates."""


def _required(facts: Facts | None, host: Host) -> Facts:
    if facts is None:
        raise PlanError(
            f"host {host.name}: its services need what others' keys are; make the keys, then pass their facts"
        )
    return facts
