"""cloud-init accepts every boot script, each fits its provider, and none holds a secret."""

from __future__ import annotations

import base64
import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # no stubs for one call
import pytest
from hypothesis import HealthCheck, given, settings

from diversite import ports
from diversite.errors import PlanError
from diversite.plan import Host, plan
from diversite.topology import Release, Topology
from services import Ready, Service, boot
from tests.services.boot.venues import (
    BUILD,
    RELEASE,
    Booted,
    alone,
    booted,
    booted_venue,
    known_of,
    read,
    released,
    small,
    written,
)
from tests.support.topologies import topologies

ROOT = Path(__file__).parents[3]
SCHEMA = "usr/lib/python3/dist-packages/cloudinit/config/schemas/schema-cloud-config-v1.json"
LIMITS_BYTES = {"aws": 16_384, "hetzner": 24_576, "gcp": 262_144}
"""Before base64; Google's is of plain text."""
SECRETS = re.compile(r"PRIVATE KEY|PrivateKey\s*=|priv_key\"|tendermint/PrivKey|(?<!lock_)passwd\": |chpasswd")


def test_cloud_init_accepts_every_host(venue: Booted) -> None:
    """By cloud-init's own schema, before and after the keys are known."""
    for text in (*venue.scripts.values(), *venue.waiting.values()):
        _assert_accepted(text)


def test_a_script_is_read_as_cloud_config(venue: Booted) -> None:
    """The first line says what it is, and no file is written twice."""
    for text in venue.scripts.values():
        assert text.startswith("#cloud-config\n")
        paths = [file["path"] for file in read(text)["write_files"]]
        assert len(paths) == len(set(paths))


def test_files_arrive_as_they_were_rendered() -> None:
    """What a script holds of a service's file is that file, to the byte: a text like any, and one unlike any."""
    files = {
        "/a": " begins with a space\n",
        "/b": "no end",
        "/c": "two ends\n\n",
        "/d": "a\n\n  b: c\n",
        "/e": "\x01\n",
    }
    venue = alone()
    odd = Service(name="odd", command=("true",), files=files, ready=Ready(kind="none"))
    text = boot.user_data(venue, venue.hosts["engine-one"], [odd], known=None, endpoints={})
    assert files.items() <= written(text).items()


@pytest.mark.parametrize("name", ["europe", "hundred"])
def test_every_script_fits_its_provider(name: str) -> None:
    """With a hundred validators as well, AWS' 16 KiB being the tightest."""
    venue = booted_venue(name)
    sizes = {name: _size(venue.plan.hosts[name], text) for name, text in venue.scripts.items()}
    assert {it: size for it, size in sizes.items() if size > LIMITS_BYTES[venue.plan.hosts[it].provider]} == {}


def test_what_is_too_large_is_refused_with_what_to_do() -> None:
    """The error names the host, both sizes, and the way out."""
    text = booted_venue("hundred").scripts["validator-aws-a-0"]
    with pytest.raises(PlanError, match=r"^validator-aws-a-0: its boot script has [\d,]+ bytes.*allows 8,192.*fewer"):
        boot.compressed(text, 8192)


def test_the_same_host_has_the_same_bytes() -> None:
    """An unchanged venue replaces no machine."""
    venue = booted_venue("europe")
    text = venue.scripts["gateway-par"]
    again = booted(venue.plan, venue.plan.gateway("par"), venue.known)
    assert boot.compressed(text, 16_384) == boot.compressed(again, 16_384)
    assert gzip.decompress(base64.b64decode(boot.compressed(text, 16_384))).decode() == text


def test_no_secret_is_in_a_script(venue: Booted) -> None:
    """Keys are made on the host: its script holds no private half, no password, nothing that looks like one."""
    for name, text in venue.scripts.items():
        assert SECRETS.search(text) is None, name


def test_a_validator_waits_without_keys() -> None:
    """Before the keys come together it makes its own, and runs nothing that needs those of others."""
    files = written(booted_venue("europe").waiting["validator-par"])
    assert "/usr/local/lib/diversite/keys" in files
    assert not [path for path in files if "cometbft" in path]
    assert "/etc/systemd/system/diversite-node-exporter.service" in files


def test_a_gateway_waits_without_keys() -> None:
    """It routes, makes a key for each link, and has no tunnel yet."""
    venue = booted_venue("europe")
    files = written(venue.waiting["gateway-par"])
    assert "/etc/diversite/bird/bird.conf" in files
    assert not [path for path in files if path.startswith("/etc/diversite/wireguard/")]
    links = re.search(r"^links='([^']*)'$", files["/etc/diversite/host"], re.MULTILINE)
    assert links is not None
    assert len(links[1].split()) == len(venue.plan.links_at("par"))


def test_every_link_of_a_gateway_has_its_tunnel(venue: Booted) -> None:
    """Once the keys are known, with the unit that brings it up."""
    for site in venue.plan.sites:
        files = venue.files[venue.plan.gateway(site).name]
        for _, here, _ in venue.plan.links_at(site):
            assert f"/etc/diversite/wireguard/{here.interface}.conf" in files
            assert f"diversite-tunnel@{here.interface}.service" in files["/etc/systemd/system/diversite.target"]


def test_a_gateway_needs_the_addresses_of_the_others() -> None:
    """A tunnel over public addresses cannot be rendered before they are known."""
    venue = small()
    with pytest.raises(PlanError, match=r"public address of site .*endpoints"):
        boot.user_data(venue, venue.gateway("par"), (), known=known_of(venue), endpoints={})


def test_nobody_logs_in_with_a_password_or_as_root(venue: Booted) -> None:
    """One person's user and one for the programs; keys only where they were given."""
    for name, text in venue.scripts.items():
        document = read(text)
        assert (document["disable_root"], document["ssh_pwauth"]) == (True, False)
        assert [user["name"] for user in document["users"]] == ["operations", "diversite"]
        assert all(user["lock_passwd"] for user in document["users"])
        keys = [key for user in document["users"] for key in user.get("ssh_authorized_keys", ())]
        assert bool(keys) == (venue.plan.hosts[name].provider == "hetzner")


def test_each_cloud_has_its_own_clock(venue: Booted) -> None:
    """The provider's own time and no other pool."""
    wanted = {"aws": ["169.254.169.123"], "gcp": ["metadata.google.internal"], "hetzner": ["ntp1.hetzner.de"]}
    for name, files in venue.files.items():
        chrony = files["/etc/chrony/chrony.conf"]
        assert re.findall(r"^server (\S+)", chrony, re.MULTILINE)[:1] == wanted[venue.plan.hosts[name].provider]
        assert "pool" not in chrony


def test_hetzners_balancer_tells_who_the_client_is() -> None:
    """The PROXY protocol from the balancer's part of the site alone; elsewhere the balancer keeps the address."""
    venue = booted_venue("small")
    files = venue.files["entry-hel"]
    part = f"{venue.plan.sites['hel'].network.network_address + 64}/26"
    assert f"expect-proxy layer4 if {{ src {part} }}" in files["/etc/diversite/haproxy/haproxy.cfg"]
    assert f"ip saddr {part} tcp dport {ports.ENTRY_METRICS} accept" in files["/etc/diversite/firewall.nft"]
    elsewhere = booted_venue("europe").files["entry-par"]
    assert "expect-proxy" not in elsewhere["/etc/diversite/haproxy/haproxy.cfg"]


def test_monitors_see_every_machine(venue: Booted) -> None:
    """Each host's node exporter is scraped, and its firewall lets the monitors in."""
    for monitor in venue.plan.of_role("monitor"):
        prometheus = venue.files[monitor.name]["/etc/diversite/prometheus/prometheus.yml"]
        for host in venue.plan.hosts.values():
            assert f"{host.address}:{ports.NODE_EXPORTER}" in prometheus
            rules = venue.files[host.name]["/etc/diversite/firewall.nft"]
            if host.name != monitor.name:
                assert re.search(rf"\b{monitor.address}\b.* tcp dport {ports.NODE_EXPORTER} accept", rules)


def test_a_host_without_a_program_is_refused() -> None:
    """The error says where to add it."""
    topology = alone().topology
    bare = {"one": topology.validators["one"].model_copy(update={"release": None})}
    unreleased = plan(topology.model_copy(update={"validators": bare, "releases": {}}))
    with pytest.raises(PlanError, match=r"validators\.one: .*`software: \{validator: <release>\}`"):
        booted(unreleased, unreleased.hosts["validator-one"], None)


def test_a_release_without_a_build_for_the_processor_is_refused() -> None:
    """A validator on ARM needs a build for ARM, one on x86 another."""
    releases = {RELEASE: Release(x86_64=None, arm64=BUILD)}
    venue = plan(alone().topology.model_copy(update={"releases": releases}))
    with pytest.raises(PlanError, match=r"c7i\.xlarge has x86_64 processors.*Add releases\.venue-1\.x86_64"):
        booted(venue, venue.hosts["validator-one"], None)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(topologies())
def test_every_venue_boots(topology: Topology) -> None:
    """Whatever a stack file may state: accepted by the schema, within the limits, without a secret."""
    venue = plan(released(topology))
    known = known_of(venue)
    for role in ("gateway", "validator", "engine", "entry", "monitor"):
        host = next(it for it in venue.hosts.values() if it.role == role)
        text = booted(venue, host, known)
        _assert_accepted(text)
        assert _size(host, text) <= LIMITS_BYTES[host.provider]
        assert SECRETS.search(text) is None


def _size(host: Host, text: str) -> int:
    return len(text) if host.provider == "gcp" else len(base64.b64decode(boot.compressed(text, len(text))))


def _assert_accepted(text: str) -> None:
    assert [error.message for error in _validator().iter_errors(read(text))] == []


@cache
def _validator() -> Any:
    for root in (Path("/"), ROOT / ".tools" / "cloud-init"):
        if (root / SCHEMA).exists():
            return jsonschema.Draft4Validator(json.loads((root / SCHEMA).read_text()))
    pytest.fail("cloud-init's schema is not there; scripts/setup dev unpacks Debian's package into .tools/cloud-init")
