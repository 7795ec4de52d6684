"""A lab's wires as drills strike them: which are a site's, what they dropped, how they are made worse and mended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from diversite.network import Route
from diversite.plan import LinkPlan, Plan
from drills.evidence import Evidence
from lab import control, wire, world
from lab.control import RoundTrip
from lab.files import JsonObject
from lab.inputs import WireInputs
from lab.world import World

__all__ = ["WireInputs", "counted", "cut_evidence", "dropped", "impair", "observed", "of_sites", "restore", "slower"]

COUNTED_SECONDS_MAX = 5.0
"""How long a wire's counters may take to show what was dropped: hellos are sent each second, counted each second."""


def of_sites(plan: Plan, sites: Iterable[str]) -> tuple[str, ...]:
    """Every wire that ends at the sites: links, and the way of clients to their entrances."""
    links = [link.name for site in sites for link, _, _ in plan.links_at(site)]
    accesses = [f"{host.name}-access" for site in sites for host in plan.at_site(site, "entry")]
    return tuple(dict.fromkeys([*links, *accesses]))


def dropped(lab: str, names: Iterable[str]) -> dict[str, int]:
    """How many packets each wire has dropped because it is cut; 0 of one that never was."""
    found = world.require(lab)
    relayed = wire.statistics(found)
    return {name: _dropped(found, wire.require(found, name), relayed.get(name, {})) for name in names}


def cut_evidence(lab: str, before: Mapping[str, int]) -> list[Evidence]:
    """A cut wire has dropped something since. What nobody sends over tells nothing, so it is waited for a while."""
    now = dict(before)

    def risen() -> bool:
        now.update(dropped(lab, tuple(before)))
        return all(now[name] > count for name, count in before.items())

    world.wait_until(risen, COUNTED_SECONDS_MAX, 0.2)
    return [
        Evidence(what=f"{name}: {now[name] - count} packets dropped", bit=now[name] > count)
        for name, count in before.items()
    ]


def counted(lab: str, names: Iterable[str], what: str) -> dict[str, int]:
    """One of the relay's counters, both ways together; 0 of a wire that the kernel carries."""
    told = wire.statistics(world.require(lab))
    return {name: sum(way.get(what, 0) for way in told.get(name, {}).values()) for name in names}


def impair(lab: str, changes: Mapping[str, Callable[[WireInputs], WireInputs]]) -> dict[str, WireInputs]:
    """Change wires while they carry; how they were, for `restore`."""
    found = world.require(lab)
    before = {name: WireInputs(**wire.require(found, name)["inputs"]) for name in changes}
    for name, change in changes.items():
        wire.update(found, change(before[name]))
    return before


def restore(lab: str, inputs: Mapping[str, WireInputs]) -> None:
    """Make wires what they were."""
    found = world.require(lab)
    for known in inputs.values():
        wire.update(found, known)


def observed(lab: str, link: LinkPlan, count: int = 20) -> RoundTrip:
    """Round trips over this very link, whatever routes say."""
    pair = (link.a.gateway, str(link.b.address.ip))
    return control.observed_rtt(lab, [pair], count)[pair]


def slower(plan: Plan, links: frozenset[str], more_ms: float) -> Plan:
    """The plan with more round trip on some links and the same routes, for routing costs are configured."""

    def delayed(route: Route) -> Route:
        return replace(route, rtt_ms=route.rtt_ms + more_ms * sum(name in links for name in route.links))

    return replace(plan, routes={pair: delayed(route) for pair, route in plan.routes.items()})


def _dropped(found: World, record: JsonObject, relayed: Mapping[str, Mapping[str, int]]) -> int:
    if record["kind"] == "userspace":
        return sum(way.get("cut", 0) for way in relayed.values())
    ends = (record["inputs"]["a"], record["inputs"]["b"])
    return sum(_dropped_at(found, end["host"], end["interface"]) for end in ends)


def _dropped_at(found: World, host: str, interface: str) -> int:
    """What the kernel dropped of a cut wire's packets at one end; the rules are there only while it is cut."""
    listed = json.loads(found.run(["nft", "--json", "list", "ruleset"], host=host))["nftables"]
    rules = [it["rule"]["expr"] for it in listed if it.get("rule", {}).get("table") == "lab_cut"]
    return sum(
        part["counter"]["packets"]
        for rule in rules
        if any(part.get("match", {}).get("right") == interface for part in rule)
        for part in rule
        if "counter" in part
    )
