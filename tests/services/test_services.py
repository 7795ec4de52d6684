"""What holds for everything that runs: ports, flows, order, and the boundary of the package."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

import services
from diversite import ports
from diversite.errors import PlanError
from diversite.plan import Host, Plan, plan
from diversite.topology import Topology
from services import firewall, member_services_of, names_of, needs_keys, services_of
from services.service import Service
from tests.services.venues import europe, facts_of, passive, paths_below, rendered
from tests.support.topologies import topologies

LISTED = {value for name, value in vars(ports).items() if name.isupper() and isinstance(value, int)}
ENDPOINT = re.compile(r"(\d+\.\d+\.\d+\.\d+|\*):(\d+)")
OPEN = re.compile(r"ip saddr \{ ([^}]+) \} tcp dport (\d+) accept")


def test_every_port_is_listed(venue: Plan) -> None:
    """No file and no command names a port that `ports.py` does not."""
    for name, found in rendered(venue).items():
        for service in found:
            used = {int(port) for _, port in ENDPOINT.findall(_text(service))}
            assert used <= LISTED, f"{name} {service.name}: {used - LISTED}"


def test_whoever_is_named_may_be_reached(venue: Plan) -> None:
    """Each address and port that a configuration names is let in by the firewall of the host that has it."""
    _assert_reachable(venue)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(topologies())
def test_whoever_is_named_may_be_reached_in_any_venue(topology: Topology) -> None:
    """The same over venues of every shape that a stack file may state."""
    _assert_reachable(plan(topology))


def test_nothing_listens_on_every_interface_but_the_entrance(venue: Plan) -> None:
    """Orders come in over whatever interface clients reach; everything else has one address."""
    for name, found in rendered(venue).items():
        for service in found:
            wild = {int(port) for address, port in ENDPOINT.findall(_text(service)) if address in ("*", "0.0.0.0")}
            assert wild <= ({ports.ORDERS} if venue.hosts[name].role == "entry" else set())


def test_every_host_runs_something(venue: Plan) -> None:
    """No host is without a purpose, and no two services of a host share a name."""
    for name, found in rendered(venue).items():
        names = [service.name for service in found]
        assert names, name
        assert len(names) == len(set(names))


def test_files_stay_in_the_configuration_directory(venue: Plan) -> None:
    """What is rendered never overwrites what a service keeps."""
    for name, found in rendered(venue).items():
        for service in found:
            assert all(path.startswith(f"/srv/{name}/etc/{service.name}/") for path in service.files)


def test_only_validators_and_members_wait_for_keys() -> None:
    """Everything else can be rendered while no key exists yet."""
    for host in (*europe().hosts.values(), *passive().hosts.values()):
        assert needs_keys(host) == (host.role in {"validator", "store", "queue", "passive"})


def test_what_runs_on_a_member_is_known_before_its_keys() -> None:
    """A deployment can tell what it will start."""
    venue = passive()
    for name, found in rendered(venue).items():
        if venue.hosts[name].role in {"store", "queue", "passive"}:
            assert names_of(venue.hosts[name]) == tuple(service.name for service in found)


def test_a_validator_without_keys_is_refused() -> None:
    """The error names the host and what to do first."""
    venue = europe()
    host = venue.hosts["validator-par"]
    with pytest.raises(PlanError, match=r"validator-par.*make the keys"):
        services_of(venue, host, paths_below(Path("/srv"), host))


def test_a_member_without_a_certificate_is_refused() -> None:
    """The error names the host and what to do first."""
    venue = passive()
    host, known = venue.hosts["store-ledger-fra"], dict(facts_of(venue).certificates)
    del known[host.name]
    with pytest.raises(PlanError, match=r"store-ledger-fra.*certificate is not known"):
        member_services_of(venue, host, paths_below(Path("/srv"), host), known)


def test_a_member_that_came_later_keeps_no_other_from_running() -> None:
    """Until its certificate is known it is not believed, and that is all."""
    venue = passive()
    host, known = venue.hosts["store-ledger-fra"], dict(facts_of(venue).certificates)
    later = known.pop("store-ledger-lon")
    found = member_services_of(venue, host, paths_below(Path("/srv"), host), known)
    files = "".join(text for service in found for text in service.files.values())
    assert later not in files
    assert known["store-ledger-hel"] in files


def test_a_program_believes_those_alone_who_have_business_with_it() -> None:
    """An engine is a client of a store and no member, and a queue's server is nobody to it."""
    venue = passive()
    known = facts_of(venue).certificates
    believed = {
        path.partition("/srv/store-ledger-fra/etc/")[2]: {name for name, pem in known.items() if pem in text}
        for service in rendered(venue)["store-ledger-fra"]
        for path, text in service.files.items()
        if path.endswith(".pem")
    }
    stores = {name for name in known if name.startswith("store-")}
    engines = {name for name in known if name.startswith("passive-")}
    assert (believed["etcd/peers.pem"], believed["etcd/clients.pem"]) == (stores, stores | engines)
    assert (believed["patroni/members.pem"], believed["patroni/clients.pem"]) == (stores, stores | engines)


def test_rendering_is_repeatable() -> None:
    """The same plan gives the same bytes: an unchanged venue restarts nothing."""
    assert rendered(europe()) == rendered(europe())


def test_other_validators_keys_change_no_other_service() -> None:
    """Facts reach validators only."""
    venue = europe()
    host = venue.hosts["engine-par"]
    paths = paths_below(Path("/srv"), host)
    assert services_of(venue, host, paths, facts_of(venue)) == services_of(venue, host, paths)


def test_services_import_only_diversite() -> None:
    """Of the project's packages, and of what does I/O, `services` imports nothing but `diversite`."""
    allowed = {"diversite", "services", "jinja2", "yaml"}
    standard = {
        "__future__",
        "collections",
        "dataclasses",
        "datetime",
        "functools",
        "shlex",
        "hashlib",
        "io",
        "ipaddress",
        "json",
        "math",
    }
    for path in Path(services.__file__ or "").parent.glob("*.py"):
        assert set(_imported(path)) <= allowed | standard | {"typing"}, path.name


def _assert_reachable(venue: Plan) -> None:
    at = {str(host.address): host for host in venue.hosts.values()}
    for name, found in rendered(venue).items():
        for service in found:
            for address, port in ENDPOINT.findall(_text(service)):
                target = at.get(address)
                if target and target.name != name:
                    assert _lets_in(venue, target, venue.hosts[name], int(port)), f"{name} to {target.name}:{port}"


def _lets_in(venue: Plan, target: Host, source: Host, port: int) -> bool:
    text = firewall.ruleset(venue, target)
    known = any(
        source.address in {IPv4Address(item) for item in sources.split(", ")} and int(opened) == port
        for sources, opened in OPEN.findall(text)
    )
    return known or f"        tcp dport {port} accept" in text


def _text(service: Service) -> str:
    return "\n".join([*service.command, *service.files.values(), service.ready.address])


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
