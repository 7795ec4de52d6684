"""Venues whose hosts can boot in a cloud: releases, keys, and the public addresses of gateways."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

import yaml  # type: ignore[import-untyped]  # its stubs are a separate package

from diversite import keys
from diversite.plan import Host, Plan, plan
from diversite.topology import Build, Release, Topology
from services import Facts, boot, needs_keys, services_of
from services.facts import facts_of
from tests.diversite.test_keys import hosts_of
from tests.services import venues

OPERATOR_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEt1ZW5zdGxpY2hlciBTY2hsw7xzc2VsIG9obmUgV2VydA== somebody"
BUILD = Build(address="https://releases.venue.example/venue-1.tar.gz", sha256="0123456789abcdef" * 4)
RELEASE = "venue-1"


def released(topology: Topology) -> Topology:
    """The same topology with one release for everything that takes one, built for every processor."""
    parts = {
        section: {
            key: item.model_copy(update={"release": RELEASE}) if hasattr(item, "release") else item
            for key, item in getattr(topology, section).items()
        }
        for section in ("validators", "engines", "stores", "queues")
    }
    releases = {RELEASE: Release(x86_64=BUILD, arm64=BUILD)}
    return topology.model_copy(update={**parts, "releases": releases})


@cache
def europe() -> Plan:
    """The flagship."""
    return plan(released(venues.europe().topology))


@cache
def small() -> Plan:
    """Three sites in a triangle, one of them with two validators, an entrance at Hetzner and a managed VPN."""
    return plan(released(venues.small().topology))


@cache
def alone() -> Plan:
    """One site, joined to nothing."""
    return plan(released(venues.alone().topology))


@cache
def passive() -> Plan:
    """State beside consensus."""
    return plan(released(venues.passive().topology))


@cache
def hundred() -> Plan:
    """A hundred validators at twenty sites of three providers, every two sites joined."""
    places = {
        "aws": ("c7i.xlarge", ["aws/eu-west-3/euw3-az1", "aws/eu-west-1/euw1-az1", "aws/eu-west-2/euw2-az1"]),
        "gcp": ("c3-standard-4", ["gcp/europe-west2/europe-west2-a", "gcp/europe-north2/europe-north2-a"]),
        "hetzner": ("ccx23", ["hetzner/eu-central/nbg1", "hetzner/eu-central/hel1"]),
    }
    at = {
        f"{provider}-{'abcdefg'[number]}": (machine, found[number % len(found)])
        for provider, (machine, found) in places.items()
        for number in range(6 if provider == "hetzner" else 7)
    }
    hosts = {f"{site}-{n}": {"site": site, "machine": at[site][0]} for site in at for n in range(5)}
    front = {site: {"site": site, "machine": at[site][0]} for site in ("aws-a", "gcp-a", "hetzner-a")}
    document: dict[str, Any] = {
        "venue": "hundred",
        "survive": [{"any": "host"}],
        "sites": {site: {"at": place} for site, (_, place) in at.items()},
        "validators": hosts,
        "engines": hosts,
        "links": {"all": {"kind": "wireguard", "ends": list(at), "carrier": "transit"}},
        "order_entry": front,
        "monitoring": front,
    }
    return plan(released(Topology.model_validate(document)))


def known_of(venue: Plan) -> Facts:
    """Well-formed keys that nobody holds, for every validator and tunnel."""
    return facts_of(keys.joined(venue, hosts_of(venue).values(), None))


def endpoints_of(venue: Plan) -> Mapping[str, str]:
    """A public address for the gateway of every site, of those kept for documentation."""
    return {site: f"203.0.113.{number + 1}" for number, site in enumerate(venue.sites)}


def booted(venue: Plan, host: Host, known: Facts | None) -> str:
    """The boot script of a host as a sibling asks for it."""
    waits = known is None and needs_keys(host)
    return boot.user_data(
        venue,
        host,
        () if waits else services_of(venue, host, boot.paths(host), known),
        known=known,
        endpoints=endpoints_of(venue) if host.role == "gateway" else {},
        operator_keys=(OPERATOR_KEY,) if host.provider == "hetzner" else (),
    )


def written(text: str) -> dict[str, str]:
    """The files of a boot script by their path."""
    return {file["path"]: file["content"] for file in read(text)["write_files"]}


def read(text: str) -> Any:
    """A boot script as data."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


class Booted:
    """A venue and the boot scripts of all its hosts, made once."""

    def __init__(self, venue: Plan) -> None:
        self.plan = venue
        self.known = known_of(venue)
        self.scripts = {host.name: booted(venue, host, self.known) for host in venue.hosts.values()}

    @cached_property
    def waiting(self) -> dict[str, str]:
        """The boot scripts from before the keys came together."""
        return {host.name: booted(self.plan, host, None) for host in self.plan.hosts.values()}

    @cached_property
    def files(self) -> dict[str, dict[str, str]]:
        """What is written at each host, by the host's name and then by path."""
        return {name: written(text) for name, text in self.scripts.items()}


VENUES = {"europe": europe, "small": small, "alone": alone, "hundred": hundred, "passive": passive}


@cache
def booted_venue(name: str) -> Booted:
    """One of `VENUES`, booted."""
    return Booted(VENUES[name]())
