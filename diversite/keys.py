"""The keys file of a stack: the public halves of the keys that a venue's hosts made, brought together once.

    stacks/<name>.keys.yaml     what is committed: `load`, `dumps`
    public.json                 what one host tells: `told`
    joined(plan, …)             from what hosts tell, and what was there before, to a whole file

A host makes its keys at its first boot, on its own disk, and tells the public halves; genesis and the far end of every
tunnel are made of them. Genesis is made once, when the file is first written, and stays in it as it was. A file is
whole when it is written, or it is refused with everything that is missing or wrong in it; later only what came after
it may be missing: ends of links, and validators that join (`awaited`). Nothing here could hold a private half: a key
that is not known is refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from diversite import certificates
from diversite.certificates import Certificate, Certificates
from diversite.errors import TopologyError
from diversite.genesis import Genesis, Key, Part, Time, genesis_of
from diversite.genesis import problems_of as problems_with_genesis
from diversite.plan import Plan
from diversite.stackfile import yamltext
from diversite.stackfile.closest import did_you_mean

FILE_CHARACTERS_MAX = 1_048_576
PROBLEMS_MAX = 100


Told = TypeVar("Told", bound=BaseModel)


class ValidatorHalf(Part):
    """The public half of a validator's keys."""

    public_key: Key
    """Base64 of the ed25519 key that signs votes."""
    address: Annotated[str, StringConstraints(pattern=r"^[0-9A-F]{40}$")]
    """Upper-case hexadecimal: the first 20 bytes of that key's SHA-256."""
    node_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
    """Lower-case hexadecimal: how its peers know the node."""


class PublicHalves(Part):
    """The keys file of a stack."""

    genesis: Genesis
    """What the chain began with."""
    validators: dict[str, ValidatorHalf]
    """By the validator's key in the topology."""
    tunnels: dict[str, dict[str, Key]]
    """The WireGuard key of each link's end, by site and then by the link's name."""
    certificates: dict[str, Certificates] = Field(default_factory=dict)
    """PEM of each member of a store, a queue or an active-passive engine, by the host's name; of a member whose key
    changes, the one in use and the next one (docs/runbooks/certificates.md)."""


class HostHalves(Part):
    """What one host tells: `/var/lib/diversite/public.json`."""

    venue: str
    host: str
    """The host's name in the plan."""
    made_at: Time
    """When its keys were made."""
    validator: ValidatorHalf | None = None
    """Of a validator."""
    tunnels: dict[str, Key] | None = None
    """Of a gateway, by the link's name."""
    certificate: Certificate | None = None
    """Of a member of a store, a queue or an active-passive engine: the one in use."""
    next: Certificate | None = None
    """Of a member whose key changes: the one that it will use."""

    @property
    def shown(self) -> tuple[str, ...]:
        """What is believed of a member that tells this: its certificate in use, always, and the next one."""
        return tuple(text for text in (self.certificate, self.next) if text is not None)


def load(path: Path, plan: Plan) -> PublicHalves | None:
    """The keys file at `path`; None where there is none, `TopologyError` with every problem for the plan.

    What came after the file may be missing (`awaited`): its hosts make keys once they know that they are part of it.
    """
    halves = read(path)
    if halves is not None:
        _require(str(path), problems_of(halves, plan))
    return halves


def read(path: Path) -> PublicHalves | None:
    """The keys file at `path`, whole or not; None where there is none, `TopologyError` where it is malformed."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise TopologyError((f"{path}: cannot be read: {error}",)) from error
    return loads(text, str(path))


def loads(text: str, name: str = "keys file") -> PublicHalves:
    """The keys file in `text`, whole or not; `TopologyError` where it is malformed."""
    if len(text) > FILE_CHARACTERS_MAX:
        raise TopologyError((f"{name}: is larger than {FILE_CHARACTERS_MAX:,} characters",))
    root, faults = yamltext.read(text)
    if root is None or faults:
        raise _refused(f"{name}:{fault.line}: {fault.value} {fault.says}" for fault in faults or [_EMPTY])
    return _checked(PublicHalves, root.data, name)


def dumps(halves: PublicHalves) -> str:
    """The text of a keys file, in the order of the plan that it was joined for."""
    lines = ["# Public halves of the keys that the hosts made: `diversite keys` writes it (docs/runbooks/genesis.md)."]
    return "\n".join([*lines, *_lines(halves.model_dump(mode="json"))]) + "\n"


def told(text: str, name: str) -> tuple[HostHalves, ...]:
    """What hosts tell in `text`: one JSON object or several, one after another."""
    found, reader, at = [], json.JSONDecoder(), 0
    text = text.strip()
    while at < len(text):
        try:
            document, end = reader.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise TopologyError((f"{name}: is no JSON ({error}); give the hosts' public.json as it is",)) from None
        found.append(_checked(HostHalves, document, name))
        at = end + len(text[end:]) - len(text[end:].lstrip())
    return tuple(found)


def joined(
    plan: Plan, hosts: Iterable[HostHalves], before: PublicHalves | None, replace: Collection[str] = ()
) -> PublicHalves:
    """The whole keys file, from what hosts tell and what the file said before.

    `replace`: the hosts whose keys may differ from those before; every other difference is refused, for a key that
    changed by itself is a disk that was lost or a host that is not the one meant.
    """
    known, problems = _by_host(plan, hosts)
    changed = [host for host in known if before and _differs(plan, before, known[host])]
    problems += [_changed(host) for host in changed if host not in replace]
    problems += [f"--replace {host}: it tells no key that differs" for host in sorted(set(replace) - set(changed))]
    if problems:
        raise _refused(problems)
    validators, tunnels = _merged(plan, known, before)
    shown = _shown(plan, known, before)
    _require("the keys together", _awaited(plan, validators, tunnels, shown))
    genesis = before.genesis if before else _begun(plan, validators, known.values())
    halves = PublicHalves(genesis=genesis, validators=validators, tunnels=tunnels, certificates=shown)
    _require("the keys together", problems_of(halves, plan))
    return halves


def problems_of(halves: PublicHalves, plan: Plan) -> Iterator[str]:
    """What keeps a keys file from being that of a plan: keys that are missing, unknown, twice or misfit, and what the
    plan asks of a chain that began otherwise.
    """
    planned = [host.key for host in plan.of_role("validator")]
    yield from problems_with_genesis(halves.genesis, plan)
    yield from _unknown("validators", halves.validators, planned)
    yield from _missing(
        "validators", halves.validators, [name for name in planned if name in halves.genesis.validators]
    )
    yield from _unknown("tunnels", halves.tunnels, [site for site in plan.sites if plan.links_at(site)])
    for site in set(halves.tunnels) & set(plan.sites):
        yield from _unknown(f"tunnels.{site}", halves.tunnels[site], [link.name for link, _, _ in plan.links_at(site)])
    for name, half in halves.validators.items():
        if half.address != address_of(half.public_key):
            yield (
                f"validators.{name}.address: {half.address} is not that of its public_key, "
                f"{address_of(half.public_key)}; take both from the host's public.json"
            )
    yield from _unknown("certificates", halves.certificates, certificates.members(plan))
    for name, text in _certificates(halves):
        yield from certificates.problems_of(plan.hosts[name], text) if name in plan.hosts else ()
    yield from _twice(halves)


def awaited(halves: PublicHalves, plan: Plan) -> Iterator[str]:
    """What has no key in the file yet: a validator that waits outside of the chain, a link that carries nothing, a
    member that nobody believes.
    """
    yield from _awaited(plan, halves.validators, halves.tunnels, halves.certificates)


def address_of(public_key: str) -> str:
    """The address of an ed25519 key in base64, as CometBFT makes it."""
    return hashlib.sha256(base64.b64decode(public_key)).digest()[:20].hex().upper()


_EMPTY = yamltext.Fault(1, (), "", "the file is empty; write it by `diversite keys` (docs/runbooks/genesis.md)")


def _by_host(plan: Plan, hosts: Iterable[HostHalves]) -> tuple[dict[str, HostHalves], list[str]]:
    known: dict[str, HostHalves] = {}
    problems: list[str] = []
    for each in hosts:
        problems += _misfit(plan, each)
        if each.host in known and known[each.host] != each:
            problems.append(f"{each.host}: two files tell different keys of it; give the one that the host has now")
        known[each.host] = each
    return known, problems


def _misfit(plan: Plan, each: HostHalves) -> Iterator[str]:
    host = plan.hosts.get(each.host)
    told = {kind for kind in ("validator", "tunnels", "certificate") if getattr(each, kind) is not None}
    if each.venue != plan.venue:
        yield f"{each.host}: is a host of venue {each.venue}, not of {plan.venue}"
    elif host is None:
        yield f"{each.host}: is no host of the venue{did_you_mean(each.host, plan.hosts)}"
    elif told != {_TELLS.get(host.role)} or (each.next is not None and each.certificate is None):
        yield f"{each.host}: tells not what a {host.role} tells; {', '.join(_TELLS)} have public.json"
    else:
        yield from (problem for text in each.shown for problem in certificates.problems_of(host, text))


_TELLS = {"validator": "validator", "gateway": "tunnels", **dict.fromkeys(certificates.ROLES, "certificate")}
"""What a host of a role tells."""


def _differs(plan: Plan, before: PublicHalves, now: HostHalves) -> bool:
    host = plan.hosts[now.host]
    if now.validator is not None:
        return before.validators.get(host.key, now.validator) != now.validator
    if now.certificate is not None:
        return now.shown != before.certificates.get(now.host, now.shown)
    was, tunnels = before.tunnels.get(host.site, {}), now.tunnels or {}
    return any(was.get(link, key) != key for link, key in tunnels.items())


def _changed(host: str) -> str:
    return (
        f"{host}: tells other keys than the file has. Was its disk lost? Then say so: --replace {host} "
        "(docs/runbooks/genesis.md, A host with new keys)"
    )


def _awaited(
    plan: Plan, validators: Collection[str], tunnels: Mapping[str, Collection[str]], shown: Collection[str]
) -> Iterator[str]:
    yield from _missing("certificates", shown, certificates.members(plan))
    yield from _missing("validators", validators, [host.key for host in plan.of_role("validator")])
    for site in plan.sites:
        links = [link.name for link, _, _ in plan.links_at(site)]
        if site in tunnels:
            yield from _missing(f"tunnels.{site}", tunnels[site], links)
        elif links:
            yield from _missing("tunnels", (), [site])


def _merged(
    plan: Plan, known: Mapping[str, HostHalves], before: PublicHalves | None
) -> tuple[dict[str, ValidatorHalf], dict[str, dict[str, str]]]:
    validators = dict(before.validators) if before else {}
    tunnels = {site: dict(keys) for site, keys in before.tunnels.items()} if before else {}
    for name, each in known.items():
        if each.validator is not None:
            validators[plan.hosts[name].key] = each.validator
        elif each.tunnels:
            tunnels[plan.hosts[name].site] = dict(each.tunnels)
    return (
        _in_order(validators, [host.key for host in plan.of_role("validator")]),
        {
            site: _in_order(keys, [link.name for link, _, _ in plan.links_at(site)])
            for site, keys in _in_order(tunnels, plan.sites).items()
        },
    )


def _shown(plan: Plan, known: Mapping[str, HostHalves], before: PublicHalves | None) -> dict[str, tuple[str, ...]]:
    was = before.certificates if before else {}
    now = {name: each.shown for name, each in known.items() if each.shown}
    return _in_order({**was, **now}, certificates.members(plan))


def _begun(plan: Plan, validators: Mapping[str, ValidatorHalf], hosts: Iterable[HostHalves]) -> Genesis:
    made = [each.made_at for each in hosts if each.validator is not None]
    return genesis_of(plan, {name: half.public_key for name, half in validators.items()}, max(made))


Item = TypeVar("Item")


def _in_order(items: Mapping[str, Item], order: Iterable[str]) -> dict[str, Item]:
    """What the plan knows, in its order; a host that left takes its keys with it."""
    return {name: items[name] for name in order if name in items}


def _require(name: str, problems: Iterable[str]) -> None:
    found = [f"{name}: {problem}" for problem in problems]
    if found:
        raise _refused(found)


def _certificates(halves: PublicHalves) -> Iterator[tuple[str, str]]:
    return ((name, text) for name, texts in halves.certificates.items() for text in texts)


def _unknown(where: str, found: Collection[str], wanted: Collection[str]) -> Iterator[str]:
    for name in sorted(set(found) - set(wanted)):
        yield f"{where}.{name}: is not in the topology{did_you_mean(name, wanted)}; `diversite keys STACK` takes it out"


def _missing(where: str, found: Collection[str], wanted: Collection[str]) -> Iterator[str]:
    for name in (name for name in wanted if name not in found):
        yield f"{where}.{name}: is missing; give the public.json of its host (docs/runbooks/genesis.md)"


def _twice(halves: PublicHalves) -> Iterator[str]:
    owners: dict[str, list[str]] = defaultdict(list)
    for name, half in halves.validators.items():
        owners[half.public_key].append(f"validators.{name}.public_key")
        owners[half.node_id].append(f"validators.{name}.node_id")
    for site, keys in halves.tunnels.items():
        for link, key in keys.items():
            owners[key].append(f"tunnels.{site}.{link}")
    for name, text in _certificates(halves):
        owners[text].append(f"certificates.{name}")
    for places in owners.values():
        if len(places) > 1:
            yield f"{' and '.join(places)}: are the same key; each has its own, made on its own host"


def _checked(model: type[Told], data: Any, name: str) -> Told:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _refused(_told_of(name, each) for each in error.errors(include_url=False)) from None


def _told_of(name: str, error: Any) -> str:
    """Without the value: who gives the wrong file may have given a private key."""
    path = ".".join(str(step) for step in error["loc"])
    says = {"extra_forbidden": "is not a key here; a public half holds nothing else", "missing": "is missing"}
    return f"{name}: {path}: {says.get(error['type'], error['msg'])}"


def _refused(problems: Iterable[str]) -> TopologyError:
    found = list(problems)
    more = [f"and {len(found) - PROBLEMS_MAX} problems more"] if len(found) > PROBLEMS_MAX else []
    return TopologyError((*found[:PROBLEMS_MAX], *more))


def _lines(document: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Maps as YAML, the rest as JSON, which is YAML too: every text is quoted, for a key may look like a number."""
    for name, value in document.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{json.dumps(name)}:"
            yield from _lines(value, indent + "  ")
        else:
            yield f"{indent}{json.dumps(name)}: {json.dumps(value)}"
