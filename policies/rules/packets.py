"""What a firewall lets in, whoever's firewall it is: security groups, firewall rules, nftables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policies import tokens
from policies.declared import UNKNOWN, Resource

PORT_MAX = 65_535
ANYWHERE = frozenset({"0.0.0.0/0", "::/0"})
ACCEPTED = re.compile(r"^(?P<from>.*?)\b(?P<protocol>tcp|udp) dport (?P<ports>\{[^}]*\}|[0-9-]+).*\baccept\b")
PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmp", "icmpv6": "icmp"}


@dataclass(frozen=True, kw_only=True)
class Opening:
    """A range of ports that is open, and whether to anybody."""

    protocol: str
    first: int
    last: int
    to_anybody: bool

    def __str__(self) -> str:
        ports = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.protocol} {ports}"


def openings(resource: Resource) -> Iterator[Opening]:
    """Everything that a firewall lets in. What is unknown is taken as everything, from anybody."""
    yield from _READERS[resource.type](resource)


def _nftables(resource: Resource) -> Iterator[Opening]:
    ruleset = str(resource.get("firewall"))
    chain = ruleset.partition("chain input")[2] or ruleset
    for line in chain.partition("chain forward")[0].splitlines():
        if found := ACCEPTED.match(line.strip()):
            to_anybody = "saddr" not in found["from"]
            for part in found["ports"].strip("{}").split(","):
                yield _opening(found["protocol"], part.strip(), to_anybody=to_anybody)


def _aws_group(resource: Resource) -> Iterator[Opening]:
    for rule in resource.items("ingress"):
        sources = [*_list(rule.get("cidrBlocks")), *_list(rule.get("ipv6CidrBlocks"))]
        yield _between(rule.get("protocol"), rule.get("fromPort"), rule.get("toPort"), sources)


def _aws_rule(resource: Resource) -> Iterator[Opening]:
    if resource.get("type") == "ingress":
        sources = [*_list(resource.get("cidrBlocks")), *_list(resource.get("ipv6CidrBlocks"))]
        yield _between(resource.get("protocol"), resource.get("fromPort"), resource.get("toPort"), sources)


def _aws_ingress(resource: Resource) -> Iterator[Opening]:
    sources = [value for key in ("cidrIpv4", "cidrIpv6") if (value := resource.get(key)) is not None]
    yield _between(resource.get("ipProtocol"), resource.get("fromPort"), resource.get("toPort"), sources)


def _gcp(resource: Resource) -> Iterator[Opening]:
    if resource.get("direction") == "EGRESS":
        return
    by_tag = resource.get("sourceTags") or resource.get("sourceServiceAccounts")
    sources = _list(resource.get("sourceRanges")) or ([] if by_tag else ["0.0.0.0/0"])
    for rule in resource.items("allows"):
        for ports in _list(rule.get("ports")) or [f"0-{PORT_MAX}"]:
            yield _opening(str(rule.get("protocol")), ports, to_anybody=_anybody(sources))


def _hcloud(resource: Resource) -> Iterator[Opening]:
    for rule in resource.items("rules"):
        if rule.get("direction") == "in":
            ports = rule.get("port") or f"0-{PORT_MAX}"
            yield _opening(str(rule.get("protocol")), ports, to_anybody=_anybody(_list(rule.get("sourceIps"))))


_READERS: Mapping[str, Callable[[Resource], Iterator[Opening]]] = {
    tokens.LAB_HOST: _nftables,
    tokens.AWS_SECURITY_GROUP: _aws_group,
    tokens.AWS_SECURITY_GROUP_RULE: _aws_rule,
    tokens.AWS_VPC_SECURITY_GROUP_INGRESS_RULE: _aws_ingress,
    tokens.GCP_FIREWALL: _gcp,
    tokens.HCLOUD_FIREWALL: _hcloud,
}


def _between(protocol: Any, first: Any, last: Any, sources: list[Any]) -> Opening:
    known = isinstance(first, int) and isinstance(last, int) and protocol not in ("-1", "all", UNKNOWN)
    whole = not known or first < 0  # every type of ICMP is -1
    ports = f"0-{PORT_MAX}" if whole else f"{first}-{last}"
    return _opening(str(protocol), ports, to_anybody=_anybody(sources))


def _opening(protocol: str, ports: Any, *, to_anybody: bool) -> Opening:
    first, _, last = str(ports if ports not in (UNKNOWN, "any") else f"0-{PORT_MAX}").partition("-")
    name = PROTOCOLS.get(protocol.lower(), protocol.lower())
    return Opening(protocol=name, first=int(first), last=int(last or first), to_anybody=to_anybody)


def _anybody(sources: list[Any]) -> bool:
    return any(source is UNKNOWN or source in ANYWHERE for source in sources)


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
