"""Venues to render, the files of all their hosts, and the tools that check them."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from diversite import stackfile
from diversite.genesis import Genesis, genesis_of
from diversite.plan import Host, Plan, plan
from diversite.ports import Role
from diversite.topology import Topology
from services import Facts, Paths, Service, ValidatorKeys, membership, needs_keys, services_of
from tests.support.certificates import certificates_of, lay_down

PROJECT = Path(__file__).parents[2]
STACKS = PROJECT / "stacks"
TOOLS = PROJECT / ".venv" / "bin"
GENESIS_TIME = "2026-01-01T00:00:00Z"


def europe() -> Plan:
    """The flagship."""
    return _stack("europe")


def small() -> Plan:
    """Three sites in a triangle, two validators at one of them, one entrance without an engine, three monitors."""
    return _small()


def alone() -> Plan:
    """One site with one of everything, joined to nothing."""
    return _alone()


def passive() -> Plan:
    """The example of stores, queues and active-passive engines."""
    return _stack("passive")


VENUES = {"europe": europe, "small": small, "alone": alone, "passive": passive}


def facts_of(venue: Plan) -> Facts:
    """Well-formed keys that nobody holds."""
    validators = {host.key: _keys(host.key) for host in venue.of_role("validator")}
    return Facts(
        validators=validators,
        genesis=genesis_with(venue, validators),
        certificates=certificates_of(venue),
    )


def genesis_with(venue: Plan, validators: Mapping[str, ValidatorKeys]) -> Genesis:
    """What the chain of a venue begins with, where these are the validators' keys."""
    return genesis_of(venue, {name: it.public_key for name, it in validators.items()}, GENESIS_TIME)


def paths_below(root: Path, host: Host) -> Any:
    """Where the services of a host keep things below `root`."""
    return lambda service: Paths(etc=f"{root}/{host.name}/etc/{service}", data=f"{root}/{host.name}/data/{service}")


def rendered(venue: Plan, root: Path = Path("/srv")) -> Mapping[str, tuple[Service, ...]]:
    """Every service of every host, by the host's name."""
    facts = facts_of(venue)
    return {
        host.name: services_of(venue, host, paths_below(root, host), facts if needs_keys(host) else None)
        for host in venue.hosts.values()
    }


def written(venue: Plan, root: Path, role: Role) -> Iterator[tuple[Host, Service]]:
    """The services of every host of a role, with their files below `root` and their data directories made."""
    for host in venue.of_role(role):
        for service in rendered(venue, root)[host.name]:
            for path, content in service.files.items():
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).write_text(content)
            Path(paths_below(root, host)(service.name).data).mkdir(parents=True, exist_ok=True)
            if role in membership.ROLES:
                lay_down(host, Path(paths_below(root, host)(membership.NAME).data))
            yield host, service


def run(*command: str) -> str:
    """What a tool prints; the test fails with its words where it objects."""
    if shutil.which(command[0]) is None:
        pytest.fail(f"{command[0]} is not installed; scripts/setup installs it")
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    said = result.stdout + result.stderr
    assert result.returncode == 0, f"{' '.join(command)}: {said}"
    return said


def in_own_network(*command: str) -> Sequence[str]:
    """The command in a network namespace of its own, which ends with it; more options of `unshare` may come first."""
    return ("unshare", "--user", "--map-root-user", "--net", *command)


@cache
def _stack(name: str) -> Plan:
    return plan(stackfile.load(STACKS / f"{name}.yaml"))


@cache
def _small() -> Plan:
    pairs = {"a1": "par", "a2": "par", "b1": "nbg", "c1": "lon"}
    on = {"par": "c7i.xlarge", "lon": "c7i.xlarge", "nbg": "ccx23", "hel": "ccx23"}
    return _planned(
        sites={
            "par": {"at": "aws/eu-west-3/euw3-az1"},
            "lon": {"at": "aws/eu-west-2/euw2-az1"},
            "nbg": {"at": "hetzner/eu-central/nbg1"},
            "hel": {"at": "hetzner/eu-central/hel1"},
        },
        validators={key: {"site": site, "machine": on[site]} for key, site in pairs.items()},
        engines={key: {"site": site, "machine": on[site]} for key, site in pairs.items()},
        links={
            "all": {"kind": "wireguard", "ends": ["par", "lon", "nbg", "hel"], "carrier": "transit"},
            "spare": {"kind": "vpn", "ends": ["par", "nbg"], "carrier": "other", "preference": 2},
        },
        order_entry={"hel": {"site": "hel", "machine": on["hel"], "orders_per_second_per_client_max": 7}},
        monitoring={site: {"site": site, "machine": on[site]} for site in ("par", "lon", "hel")},
    )


@cache
def _alone() -> Plan:
    one = {"one": {"site": "par", "machine": "c7i.xlarge"}}
    return _planned(
        sites={"par": {"at": "aws/eu-west-3/euw3-az1"}}, validators=one, engines=one, order_entry=one, monitoring=one
    )


def _planned(**parts: Any) -> Plan:
    return plan(Topology.model_validate({"venue": "test", "survive": [{"any": "host"}], **parts}))


def _keys(name: str) -> ValidatorKeys:
    key = hashlib.sha256(name.encode()).digest()
    return ValidatorKeys(
        public_key=base64.b64encode(key).decode(),
        address=hashlib.sha256(key).hexdigest()[:40].upper(),
        node_id=hashlib.sha256(key).hexdigest()[40:].ljust(40, "0"),
    )
