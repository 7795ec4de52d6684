"""Placement: what the venue survives, judged from where its hosts really stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from diversite.catalog import catalog
from diversite.domains import Domain
from diversite.quorum import is_lost
from diversite.topology import Acceptance, DomainKind
from policies import facts, tokens
from policies.declared import UNKNOWN, Resource
from policies.facts import HostFact
from policies.rule import Blocker, Settings, at_least, at_most, grouped, resource_rule, stack_rule
from policies.rules.judging import judged
from policies.venue import Venue

APART_KINDS: tuple[DomainKind, ...] = ("site", "metro", "provider_region")
"""Domains of which no single one may hold all engines, or all monitors."""


SHARE_DIGITS = 3
"""The plan scales powers a little apart, which fixes the order of proposers and is no concentration."""


class Placement(Settings):
    """Bounds of the placement."""

    order_entry_sites_min: int = at_least(2)
    """At how many sites orders can be entered."""
    terms_age_days_max: int = at_most(730)
    """How long before the catalogue's review a provider's terms may have been accepted."""
    engines_also_apart: tuple[DomainKind, ...] = ()
    """Further kinds of domain of which no single one may hold every engine."""


class Shares(Settings):
    """Bounds of concentration."""

    provider_share_max: float = at_most(0.5)
    """The most of the voting power that one provider may hold."""
    vendors_min: int = at_least(2)
    """Designers of processors that the validators run on."""


@stack_rule(
    subject="placement",
    severity="critical",
    settings=Settings,
    remedy="Name a topology in stacks/Pulumi.<stack>.yaml (diversite:topology), and mend it: diversite check STACK.",
)
def topology_known(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """The stack's topology can be read.

    Objectives come from it: without it nothing of a venue can be judged.
    """
    if venue.is_declared and venue.expected.plan is None:
        yield Blocker(cause=f"the topology {venue.expected.name!r} gives no plan: {venue.expected.problem}")


@stack_rule(
    subject="placement",
    severity="critical",
    settings=Settings,
    remedy="Declare it as a property: an AWS subnet's availability_zone_id, a Google zone, a Hetzner location, a lab "
    "host's tag `at`; machine types are those of diversite/catalog/machines.yaml.",
)
def place_declared(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """Every host declares where it stands and on what machine.

    A host whose place nobody knows could be in any failure domain, and nothing else of the venue is judged then.
    """
    yield from grouped(
        (
            f"hosts at the place {host.place!r} on the machine {host.machine!r}: "
            + ("the catalogue lacks one of them" if host.place else "nothing declared tells the place"),
            host.urn,
        )
        for host in venue.unplaceable
    )


@stack_rule(
    subject="placement",
    severity="critical",
    settings=Settings,
    remedy="Ask diversite check STACK --explain for the smallest change, and make it in the stack file.",
)
def survive(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """Every objective of `survive` holds for what is declared.

    A loss that the topology says the venue gets through would halt it, or lose orders.
    """
    yield from judged(venue, "survive")


@stack_rule(
    subject="placement",
    severity="high",
    settings=Settings,
    remedy="Change the stack file and let the program declare it; what is made by hand is judged by nobody.",
)
def as_planned(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """What is declared is what the topology says: its hosts and links, each as planned, and no others.

    Otherwise the verdict on the file says nothing of the deployment.
    """
    if venue.expected.plan is None or not venue.is_declared:
        return
    planned = facts.of_plan(venue.expected.plan)
    for what, meant, declared in (
        ("hosts", planned.hosts, venue.facts.hosts),
        ("links", planned.links, venue.facts.links),
    ):
        missing = sorted(meant.keys() - declared.keys())
        if missing:
            yield Blocker(cause=f"{what} of the topology that no resource declares: {', '.join(missing)}")
        extra = sorted(declared.keys() - meant.keys())
        if extra:
            urns = tuple(declared[name].urn for name in extra)
            yield Blocker(cause=f"{what} that the topology does not know: {', '.join(extra)}", urns=urns)
        for name in sorted(declared.keys() & meant.keys()):
            if differing := _differing(meant[name], declared[name]):
                yield Blocker(cause=f"{name} is not as planned: {differing}", urns=(declared[name].urn,))


def _differing(meant: object, declared: object) -> str:
    pairs = ((key, getattr(meant, key), value) for key, value in vars(declared).items() if key not in _UNCOMPARED)
    return ", ".join(f"{key} is {_text(value)}, not {_text(wanted)}" for key, wanted, value in pairs if value != wanted)


_UNCOMPARED = ("urn", "one_way_us")


def _text(value: object) -> str:
    """Ends of a link in a fixed order, everything else as it is."""
    return str(sorted(value) if isinstance(value, frozenset) else value)


@stack_rule(
    subject="placement",
    severity="critical",
    settings=Settings,
    remedy="Correct the tags: the location is a fact, the tag is a claim.",
)
def location_agrees(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """A host's tags agree with its location, and all hosts of a site stand at one place.

    Drills, alerts and people go by the tag; a host that stands elsewhere fails with another domain than they think.
    """
    causes = [*_claims(venue), *_scattered(venue)]
    yield from grouped(causes)


def _claims(venue: Venue) -> Iterator[tuple[str, str]]:
    for host in venue.hosts():
        told = facts.tags(venue.resources[host.urn])
        at = told.get("at", "").replace("_", "/")
        if at and host.place and at != host.place:
            yield f"the tag `at` says {at}, the host stands at {host.place}", host.urn
        if told.get("site", host.site) != host.site:
            yield f"the tag `site` says {told['site']}, the host is in the network of {host.site}", host.urn


def _scattered(venue: Venue) -> Iterator[tuple[str, str]]:
    places: dict[str, set[str]] = defaultdict(set)
    for host in venue.hosts():
        if host.place:
            places[host.site].add(host.place)
    for host in venue.hosts():
        if len(places[host.site]) > 1:
            yield f"hosts of the site {host.site} stand at {', '.join(sorted(places[host.site]))}", host.urn


@stack_rule(
    subject="placement",
    severity="high",
    settings=Placement,
    remedy="Spread the engines over more sites.",
)
def engines_apart(venue: Venue, settings: Placement) -> Iterator[Blocker]:
    """No single site, metro or region holds every engine of a market.

    Its loss would end matching although consensus goes on. Every engine holds every market.
    """
    yield from _together(venue, venue.hosts("engine"), (*APART_KINDS, *settings.engines_also_apart))


@stack_rule(
    subject="placement",
    severity="high",
    settings=Settings,
    remedy="Put a monitor somewhere else: at another site, of another provider's region.",
)
def monitors_apart(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """No monitor is the only one that watches the domain it stands in.

    A site that fails with the only monitor in it fails unseen.
    """
    yield from _together(venue, venue.hosts("monitor"), APART_KINDS)


def _together(venue: Venue, hosts: Iterable[HostFact], kinds: Iterable[DomainKind]) -> Iterator[Blocker]:
    names = {host.name: host.urn for host in hosts}
    if venue.membership is None or not names:
        return
    holding = [
        domain
        for kind in kinds
        for domain in venue.membership.all(kind)
        if names.keys() <= venue.membership.members(domain)
    ]
    if holding:
        listed = ", ".join(f"{domain.kind.replace('_', ' ')} {domain.identity}" for domain in holding)
        roles = "/".join(sorted({venue.facts.hosts[name].role for name in names}))
        yield Blocker(cause=f"every {roles} stands in the {listed}", urns=tuple(names.values()))


@stack_rule(
    subject="placement",
    severity="high",
    settings=Placement,
    remedy="Add an entrance at another site.",
)
def order_entry_at_two_sites(venue: Venue, settings: Placement) -> Iterator[Blocker]:
    """Orders can be entered at two sites or more.

    Clients of the only entrance are cut off with it while the venue goes on.
    """
    entries = venue.hosts("entry")
    places = {host.place for host in entries}
    if venue.is_declared and len(places) < settings.order_entry_sites_min:
        cause = f"orders can be entered at {len(places)} place(s); {settings.order_entry_sites_min} are needed"
        yield Blocker(cause=cause, urns=tuple(host.urn for host in entries))


@stack_rule(
    subject="placement",
    severity="critical",
    settings=Placement,
    remedy="Read the provider's terms, ask it where in doubt, and record under `terms` who accepted them and when.",
)
def terms_accepted(venue: Venue, settings: Placement) -> Iterator[Blocker]:
    """Somebody accepted the terms of every provider in use, and not too long ago.

    Providers stopped nodes of this kind before, all at once: that is a failure domain of its own.
    """
    plan = venue.expected.plan
    accepted: Mapping[str, Acceptance] = dict(plan.topology.terms.items()) if plan else {}
    providers = {place.provider for host in venue.hosts() if (place := venue.place(host))} if plan else set()
    for provider in sorted(providers):
        urns = tuple(host.urn for host in venue.hosts() if (host.place or "").startswith(f"{provider}/"))
        if provider not in accepted:
            yield Blocker(cause=f"nobody accepted the terms of {provider}", urns=urns)
        elif (catalog().reviewed - accepted[provider].accepted_on).days > settings.terms_age_days_max:
            on = accepted[provider].accepted_on
            yield Blocker(cause=f"the terms of {provider} were accepted on {on}: too long ago", urns=urns)


@stack_rule(
    subject="placement",
    severity="medium",
    settings=Settings,
    mandatory=False,
    remedy="Find the fact, add it to the catalogue with its source; until then it counts as the worst.",
)
def domain_known(venue: Venue, _settings: Settings) -> Iterator[Blocker]:
    """Every host's failure domain is known for each kind that an objective names.

    What nobody knows counts as being in every domain of its kind.
    """
    if venue.membership is None or venue.plan is None:
        return
    kinds = {objective.any for objective in venue.plan.topology.survive}
    yield from grouped(
        (f"the {item.kind.replace('_', ' ')} is not known", venue.facts.hosts[item.member].urn)
        for item in venue.membership.unknown
        if item.kind in kinds and item.member in venue.facts.hosts
    )


@stack_rule(
    subject="placement",
    severity="medium",
    settings=Shares,
    mandatory=False,
    remedy="Use machines of another processor vendor for some validators.",
)
def hardware_of_two_vendors(venue: Venue, settings: Shares) -> Iterator[Blocker]:
    """Validators run on processors of two vendors or more.

    A flaw in one processor family would stop, or weaken, all of them together.
    """
    if venue.plan is None:
        return
    validators = venue.hosts("validator")
    machines = [catalog().machine(str(host.place).partition("/")[0], str(host.machine)) for host in validators]
    vendors = {machine.cpu_vendor for machine in machines if machine.cpu_vendor}
    if len(vendors) < settings.vendors_min:
        cause = f"validators run on processors of {', '.join(sorted(vendors)) or 'unknown vendors'} only"
        yield Blocker(cause=cause, urns=tuple(host.urn for host in validators))


@stack_rule(
    subject="placement",
    severity="medium",
    settings=Shares,
    mandatory=False,
    remedy="Move voting power to another provider.",
)
def share_of_a_provider(venue: Venue, settings: Shares) -> Iterator[Blocker]:
    """No provider holds more of the voting power than its share.

    With a third of it a provider can halt the venue; with most of it, it is the venue.
    """
    membership = venue.membership
    if membership is None:
        return
    power = {host.name: host.voting_power for host in venue.hosts("validator")}
    total = sum(power.values())
    for domain in membership.all("provider"):
        held = sum(share for name, share in power.items() if name in membership.members(domain))
        if total and round(held / total, SHARE_DIGITS) > settings.provider_share_max:
            urns = tuple(venue.facts.hosts[name].urn for name in power if name in membership.members(domain))
            yield Blocker(cause=_share(domain, held, total), urns=urns)


def _share(domain: Domain, held: int, total: int) -> str:
    halts = "; alone it can halt the venue" if is_lost(held, total) else ""
    return f"{domain.identity} holds {100 * held / total:.1f} % of the voting power{halts}"


@resource_rule(
    types=(tokens.AWS_INSTANCE, tokens.GCP_INSTANCE, tokens.HCLOUD_SERVER),
    subject="placement",
    severity="high",
    settings=Settings,
    remedy="Put it into its site's spread group: an AWS spread placement group, a Google spread policy, a Hetzner "
    "placement group of type spread.",
)
def spread_groups_used(resource: Resource, _settings: Settings) -> Iterator[str]:
    """Validators and engines are in a spread group of their site.

    The judge counts hosts of one site as standing on racks of their own, which only a spread group promises.
    """
    paths = {tokens.AWS_INSTANCE: "placementGroup", tokens.GCP_INSTANCE: "resourcePolicies"}
    path = paths.get(resource.type, "placementGroupId")
    group = resource.get(path)
    if facts.role_of(resource) in ("validator", "engine") and group is not UNKNOWN and not group:
        yield f"{path} is not declared"


@resource_rule(
    types=(tokens.AWS_PLACEMENT_GROUP, tokens.GCP_RESOURCE_POLICY, tokens.HCLOUD_PLACEMENT_GROUP),
    subject="placement",
    severity="high",
    settings=Settings,
    remedy="Declare the strategy spread (Google: availability_domain_count of a group placement policy).",
)
def spread_groups_spread(resource: Resource, _settings: Settings) -> Iterator[str]:
    """A placement group spreads.

    A cluster group does the opposite: it puts its hosts on one rack.
    """
    if resource.type == tokens.GCP_RESOURCE_POLICY:
        group = resource.get("groupPlacementPolicy")
        spreads = group is None or resource.get("groupPlacementPolicy", "availabilityDomainCount") not in (None, 1)
    else:
        path = {tokens.AWS_PLACEMENT_GROUP: "strategy"}.get(resource.type, "type")
        spreads = resource.get(path) == "spread"
    if not spreads:
        yield "the group does not spread its hosts"
