"""What must agree between the parts of a stack file: names that refer to each other, places, machines, numbers.

It says nothing about whether the venue survives anything: that is the judge's. Two sites at one place are allowed: they
are one failure domain, and the judge counts them so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Protocol, get_args

from diversite.errors import CatalogError
from diversite.stackfile import joining, keeping
from diversite.stackfile.parts import NO_MAP, Finding, Host, Parts, Steps, unknown
from diversite.topology import Provider


class Places(Protocol):
    """The part of the catalogue that a stack file refers to."""

    def place(self, place: str, /) -> Any:
        """Raise CatalogError, with the nearest ids, for a place that is not known."""

    def machine(self, provider: str, name: str, /) -> Any:
        """Raise CatalogError, with the nearest names, for a machine type that the provider has not."""


def findings(parts: Parts, places: Places) -> Iterator[Finding]:
    """Every disagreement, section by section."""
    yield from _consensus(parts)
    yield from _objectives(parts)
    yield from _sites(parts, places)
    if parts.sites and NO_MAP not in parts.sites:
        yield from _hosts(parts, places)
        yield from _engines_beside_validators(parts)
        yield from joining.findings(parts)
        yield from keeping.findings(parts, lambda provider, machine: _refusal(places.machine, provider, machine))
    yield from _releases(parts)


def _consensus(parts: Parts) -> Iterator[Finding]:
    consensus = parts.consensus
    if consensus and (consensus.engine, consensus.fault_model) == ("cometbft", "crash"):
        says = (
            "does not fit: CometBFT is byzantine and halts at a third of the power, whatever is here; write byzantine"
        )
        yield Finding(("consensus", "fault_model"), says)


def _objectives(parts: Parts) -> Iterator[Finding]:
    first: dict[tuple[str, str | None], int] = {}
    for index, objective in parts.survive.items():
        if objective is None:
            continue
        earlier = first.setdefault((objective.any, objective.while_), index)
        if earlier != index:
            yield Finding(("survive", index, "any"), f"is what survive[{earlier}] states already; keep one of them")


def _sites(parts: Parts, places: Places) -> Iterator[Finding]:
    for name, site in parts.sites.items():
        if site and (refusal := _refusal(places.place, site.at)):
            yield Finding(("sites", name, "at"), refusal)


def _hosts(parts: Parts, places: Places) -> Iterator[Finding]:
    for section, name, host in parts.hosts():
        if host.site not in parts.sites:
            yield Finding((section, name, "site"), unknown("site", host.site, parts.sites))
        elif provider := parts.provider(host.site):
            yield from _machine((section, name, "machine"), provider, host, places)


def _machine(steps: Steps, provider: str, host: Host, places: Places) -> Iterator[Finding]:
    refusal = _refusal(places.machine, provider, host.machine)
    if refusal is None:
        return
    others = [other for other in get_args(Provider) if not _refusal(places.machine, other, host.machine)]
    if others:
        says = f"is a machine of {others[0]}, and site {host.site} stands at {provider}; name one of {provider}"
        yield Finding(steps, says)
    else:
        yield Finding(steps, refusal)


def _engines_beside_validators(parts: Parts) -> Iterator[Finding]:
    if not (parts.know_sites_of(parts.validators) and parts.know_sites_of(parts.engines)):
        return
    validators = Counter(host.site for host in parts.validators.values() if host)
    engines = Counter(host.site for host in parts.engines.values() if host)
    for site in parts.sites:
        if validators[site] != engines[site]:
            has = f"has {_count(validators[site], 'validator')} and {_count(engines[site], 'engine')}"
            why = "each validator executes blocks in an engine of its own site, so write as many of one as of the other"
            yield Finding(("sites", site), f"{has}; {why}", of_key=True)


def _releases(parts: Parts) -> Iterator[Finding]:
    for name, release in parts.releases.items():
        if release and not (release.x86_64 or release.arm64):
            yield Finding(("releases", name), "has no build; write x86_64, arm64 or both", of_key=True)
    for role, name in parts.software.items() if NO_MAP not in parts.releases else ():
        if name not in parts.releases:
            yield Finding(("software", role), unknown("release", name, parts.releases))
    stores = (("stores", name, store) for name, store in parts.stores.items())
    queues = (("queues", name, queue) for name, queue in parts.queues.items())
    for section, name, host in (*parts.hosts(), *stores, *queues) if NO_MAP not in parts.releases else ():
        wanted = getattr(host, "release", None)
        if wanted is not None and wanted not in parts.releases:
            yield Finding((section, name, "release"), unknown("release", wanted, parts.releases))


def _refusal(look_up: Callable[..., object], *names: str) -> str | None:
    """What the catalogue says of a name, as a predicate whose subject is the name; None where it has it."""
    try:
        look_up(*names)
    except CatalogError as error:
        said, subject = str(error), f"{names[-1]!r} "
        return said.removeprefix(subject) if said.startswith(subject) else f"cannot be looked up: {said}"
    return None


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
