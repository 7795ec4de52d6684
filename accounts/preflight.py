"""What must be true at each account before a venue is deployed there for the first time: everything, in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from accounts.contract import Account, Image, Offer, Quota, UnansweredError, Zone
from accounts.demand import Demand, demands
from accounts.inquiry import Inquiry
from accounts.row import Row
from diversite.plan import Plan


def preflight(plan: Plan, expected: Mapping[str, str], stack: str) -> tuple[Row, ...]:
    """What was found at every account of a plan's sites, by account, problems among the rest.

    `expected` tells what each account is, by the topology's name for it; `stack` names the settings for commands.
    """
    inquiries = [Inquiry(demand=item, expected=expected.get(item.account), stack=stack) for item in demands(plan)]
    with ThreadPoolExecutor(max_workers=len(inquiries)) as pool:
        list(pool.map(_inquire, inquiries))
    return (*(row for inquiry in inquiries for row in inquiry.rows), *_terms(plan))


def _inquire(inquiry: Inquiry) -> None:
    account = inquiry.open()
    if account is None:
        return
    for region in inquiry.demand.regions:
        _region(inquiry, account, region)
    _quotas(inquiry, account)


def _region(inquiry: Inquiry, account: Account, region: str) -> None:
    """The zones and images of a region; where the account cannot use it, nothing more is asked there."""
    zones = inquiry.ask("zone", _where(inquiry.demand, region), lambda: account.zones(region))
    if zones is None:
        return
    for (home, zone), machines in inquiry.demand.machines.items():
        if home == region:
            _zone(inquiry, account, region, zone, zones)
            _machines(inquiry, account, region, zone, machines)
    for architecture in inquiry.demand.architectures[region]:
        _image(inquiry, account, region, architecture)


def _zone(inquiry: Inquiry, account: Account, region: str, name: str, zones: Mapping[str, Zone]) -> None:
    where = f"{_where(inquiry.demand, region)}/{name}"
    zone = zones.get(name)
    if zone is None:
        says = f"this account has no zone {name} there; it has {', '.join(sorted(zones)) or 'none'}"
        inquiry.tell("zone", where, "problem", says, account.elsewhere(region, "zone"))
    elif zone.trouble:
        inquiry.tell("zone", where, "problem", zone.trouble, account.elsewhere(region, "zone"))
    else:
        inquiry.tell("zone", where, "good", f"{zone.alias} in this account" if zone.alias else "there")


def _machines(inquiry: Inquiry, account: Account, region: str, zone: str, machines: Sequence[str]) -> None:
    where = f"{_where(inquiry.demand, region)}/{zone}"
    offers = inquiry.ask("machine", where, lambda: account.offers(region, zone, machines))
    if offers is None:
        return
    troubles = {machine: _trouble(offers.get(machine)) for machine in machines}
    good = [machine for machine, trouble in troubles.items() if not trouble]
    if good:
        inquiry.tell("machine", where, "good", f"{', '.join(good)} offered")
    for machine, trouble in troubles.items():
        if trouble:
            inquiry.tell("machine", where, "problem", f"{machine}: {trouble}", account.elsewhere(region, "machine"))


def _trouble(offer: Offer | None) -> str:
    return "not offered there" if offer is None else offer.trouble


def _image(inquiry: Inquiry, account: Account, region: str, architecture: str) -> None:
    where = _where(inquiry.demand, region)
    image = inquiry.ask("image", where, lambda: _usable(inquiry.demand, account, region, architecture))
    if image is not None:
        inquiry.tell("image", where, "good", f"{image.id} is there, for {architecture}")


def _usable(demand: Demand, account: Account, region: str, architecture: str) -> Image:
    """The pinned image; `UnansweredError` with the reason where it cannot be used, and with one that can be."""
    pinned = demand.image(region, architecture)
    image = account.image(region, pinned, architecture) if pinned else None
    trouble = f"{pinned}, for {architecture}: {_image_trouble(image, architecture)}"
    if pinned is None:
        trouble = f"no {architecture} image is pinned"
    elif image and not _image_trouble(image, architecture):
        return image
    newest = account.newest(region, architecture)
    key = _where(demand, region) if demand.provider == "aws" else demand.provider
    pins = f"in the stack file, images.{key}.{architecture}: {newest}"
    raise UnansweredError(trouble, pins if newest else account.elsewhere(region, "image"))


def _image_trouble(image: Image | None, architecture: str) -> str:
    if image is None:
        return "not there for this account"
    return f"it is for {image.architecture}" if image.architecture != architecture else image.trouble


def _quotas(inquiry: Inquiry, account: Account) -> None:
    """Against what is not there yet: hosts that run already count in what is used."""
    demand = inquiry.demand
    there = inquiry.ask("quota", demand.provider, lambda: account.hosts(demand.plan.venue, demand.regions))
    if there is None:
        return
    left = demand.besides({host.node for host in there}, {host.region for host in there})
    quotas = inquiry.ask("quota", demand.provider, lambda: account.quotas(left))
    for quota in quotas or ():
        if quota.limit is not None:
            _limited(inquiry, quota, quota.limit)
    unlimited = [quota for quota in quotas or () if quota.limit is None]
    for where, mends in dict.fromkeys((quota.where, quota.mends) for quota in unlimited):
        needed = ", ".join(f"{it.needed} {it.name}" for it in unlimited if (it.where, it.mends) == (where, mends))
        inquiry.tell("quota", where, "unknown", f"not known, check by hand: {needed} needed", mends)


def _limited(inquiry: Inquiry, quota: Quota, limit: int) -> None:
    says = f"{quota.name}: {quota.needed} needed, {quota.used} of {limit} used"
    if quota.short:
        inquiry.tell("quota", quota.where, "problem", f"{says}, {quota.short} short", quota.mends)
    else:
        inquiry.tell("quota", quota.where, "good", says)


def _terms(plan: Plan) -> list[Row]:
    providers = dict.fromkeys(site.place.provider for site in plan.sites.values())
    return [_accepted(plan, provider) for provider in providers]


def _accepted(plan: Plan, provider: str) -> Row:
    accepted = plan.topology.terms.get(provider)  # type: ignore[call-overload]  # a provider of the catalogue
    if accepted is None:
        says = f"nobody accepted the terms of {provider} for nodes of this kind"
        mends = f"read them, ask {provider} where in doubt, and record terms.{provider} in the stack file"
        return Row(account=provider, subject="terms", where=provider, standing="problem", says=says, mends=mends)
    says = f"accepted on {accepted.accepted_on} by {accepted.accepted_by}"
    return Row(account=provider, subject="terms", where=provider, standing="good", says=says)


def _where(demand: Demand, region: str) -> str:
    return f"{demand.provider}/{region}"
