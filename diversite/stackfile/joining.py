"""What must be true of the links: ends that exist, a kind that can join them, an order of preference, one network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

from diversite.stackfile.closest import listed
from diversite.stackfile.parts import Finding, Parts, Steps, unknown
from diversite.topology import Link, LinkKind

ISLANDS_LISTED_MAX = 4


def findings(parts: Parts) -> Iterator[Finding]:
    """Every fault of the links, each by itself and then together."""
    for name, link in parts.links.items():
        if link is not None:
            yield from _link(parts, ("links", name), link)
    yield from _preferences(parts)
    yield from _private_twice(parts)
    yield from _connected(parts)


def _link(parts: Parts, steps: Steps, link: Link) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, end in enumerate(link.ends):
        if end not in parts.sites:
            yield Finding((*steps, "ends", index), unknown("site", end, parts.sites))
        elif end in seen:
            yield Finding((*steps, "ends", index), "is an end of this link already; name each end once")
        seen.add(end)
    providers = [parts.provider(end) for end in link.ends]
    if None not in providers and (refusal := _KIND_RULES[link.kind](parts, link)):
        yield Finding((*steps, "kind"), f"{refusal}; use {_kinds_that_fit(parts, link)}")


def _backbone(parts: Parts, link: Link) -> str | None:
    providers = {parts.provider(end) for end in link.ends}
    if len(providers) > 1:
        return f"is one provider's own network, and its ends stand at {listed(providers)}"
    zones = {site.at.split("/")[1] for end in link.ends if (site := parts.sites[end])}
    if providers == {"hetzner"} and len(zones) > 1:
        return f"of hetzner joins one network zone, and its ends stand in {listed(zones)}"
    return None


def _cross_cloud(parts: Parts, link: Link) -> str | None:
    ends = sorted(parts.provider(end) or "" for end in link.ends)
    if ends == ["aws", "gcp"]:
        return None
    return f"joins one end at aws with one at gcp, and its ends stand at {', '.join(ends)}"


def _vpn(parts: Parts, link: Link) -> str | None:
    at_aws = [end for end in link.ends if parts.provider(end) == "aws"]
    if len(at_aws) > 1:
        return f"cannot join {' and '.join(at_aws)}: a VPN of aws ends outside aws"
    return _attached(parts, link)


def _attached(parts: Parts, link: Link) -> str | None:
    bare = [end for end in link.ends if parts.provider(end) == "hetzner"]
    return f"needs an attachment that hetzner does not offer (at {', '.join(bare)})" if bare else None


def _anything(_parts: Parts, _link: Link) -> str | None:
    return None


_KIND_RULES: Mapping[LinkKind, Callable[[Parts, Link], str | None]] = {
    "backbone": _backbone,
    "cross_cloud": _cross_cloud,
    "vpn": _vpn,
    "circuit": _attached,
    "wireguard": _anything,
}


def _kinds_that_fit(parts: Parts, link: Link) -> str:
    """The kinds that could join these ends; wireguard always can."""
    return " or ".join(kind for kind, refusal in _KIND_RULES.items() if refusal(parts, link) is None)


def _preferences(parts: Parts) -> Iterator[Finding]:
    first: dict[tuple[str, str, int], str] = {}
    for name, link in parts.links.items():
        if link is None:
            continue
        clashes: dict[str, tuple[str, str]] = {}
        for a, b in combinations(sorted(set(link.ends)), 2):
            other = first.setdefault((a, b, link.preference), name)
            if other != name:
                clashes.setdefault(other, (a, b))
        yield from (_clash(name, link, other, pair) for other, pair in clashes.items())


def _private_twice(parts: Parts) -> Iterator[Finding]:
    """Between two sites one private path of a kind at most: a provider makes one peering between two regions."""
    first: dict[tuple[str, str, str], str] = {}
    for name, link in parts.links.items():
        if link is None or link.kind == "wireguard":
            continue
        pairs = combinations(sorted(set(link.ends)), 2)
        for other in sorted({first.setdefault((link.kind, *pair), name) for pair in pairs} - {name}):
            says = (
                f"is {link.kind} like link {other}, which joins the same sites: a provider makes one such path between "
                "two places; make one of them another kind (wireguard joins any two sites)"
            )
            yield Finding(("links", name), says, of_key=True)


def _clash(name: str, link: Link, other: str, pair: tuple[str, str]) -> Finding:
    says = (
        f"has preference {link.preference} between {pair[0]} and {pair[1]}, and so has link {other}; "
        "give one of them another (1 carries the traffic, 2 and 3 take over)"
    )
    return Finding(("links", name), says, of_key=True)


def _connected(parts: Parts) -> Iterator[Finding]:
    ends = {end for link in parts.links.values() for end in (link.ends if link else ())}
    if None in parts.links.values() or not ends <= set(parts.sites):
        return
    islands = _islands(parts)
    if len(islands) > 1:
        named = " | ".join(listed(island) for island in islands[:ISLANDS_LISTED_MAX])
        more = f" and {len(islands) - ISLANDS_LISTED_MAX} more" if len(islands) > ISLANDS_LISTED_MAX else ""
        says = f"fall into {len(islands)} groups that no link joins: {named}{more}; join them in `links`"
        yield Finding(("sites",), says, of_key=True)


def _islands(parts: Parts) -> list[set[str]]:
    """Sites that reach each other, in the order of the file."""
    neighbours, islands = _neighbours(parts), list[set[str]]()
    for site in parts.sites:
        if not any(site in island for island in islands):
            islands.append(_reached(site, neighbours))
    return islands


def _neighbours(parts: Parts) -> Mapping[str, set[str]]:
    neighbours: dict[str, set[str]] = defaultdict(set)
    for link in parts.links.values():
        for end in link.ends if link else ():
            neighbours[end].update(link.ends if link else ())
    return neighbours


def _reached(start: str, neighbours: Mapping[str, set[str]]) -> set[str]:
    reached, waiting = {start}, [start]
    while waiting:
        new = neighbours.get(waiting.pop(), set()) - reached
        reached |= new
        waiting.extend(new)
    return reached
