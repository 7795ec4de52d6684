"""From the files to facts: what a provider offers (machines, on-ramps), limits and allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diversite.catalog.facts import BfdLimit, CrossCloud, Limits, Machine, OnRamp, Terms
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
    labels, bgp = node.node("labels").values, node.node("bgp").values
    return Limits(
        provider=provider,
        name_length_max=node.node("names").values["length_max"],
        label_key_length_max=labels["key_length_max"],
        label_value_length_max=labels["value_length_max"],
        label_count_max=labels["count_max"],
        bfd={kind: _bfd(limit) for kind, limit in node.node("bfd").values["kinds"].items()},
        bgp_hold_seconds_min=bgp["hold_seconds_min"],
        dead_peer_seconds_min=bgp["dead_peer_seconds_min"],
        mtu_bytes_max=node.node("mtu").values["bytes_max"],
        health_check_interval_seconds_min=node.node("health_checks").values["interval_seconds_min"],
        sources={section: part.texts("sources") for section, part in ((key, node.node(key)) for key in node.values)},
    )


def _bfd(limit: Mapping[str, int] | None) -> BfdLimit | None:
    return BfdLimit(**limit) if limit else None


def _terms(provider: str, node: Node) -> Terms:
    node.only("mining", "nodes", "confidence", "statement", "sources")
    values: Mapping[str, Any] = node.values
    return Terms(
        provider=provider,
        mining=values["mining"],
        nodes=values["nodes"],
        confidence=values["confidence"],
        statement=node.text("statement"),
        sources=node.texts("sources"),
    )


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
