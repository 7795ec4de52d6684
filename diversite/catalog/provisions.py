"""From the files to facts: what a provider offers (machines, on-ramps), limits and allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast, get_args

from diversite.catalog.facts import BfdLimit, CrossCloud, Finding, Limits, Machine, OnRamp, Terms, TermsConfidence
from diversite.catalog.node import Node
from diversite.errors import CatalogError

UNKNOWN = "-"
"""An empty cell of a table."""


def read_machines(root: Node) -> dict[tuple[str, str], Machine]:
    """Every machine type by provider and name."""
    machines = (_machine(provider, node, row) for provider, node in root.nodes("providers") for row in node.rows())
    return {(machine.provider, machine.name): machine for machine in machines}


def read_limits(root: Node) -> dict[str, Limits]:
    """The limits of each provider."""
    return {provider: _limits(provider, node) for provider, node in root.nodes("providers")}


def read_terms(root: Node) -> dict[str, Terms]:
    """The terms of each provider."""
    return {provider: _terms(provider, node) for provider, node in root.nodes("providers")}


def read_on_ramps(root: Node) -> list[OnRamp]:
    """Every on-ramp."""
    return [_on_ramp(provider, node, row) for provider, node in root.nodes("providers") for row in node.rows()]


def read_cross_cloud(root: Node) -> list[CrossCloud]:
    """The buildings with Cross-Cloud Interconnect."""
    node = root.node("cross_cloud")
    return [
        CrossCloud(
            direct_connect=row["direct_connect"],
            google=tuple(row["google"].split(",")),
            remote_location=row["remote_location"],
            sources=node.texts("sources"),
        )
        for row in node.rows()
    ]


def read_managed_pairs(root: Node) -> frozenset[tuple[str, str]]:
    """Pairs of an AWS and a Google region that both providers join as a managed product."""
    return frozenset((row["aws_region"], row["gcp_region"]) for row in root.node("managed").rows())


def _machine(provider: str, node: Node, row: Mapping[str, str]) -> Machine:
    return Machine(
        provider=provider,
        name=row["name"],
        vcpus=_whole(node, row["vcpus"]),
        memory_gib=_whole(node, row["memory_gib"]),
        cpu_vendor=_known(row["cpu_vendor"]),
        cpu_family=_known(row["cpu_family"]),
        architecture=row["architecture"],
        sources=node.texts("sources"),
    )


def _limits(provider: str, node: Node) -> Limits:
    node.only("names", "labels", "bfd", "bgp", "mtu", "health_checks")
    labels, bgp = node.node("labels"), node.node("bgp")
    return Limits(
        provider=provider,
        name_length_max=node.node("names").wholes("length_max"),
        label_key_length_max=labels.whole("key_length_max"),
        label_value_length_max=labels.whole("value_length_max"),
        label_count_max=None if labels.values.get("count_max") is None else labels.whole("count_max"),
        bfd=_bfd(node.node("bfd").node("kinds")),
        bgp_hold_seconds_min=bgp.wholes("hold_seconds_min"),
        dead_peer_seconds_min=bgp.wholes("dead_peer_seconds_min"),
        mtu_bytes_max=node.node("mtu").wholes("bytes_max"),
        health_check_interval_seconds_min=node.node("health_checks").wholes("interval_seconds_min"),
        sources={section: part.texts("sources") for section, part in ((key, node.node(key)) for key in node.values)},
    )


def _bfd(kinds: Node) -> dict[str, BfdLimit | None]:
    spoken = {kind: kinds.node(kind) for kind, limit in kinds.values.items() if limit is not None}
    return dict.fromkeys(kinds.values) | {
        kind: BfdLimit(interval_ms_min=limit.whole("interval_ms_min"), multiplier_min=limit.whole("multiplier_min"))
        for kind, limit in spoken.items()
    }


def _terms(provider: str, node: Node) -> Terms:
    node.only("mining", "nodes", "confidence", "statement", "sources")
    return Terms(
        provider=provider,
        mining=_finding(node, "mining"),
        nodes=_finding(node, "nodes"),
        confidence=cast(TermsConfidence, node.choice("confidence", get_args(TermsConfidence))),
        statement=node.text("statement"),
        sources=node.texts("sources"),
    )


def _finding(node: Node, key: str) -> Finding | None:
    if node.values.get(key) is None:
        return None
    return cast(Finding, node.choice(key, get_args(Finding)))


def _on_ramp(provider: str, node: Node, row: Mapping[str, str]) -> OnRamp:
    number = _known(row["peeringdb"])
    return OnRamp(
        provider=provider,
        codes=tuple(row.get("codes", row.get("code", "")).split(",")),
        metro=_known(row["metro"]),
        region=_known(row["region"]),
        peeringdb=_whole(node, number) if number else None,
        facility=row["facility"],
        sources=node.texts("sources"),
    )


def _known(cell: str) -> str | None:
    return None if cell == UNKNOWN else cell


def _whole(node: Node, cell: str) -> int:
    if not cell.isdecimal():
        raise CatalogError(f"{node.where}.rows has {cell!r} where the catalogue wants a whole number.")
    return int(cell)
