"""Every variant that is planted: what is wrong with it, where it goes, and which faults are to catch it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from diversite import quorum
from diversite.domains import Domain
from diversite.errors import DiversiteError
from diversite.outcome import predict
from diversite.plan import Host, Plan
from diversite.rotation import POWER_SCALE
from drills.faults.sets import standard_set
from drills.planted import planting
from lab.inputs import ServiceInputs

PREFERRED = 200
"""Of a planted route: above OSPF's 150 in BIRD."""
Place = Callable[[str, Plan], tuple[ServiceInputs, ...]]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A mistake, planted on purpose."""

    name: str
    wrong: str
    """What it does, in a sentence."""
    faults: Callable[[Plan], tuple[str, ...]]
    """Those that are to catch it, in the order in which they are tried."""
    place: Place = field(default=lambda lab, plan: ())
    """Puts it into the lab; what was there before."""
    hold_seconds_min: float = 0.0

    @contextmanager
    def planted(self, lab: str, plan: Plan) -> Iterator[None]:
        """The lab with the mistake in it; whoever comes out must take down what it has ruined."""
        self.place(lab, plan)
        yield


class _WrongQuorum(Variant):
    @contextmanager
    def planted(self, lab: str, plan: Plan) -> Iterator[None]:
        """The judge with the mistake, in this process."""
        true = quorum.is_lost
        quorum.is_lost = lambda lost, total, fault_model="byzantine": true(lost + POWER_SCALE, total, fault_model)
        try:
            yield
        finally:
            quorum.is_lost = true


def by_name(name: str) -> Variant:
    """The variant of a name; DiversiteError with the names there are."""
    if name not in VARIANTS:
        raise DiversiteError(f"{name}: nothing of that name is planted; there are {', '.join(VARIANTS)}")
    return VARIANTS[name]


def _validator(plan: Plan) -> tuple[str, ...]:
    return (standard_set("", plan)[0].name,)


def _site(plan: Plan) -> tuple[str, ...]:
    return (standard_set("", plan)[1].name,)


def _provider(plan: Plan) -> tuple[str, ...]:
    return (next(it.name for it in standard_set("", plan) if it.domains[0].kind == "provider"),)


def _grid(plan: Plan) -> tuple[str, ...]:
    """The heaviest that may be lost, which a wrong judge gives up first."""
    return (standard_set("", plan)[2].name,)


def _clock(plan: Plan) -> tuple[str, ...]:
    return (f"clock-step:site:{plan.sites[plan.hosts[_proposer(plan)].site].place.id}",)


def _all_disks(plan: Plan) -> tuple[str, ...]:
    providers = sorted({host.provider for host in plan.hosts.values()})
    return ("power-cut:" + "+".join(f"provider:{name}" for name in providers),)


def _full_disk(plan: Plan) -> tuple[str, ...]:
    return (f"disk-full:host:{_proposer(plan)}",)


def _looping_link(plan: Plan) -> tuple[str, ...]:
    return (f"cut:link:{_detour(plan)[0]}",)


def _proposer(plan: Plan) -> str:
    return standard_set("", plan)[0].domains[0].identity


def _engines(variant: str) -> Place:
    return lambda lab, plan: planting.exchange(lab, plan.of_role("engine"), planting.ENGINE, planting.engine(variant))


def _unsynced(lab: str, plan: Plan) -> tuple[ServiceInputs, ...]:
    engines = planting.exchange(lab, plan.of_role("engine"), planting.ENGINE, planting.unsynced)
    return (*engines, *planting.exchange(lab, plan.of_role("validator"), "cometbft", planting.unsynced))


def _silent(lab: str, plan: Plan) -> tuple[ServiceInputs, ...]:
    change = planting.rewritten("rules.yml", lambda text: re.sub(_ALERT, r"\1vector(0) > 1", text))
    return planting.exchange(lab, plan.of_role("monitor"), "prometheus", change)


_ALERT = re.compile(r"(- alert: (?!Watchdog)\S+\n\s+expr: ).*")


def _looping(lab: str, plan: Plan) -> tuple[ServiceInputs, ...]:
    _, there, route = _detour(plan)
    change = planting.rewritten("bird.conf", lambda text: _with_route(text, route))
    return planting.exchange(lab, [there], "bird", change)


def _with_route(text: str, route: str) -> str:
    exported = text.replace("RTS_OSPF_IA ]", "RTS_OSPF_IA, RTS_STATIC ]")
    return f"{exported}\nprotocol static planted {{ ipv4 {{ preference {PREFERRED}; }}; route {route}; }}\n"


def _detour(plan: Plan) -> tuple[str, Host, str]:
    """A link, the router that its traffic goes around by, and a route there that sends it straight back.

    The route must be the usual one while the link is whole, so that nobody notices the mistake before.
    """
    for link in plan.links.values():
        for it in predict(plan, [Domain("link", link.name)]).reroutes:
            for (a, b), after in ((it.sites, it.after), (it.sites[::-1], it.after)):
                way = after.path if after and after.path[0] == a else tuple(reversed(after.path)) if after else ()
                if len(way) > 2 and plan.routes[way[1], b].path[:2] == (way[1], a):
                    back = next(here for _, here, far in plan.links_at(a) if far.site == way[1])
                    route = f"{plan.sites[b].network} via {back.address.ip}"
                    return link.name, plan.gateway(way[1]), route
    raise DiversiteError("no link of this venue has a detour on which a wrong route would go unnoticed before")


VARIANTS: Mapping[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant(
            name="acknowledge-early",
            wrong="an order is acknowledged once the validator has taken it, before any block holds it",
            faults=_provider,
            place=_engines("acknowledge-early"),
        ),
        Variant(
            name="no-sync",
            wrong="nothing that validators and engines write is synced, so it is acknowledged before it is on a disk",
            faults=_all_disks,
            place=_unsynced,
        ),
        _WrongQuorum(
            name="wrong-quorum",
            wrong="the judge is off by one: it holds a quorum for lost one validator too early",
            faults=_grid,
        ),
        Variant(
            name="execute-twice",
            wrong="nobody remembers keys: what a client sends again is another order",
            faults=_site,
            place=_engines("execute-twice"),
        ),
        Variant(
            name="order-by-clock",
            wrong="whether a gap came before a block is asked of the machine's clock, not of the block's time",
            faults=_clock,
            place=_engines("order-by-clock"),
        ),
        Variant(
            name="serve-stale-book",
            wrong="a book is read once and served for ever",
            faults=_validator,
            place=_engines("serve-stale-book"),
        ),
        Variant(
            name="always-ready",
            wrong="the health check of an engine says yes, whatever it is",
            faults=_validator,
            place=_engines("always-ready"),
        ),
        Variant(
            name="looping-route",
            wrong="a router sends what comes around a dead link straight back",
            faults=_looping_link,
            place=_looping,
        ),
        Variant(
            name="lose-on-failover",
            wrong="an order is acknowledged although the validator did not answer: another one will have taken it",
            faults=_validator,
            place=_engines("lose-on-failover"),
        ),
        Variant(
            name="silent-alerts",
            wrong="no alert but the dead man's switch ever fires",
            faults=_validator,
            place=_silent,
        ),
        Variant(
            name="crash-at-height",
            wrong="every engine ends when it is to carry out the same block, each time",
            faults=_validator,
            place=_engines("crash-at:150"),
        ),
        Variant(
            name="never-mend",
            wrong="a validator whose consensus has failed is left standing",
            faults=_full_disk,
            place=_engines("never-mend"),
        ),
    )
}
"""Every variant by its name."""
